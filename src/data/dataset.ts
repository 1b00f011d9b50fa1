/** Any source of examples -> Dataset. */
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileError, given, UserError } from '../base/index.js';
import { fetchDataset, isHubName, type Origin } from '../hub/index.js';
import type { Dataset, UnlabelledDataset } from './example.js';
import { groupExamples, parseGroupFrom } from './groups.js';
import { groupNearDuplicates } from './near-duplicates.js';
import {
  expandBraces,
  isInnerFolder,
  labelsNotAsked,
  type Place,
  type SeveralLabels,
  sources,
} from './sources/index.js';
import { isSplitName } from './splits.js';
import { classWarnings } from './targets.js';

/** How a data set is read: columns, groups, splits, labels. */
export interface DatasetOptions {
  /** Labels are values or sets of labels: nothing is said of them as classes. */
  valued?: boolean | undefined;
  /** `column:/regex/`, see parseGroupFrom. */
  groupFrom?: string | undefined;
  /** Whether a manifest may list images that lie outside its folder. */
  allowOutside?: boolean | undefined;
  /** Whether images that look alike are found and counted as one group; every image is decoded for it. */
  nearDuplicates?: boolean | undefined;
  /** Encoding of a manifest that is neither UTF-8 nor UTF-16 with a byte order mark. */
  encoding?: string | undefined;
  /** Which column of a table is what: `path=file,label=species`. */
  columns?: string | undefined;
  /** What to take where an image shows several classes. */
  severalLabels?: SeveralLabels | undefined;
}

/** How images are read that may have no labels. */
export interface ExamplesOptions extends DatasetOptions {
  /** 'none': labels are not read. Absent: they are, where there are any. */
  target?: 'none' | undefined;
}

/**
 * Reads the list of labelled examples at `path`, without decoding an image unless near-duplicates are asked for. What is known lies in
 * sources/: folders of images, manifests, and containers that hold many images. A path may name several files as shells do:
 * `shard-{000..012}.tar`.
 *
 * @throws UserError when there is nothing to read, labels are missing or a listed file is not there.
 */
export async function readDataset(path: string, options: DatasetOptions = {}): Promise<Dataset> {
  const dataset = await readExamples(path, { ...options, target: undefined });
  if (dataset.kind === 'class') return dataset;
  throw new UserError(`labels are missing: ${dataset.reason}; ${dataset.remedy}`);
}

/**
 * The same for those who can do without labels: examples have none where their source has no room for any, or none is to be
 * read. This and the source's answer are all that decides it.
 */
export async function readExamples(path: string, options: ExamplesOptions = {}): Promise<Dataset | UnlabelledDataset> {
  const groupFrom = options.groupFrom === undefined ? undefined : parseGroupFrom(options.groupFrom);
  const { origin, ...place } = await lookAt(path);
  const source = sources.find((s) => s.recognises(place));
  if (!source) {
    throw new UserError(`${path} is none of what data is read from: ${sources.map((s) => s.name).join(', ')}`);
  }
  const isNone = options.target === 'none';
  // Of labels that nobody wants, several are as good as one.
  const found = await source.open(place, isNone ? { ...options, severalLabels: 'all' } : options);
  if (found.kind === 'none' || isNone) {
    if (options.groupFrom !== undefined || options.nearDuplicates) {
      const flag = options.nearDuplicates ? 'near-duplicates' : 'group-from';
      throw new UserError(`--${flag} keeps examples together where labelled ones are divided: leave it out`);
    }
    return { ...(found.kind === 'none' ? found : withoutLabels(found)), ...given({ origin }) };
  }
  const dataset = found;
  const named = groupFrom ? groupExamples(dataset, groupFrom) : dataset;
  const grouped = options.nearDuplicates ? await groupNearDuplicates(named) : named;
  const warnings = [...grouped.warnings, ...(options.valued ? [] : classWarnings(grouped.classes, grouped.examples))];
  return { ...grouped, ...given({ origin }), warnings };
}

/** The examples without what is true of them, of a source that reads labels in any case. */
function withoutLabels({ root, examples, warnings }: Dataset): UnlabelledDataset {
  const unlabelled = examples.map(({ label: _, class: __, ...example }) => example);
  return { kind: 'none', root, examples: unlabelled, ...labelsNotAsked, warnings };
}

/** What lies at a path, or under a name of a hub. */
async function lookAt(shown: string): Promise<Place & { readonly origin?: Origin }> {
  if (isHubName(shown)) {
    const { root, files, origin } = await fetchDataset(shown);
    return { shown, path: join(root, 'data'), files, origin };
  }
  const path = resolve(shown);
  try {
    const stats = await stat(path).catch((error) => {
      if (!/\{.*\}/s.test(shown)) throw error;
    });
    if (!stats) {
      const files = expandBraces(path);
      for (const file of files) await stat(file).catch((error) => Promise.reject(fileError(error, file)));
      return { shown, path, files };
    }
    return stats.isDirectory() ? { shown, path, ...(await entriesOf(path)) } : { shown, path, files: [path] };
  } catch (error) {
    throw fileError(error, shown);
  }
}

/** Whether there is something at a path that readDataset takes; what a name of a hub stands for shows when it is fetched. */
export function dataExists(path: string): boolean {
  return (
    isHubName(path) || existsSync(path) || (path.includes('{') && expandBraces(path).every((file) => existsSync(file)))
  );
}

async function entriesOf(path: string): Promise<Pick<Place, 'entries' | 'folders'>> {
  const top = await readdir(path, { withFileTypes: true });
  const special = top.filter(({ name }) => isSplitName(name) || isInnerFolder(name));
  const below = await Promise.all(
    special.map(async ({ name }) => {
      const entries = await readdir(join(path, name), { withFileTypes: true }).catch(() => []);
      return entries.map((entry) => ({ name: `${name}/${entry.name}`, isFolder: entry.isDirectory() }));
    }),
  );
  const all = [...top.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() })), ...below.flat()];
  return {
    entries: all.map(({ name }) => name),
    folders: all.flatMap(({ name, isFolder }) => (isFolder ? [name] : [])),
  };
}
