/** Any source of examples -> Dataset. */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileError, UserError } from '../base/index.js';
import { byCodePoint, type Dataset } from './example.js';
import { readFolder } from './folder.js';
import { type GroupFrom, groupExamples, parseGroupFrom } from './groups.js';
import { readManifest } from './manifest.js';

export interface DatasetOptions {
  /** `column:/regex/`, see parseGroupFrom. */
  groupFrom?: string | undefined;
}

/**
 * Reads the list of examples at `path`, without opening an image. Three forms are known:
 * - a folder of class folders: every image is in split 'train';
 * - a folder with train/, test/ (and val/) that hold class folders;
 * - a CSV manifest `file,label[,class,split,group,...]`, given itself or lying in the folder as labels.csv.
 *
 * @throws UserError when there is nothing to read, a label is missing or a listed file is not there.
 */
export async function readDataset(path: string, options: DatasetOptions = {}): Promise<Dataset> {
  const groupFrom = options.groupFrom === undefined ? undefined : parseGroupFrom(options.groupFrom);
  const full = resolve(path);
  const info = await stat(full).catch((error) => {
    throw fileError(error, path);
  });
  if (!info.isDirectory()) {
    if (!full.toLowerCase().endsWith('.csv')) {
      throw new UserError(`${path} is neither a folder of images nor a .csv manifest; give one of these`);
    }
    return finish(await readManifest(full), groupFrom);
  }
  const entries = await readdir(full).catch((error) => {
    throw fileError(error, path);
  });
  const source = entries.includes('labels.csv')
    ? await readManifest(join(full, 'labels.csv'))
    : await readFolder(full, path);
  return finish(source, groupFrom);
}

function finish(source: Dataset, groupFrom: GroupFrom | undefined): Dataset {
  const grouped = groupFrom ? groupExamples(source, groupFrom) : source;
  return { ...grouped, warnings: [...grouped.warnings, ...classWarnings(grouped)] };
}

/** Classes that are too small to learn from or are absent from a split. */
function classWarnings({ classes, examples }: Dataset): string[] {
  const counts = new Map<string, number[]>();
  for (const { split, label } of examples) {
    const count = counts.get(split) ?? classes.map(() => 0);
    count[label] = (count[label] as number) + 1;
    counts.set(split, count);
  }
  const warnings: string[] = [];
  if (classes.length === 1) warnings.push(`there is only one class, '${classes[0]}': nothing can be told apart`);
  for (const split of [...counts.keys()].sort(byCodePoint)) {
    const count = counts.get(split) as number[];
    const absent = classes.filter((_, c) => count[c] === 0);
    if (absent.length > 0) {
      warnings.push(`${quoteSome(absent)} without any image in split '${split}'`);
    }
    // One test image makes a coarse estimate; one training image cannot be both trained on and validated on.
    const single = classes.filter((_, c) => count[c] === 1);
    if (split !== 'test' && single.length > 0) {
      warnings.push(`${quoteSome(single)} with only one image in split '${split}'`);
    }
  }
  return warnings;
}

function quoteSome(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `'${name}'`);
  const rest = names.length > 5 ? ` and ${names.length - 5} more` : '';
  return `${names.length === 1 ? 'class' : `${names.length} classes`} ${shown.join(', ')}${rest}`;
}
