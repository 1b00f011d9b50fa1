/** Any source of examples -> Dataset. */
import { readdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileError, UserError } from '../base/index.js';
import type { Dataset } from './example.js';
import { groupExamples, parseGroupFrom } from './groups.js';
import { groupNearDuplicates } from './near-duplicates.js';
import { type Place, sources } from './sources/index.js';
import { classWarnings } from './targets.js';

export interface DatasetOptions {
  /** `column:/regex/`, see parseGroupFrom. */
  groupFrom?: string | undefined;
  /** Whether a manifest may list images that lie outside its folder. */
  allowOutside?: boolean | undefined;
  /** Whether images that look alike are found and counted as one group; every image is decoded for it. */
  nearDuplicates?: boolean | undefined;
  /** Encoding of a manifest that is neither UTF-8 nor UTF-16 with a byte order mark. */
  encoding?: string | undefined;
}

/**
 * Reads the list of examples at `path`, without opening an image unless near-duplicates are asked for. What is known lies in sources/:
 * - a folder of class folders: every image is in split 'train';
 * - a folder with train/, test/ (and val/) that hold class folders;
 * - a CSV manifest `file,label[,class,split,group,...]`, given itself or lying in the folder as labels.csv.
 *
 * @throws UserError when there is nothing to read, a label is missing or a listed file is not there.
 */
export async function readDataset(path: string, options: DatasetOptions = {}): Promise<Dataset> {
  const groupFrom = options.groupFrom === undefined ? undefined : parseGroupFrom(options.groupFrom);
  const place = await lookAt(path);
  const source = sources.find((s) => s.recognises(place));
  if (!source) {
    throw new UserError(`${path} is neither ${sources.map((s) => s.name).join(' nor ')}; give one of these`);
  }
  const dataset = await source.open(place, options);
  const named = groupFrom ? groupExamples(dataset, groupFrom) : dataset;
  const grouped = options.nearDuplicates ? await groupNearDuplicates(named) : named;
  return { ...grouped, warnings: [...grouped.warnings, ...classWarnings(grouped.classes, grouped.examples)] };
}

async function lookAt(shown: string): Promise<Place> {
  const path = resolve(shown);
  try {
    const isFolder = (await stat(path)).isDirectory();
    return { shown, path, ...(isFolder && { entries: await readdir(path) }) };
  } catch (error) {
    throw fileError(error, shown);
  }
}
