/** Features and labels of anyone's: NumPy files, and text for labels and groups. */
import { basename } from 'node:path';
import { type CsvRow, parseCsvRows, readTextFile, UserError } from '../base/index.js';
import { checkLabels, decideSplits, type SplitRows, sortLabels } from '../data/index.js';
import { readNpyData, readNpyHeader } from '../features/index.js';
import { arrayBlock, FeatureMatrix } from '../solver/index.js';
import { duplicateWarnings, repeatedRows } from './duplicates.js';
import { type SourceOptions, scoredTask, subset, unit, withEqualTogether, withoutClasses } from './sources.js';
import type { Labelled, ScoredTask } from './task.js';

/** Features and labels as NumPy files. */
export interface ArrayFiles {
  features: string;
  labels: string;
  testFeatures?: string | undefined;
  testLabels?: string | undefined;
  groups?: string | undefined;
  testGroups?: string | undefined;
}

/** X (n, p) and y (n) as .npy files; labels and groups may also be text, one per line. */
export async function taskFromArrays(files: ArrayFiles, options: SourceOptions): Promise<ScoredTask> {
  if ((files.testFeatures === undefined) !== (files.testLabels === undefined)) {
    throw new UserError('--test-features and --test-labels belong together: give both or neither');
  }
  if (files.testGroups !== undefined && files.testFeatures === undefined) {
    throw new UserError('--test-groups are groups of the rows of --test-features: give both');
  }
  const trainLabels = await readColumn(files.labels, 'label', options.encoding, options.valued);
  const testLabels =
    files.testLabels === undefined ? [] : await readColumn(files.testLabels, 'label', options.encoding, options.valued);
  if (!options.valued) {
    checkLabels(new Set(trainLabels), files.labels);
    checkLabels(new Set([...trainLabels, ...testLabels]), files.testLabels ?? files.labels);
  }
  const classes = sortLabels(new Set([...trainLabels, ...testLabels]));
  const numberOf = new Map(classes.map((name, k) => [name, k]));
  const numbers = (names: readonly string[]) => Int32Array.from(names, (name) => numberOf.get(name) as number);
  const ownGroups = files.groups === undefined ? undefined : await readColumn(files.groups, 'group', options.encoding);
  const plain = arrayExamples(files.features, numbers(trainLabels), options, { groups: ownGroups });
  const ownTestGroups =
    files.testGroups === undefined ? undefined : await readColumn(files.testGroups, 'group', options.encoding);
  const shift = plain.matrix.blocks[0]?.shift;
  const plainTest =
    files.testFeatures === undefined
      ? undefined
      : arrayExamples(files.testFeatures, numbers(testLabels), options, { groups: ownTestGroups, shift });
  const whole = await withEqualTogether(plain);
  const test = plainTest && (await withEqualTogether(plainTest));
  const [groups, testGroups] = [whole.groups, test?.groups];
  const all = [...trainLabels.map(() => 'train'), ...testLabels.map(() => 'test')];
  // What has no group stands alone.
  const groupOf = (split: string, i: number) =>
    (split === 'train' ? groups?.[i] : testGroups?.[i - trainLabels.length]) ?? `${split} row ${i}`;
  const rows: SplitRows = {
    splits: all,
    labels: numbers([...trainLabels, ...testLabels]),
    groups: groups || testGroups ? all.map((split, i) => groupOf(split, i)) : undefined,
    classes,
  };
  const splits = decideSplits(options.valued ? withoutClasses(rows) : rows, options);
  const rest = {
    classes,
    taps: [{ alias: 'features', name: basename(files.features), features: whole.matrix.features }],
    source: { data: basename(files.features), description: files.features },
  };
  // Rows of the test file follow those of the training file; none of them is ever trained on.
  const n = whole.labels.length;
  const examples = (rows: readonly number[]) =>
    test && rows.every((i) => i >= n)
      ? subset(
          test,
          rows.map((i) => i - n),
        )
      : rows.length === n
        ? whole
        : subset(whole, rows);
  const found = scoredTask(splits, examples, rest);
  const repeated = await repeatedRows(plain, files.features);
  return { ...found, warnings: [...found.warnings, ...repeated, ...(await duplicateWarnings(found))] };
}

function arrayExamples(
  path: string,
  labels: Int32Array,
  options: SourceOptions,
  { groups, shift }: { groups?: readonly string[] | undefined; shift?: Float64Array | undefined },
): Labelled {
  const matrix = npyMatrix(path, options, shift);
  if (labels.length !== matrix.rows) {
    throw new UserError(`${labels.length} labels for the ${matrix.rows} rows of ${path}: give one label per row`);
  }
  if (groups && groups.length !== matrix.rows) {
    throw new UserError(`${groups.length} groups for the ${matrix.rows} rows of ${path}: give every row a group`);
  }
  return {
    matrix,
    labels,
    files: Array.from({ length: matrix.rows }, (_, i) => `${basename(path)}#${i}`),
    ...(groups ? { groups } : {}),
  };
}

/** @param several whether a row may hold several values, which are joined by | */
async function readColumn(
  path: string,
  what: 'label' | 'group',
  encoding: string | undefined,
  several = false,
): Promise<string[]> {
  if (path.endsWith('.npy')) {
    const header = readNpyHeader(path);
    if (several && header.shape.length === 2) return joinedRows(path);
    if (header.shape.length !== 1) {
      throw new UserError(`${path} has shape (${header.shape.join(', ')}): labels and groups are one column`);
    }
    const values = readNpyData(path, header) as ArrayLike<number | bigint>;
    return Array.from(values, (v, i) => {
      if (!Number.isFinite(Number(v))) throw new UserError(`${path}: ${v} at row ${i} is not a label`);
      return String(v);
    });
  }
  // A row is one cell: labels may hold commas.
  const rows = parseCsvRows(await readTextFile(path, encoding), path, '');
  return rows.map(({ line, cells }, i) => {
    const before = i === 0 ? 0 : (rows[i - 1] as CsvRow).line;
    if (line > before + 1) throw new UserError(`${path} line ${before + 1} is empty: every row has a ${what}`);
    return (cells[0] as string).normalize('NFC');
  });
}

/** Rows of a two-dimensional array, their values with | between them. */
function joinedRows(path: string): string[] {
  const header = readNpyHeader(path);
  const [n = 0, columns = 0] = header.shape;
  const values = readNpyData(path, header) as ArrayLike<number | bigint>;
  const place = (i: number, k: number) => (header.fortranOrder ? k * n + i : i * columns + k);
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: columns }, (_, k) => {
      const value = values[place(i, k)] as number | bigint;
      if (!Number.isFinite(Number(value))) throw new UserError(`${path}: ${value} at row ${i} is not a number`);
      return String(value);
    }).join('|'),
  );
}

/** @param shift what to subtract from each feature: the training matrix's, for test rows */
function npyMatrix(path: string, options: SourceOptions, shift?: Float64Array): FeatureMatrix {
  const header = readNpyHeader(path);
  const [n, p] = header.shape;
  if (header.shape.length !== 2 || n === undefined || p === undefined) {
    throw new UserError(`${path} has shape (${header.shape.join(', ')}): features are (examples, features)`);
  }
  if (p === 0) throw new UserError(`${path} has no features (p = 0): give at least one column`);
  if (n === 0) throw new UserError(`${path} has no rows: give at least two examples`);
  const settings = { unitNorm: unit(options.normalisation), memory: options.memory };
  const base = { name: 'features', features: p, source: path };
  if (header.fortranOrder && (header.dtype === '<f4' || header.dtype === '<f2')) {
    const read = async (first: number, count: number, into: Float32Array) => {
      into.set(readNpyData(path, header, first * n, (first + count) * n) as Float32Array);
    };
    return new FeatureMatrix([{ ...base, read }], n, settings);
  }
  const { fortranOrder } = header;
  const block = arrayBlock(
    { ...base, rows: n, values: readNpyData(path, header), fortranOrder },
    { unitNorm: settings.unitNorm, shift },
  );
  return new FeatureMatrix([block], n, settings);
}
