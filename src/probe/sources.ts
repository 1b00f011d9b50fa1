/** Where probes get their features: a store written by extract, or anyone's .npy files. */
import { basename } from 'node:path';
import { type CsvRow, parseCsvRows, readTextFile, sha256, UserError } from '../base/index.js';
import {
  checkLabels,
  decideSplits,
  fitRows,
  joinEqual,
  type SplitRows,
  type Splits,
  sortLabels,
  splitDefaults,
} from '../data/index.js';
import {
  eachPool,
  type FeatureStore,
  openStore,
  parsePool,
  poolName,
  readNpyData,
  readNpyHeader,
  readView,
  type StoredTap,
  type StoreMeta,
  type ViewedTap,
  viewOf,
} from '../features/index.js';
import type { Targets } from '../record/index.js';
import { arrayBlock, type FeatureBlock, FeatureMatrix } from '../solver/index.js';
import { duplicateWarnings, repeatedRows, rowHashes } from './duplicates.js';
import type { Normalisation } from './options.js';
import { type Inputs, type Labelled, lastTap, type ProbeTap, type ProbeTask, type ScoredTask } from './task.js';

/** How features are read. */
export interface SourceOptions {
  normalisation: Normalisation;
  /** Bytes of feature values held at once. */
  memory: number;
  /** Share of train and val set apart as the test set where there is none; 0: no test set. */
  holdout: number;
  /** The split to test on, where it is not 'test'. */
  testSplit: string | undefined;
  /** Poolings of a store to choose from, each a part of what it holds (see viewOf); the whole of it by default. */
  pools: readonly string[] | undefined;
  /** Of text files of labels and groups: see readTextFile. */
  encoding?: string | undefined;
  /** Labels are values or sets of names, not classes: splits do not keep their shares. */
  valued?: boolean | undefined;
}
/** What holds where nothing is said. */
export const sourceDefaults: SourceOptions = {
  normalisation: 'unit',
  memory: 2 ** 31,
  holdout: splitDefaults.holdout,
  testSplit: undefined,
  pools: undefined,
};

const unit = (n: Normalisation) => n.startsWith('unit');

/** One example of a store. */
interface PlaceInStore {
  readonly split: string;
  readonly row: number;
}

/**
 * @param directory a store with split 'train'; what is tested on is decided as everywhere (see data/splits.ts)
 * @param second store of another backbone on the same images, for method control
 * @throws UserError when the stores do not hold the same images
 */
export async function taskFromStore(directory: string, options: SourceOptions, second?: string): Promise<ScoredTask> {
  const store = await openStore(directory);
  const other = second === undefined ? undefined : await openStore(second);
  const { meta } = store;
  if (meta.taps.length === 0) throw new UserError(`${directory} holds no taps (p = 0): extract with --taps default`);
  const { rows, places } = labelledRows(store);
  const splits = decideSplits(options.valued ? withoutClasses(rows) : rows, options);
  const pools = options.pools ? poolingsOf(options.pools) : targetsOf(meta);
  const views = (pools.length > 0 ? pools : [undefined]).map((spec) => viewOf(meta, spec));
  const weighed = !options.pools && pools.length > 0;
  if (weighed) views.push(viewOf(meta, eachPool));
  const settings = { ...options, memory: options.memory / views.length };
  const { name, path, sha256, macs, params } = meta.model;
  const data = basename(meta.data.root);
  const source = {
    store: directory,
    key: meta.key,
    model: { name, path, sha256, macs, params },
    input: meta.preprocess.size[0],
    ...testImagesOf(
      meta,
      splits.test.map((i) => places[i] as PlaceInStore),
    ),
    data,
    description: `${name}, ${meta.taps.length} taps, pool ${options.pools?.join(' or ') ?? meta.pool}, ${data}`,
  };
  const found = views.map(({ pool, taps }) => {
    const inputs = (chosen: readonly PlaceInStore[]): Inputs => ({
      matrix: storeMatrix(store, chosen, taps, settings),
      files: chosen.map(({ split, row }) => store.split(split).files[row] as string),
      ...(other ? { control: controlMatrix(store, other, chosen, settings) } : {}),
    });
    const examples = (chosen: readonly number[]): Labelled => {
      const at = chosen.map((i) => places[i] as PlaceInStore);
      const groups = groupsOf(meta, at);
      return {
        ...inputs(at),
        labels: Int32Array.from(chosen, (i) => rows.labels[i] as number),
        ...(groups ? { groups } : {}),
      };
    };
    const own = scoredTask(splits, examples, { classes: meta.classes, taps: taps.map(describe), source });
    // A test split without labels (a study keeps these apart) can be predicted, not scored.
    const unlabelled = !own.task.test && rows.unlabelled?.has('test') === true;
    const test = unlabelled ? { test: inputs(placesOf(meta, 'test')) } : {};
    return { ...own, task: { ...own.task, ...test, ...(pools.length > 0 ? { pool } : {}) } };
  });
  const each = weighed ? found.pop()?.task : undefined;
  const [first, ...poolings] = found as [ScoredTask, ...ScoredTask[]];
  if (poolings.length === 0) return first;
  return { ...first, task: { ...first.task, poolings: poolings.map(({ task }) => task), ...(each && { each }) } };
}

/** Rows whose labels are no classes, so that shares of none are kept. */
function withoutClasses(rows: SplitRows): SplitRows {
  return { ...rows, labels: Array.from(rows.labels, () => 0), classes: [''] };
}

/** The target sizes of a store that holds several: one more setting to choose. */
function targetsOf({ pool }: StoreMeta): string[] {
  const targets = parsePool(pool).filter((item) => item.kind === 'target');
  return targets.length > 1 ? targets.map(poolName) : [];
}

/** Pool specs, `gap+max` for two that are read together, as viewOf takes them; `mean+cls` is the pooling of that name. */
function poolingsOf(pools: readonly string[]): string[] {
  const specs = pools.map((pool) => pool.replaceAll(/(?<!\bmean)\+|\+(?!cls\b)/g, ','));
  const repeated = pools.find((_, i) => specs.indexOf(specs[i] as string) !== i);
  if (repeated !== undefined) throw new UserError(`--pool names '${repeated}' twice: name each pooling once`);
  return specs;
}

/** The parts of a task that the splits decide; the labels of test examples stand beside what probes see. */
function scoredTask(
  splits: Splits,
  examples: (rows: readonly number[]) => Labelled,
  rest: Pick<ProbeTask, 'classes' | 'taps' | 'source'>,
): ScoredTask {
  const { validation, test: testRows, sentence: split, warnings } = splits;
  const fit = fitRows(splits);
  const held = new Set(validation);
  const task: ProbeTask = {
    ...rest,
    train: examples(fit),
    ...(validation ? { validation: fit.flatMap((row, i) => (held.has(row) ? [i] : [])) } : {}),
  };
  if (testRows.length === 0) return { task, split, warnings };
  const { matrix, files, control, labels, groups } = examples(testRows);
  const test: Inputs = { matrix, files, ...(control ? { control } : {}) };
  const targets: Targets = { kind: 'class', classes: rest.classes, labels, groups };
  return { task: { ...task, test }, targets, split, warnings };
}

function placesOf(meta: StoreMeta, split: string): PlaceInStore[] {
  return Array.from({ length: meta.splits[split]?.n ?? 0 }, (_, row) => ({ split, row }));
}

/** What tells the test images of one run from those of another. */
function testImagesOf({ splits }: StoreMeta, places: readonly PlaceInStore[]): { testImages?: string } {
  if (places.length === 0) return {};
  return { testImages: sha256(places.map(({ split, row }) => splits[split]?.hashes[row] ?? '').join('\n')) };
}

/** Every example of the store that has a label, as the split policy takes them, and where it stands. */
function labelledRows(store: FeatureStore): { rows: SplitRows; places: PlaceInStore[] } {
  const { meta } = store;
  const names = Object.keys(meta.splits);
  const labelled = names.filter((name) => meta.splits[name]?.labels);
  const places = labelled.flatMap((name) => placesOf(meta, name));
  const rows = {
    splits: places.map(({ split }) => split),
    names: places.map(({ split, row }) => meta.splits[split]?.files[row] as string),
    labels: labelled.flatMap((name) => Array.from(store.labels(name))),
    groups: groupsOf(meta, places),
    classes: meta.classes,
    unlabelled: new Map(
      names.filter((name) => !labelled.includes(name)).map((name) => [name, meta.splits[name]?.n as number] as const),
    ),
  };
  return { rows, places };
}

/** Groups of examples, undefined when no two belong together. */
function groupsOf(meta: StoreMeta, places: readonly PlaceInStore[]): string[] | undefined {
  const own = places.map(({ split, row }) => meta.splits[split]?.groups?.[row]);
  const hashes = places.map(({ split, row }) => meta.splits[split]?.hashes[row] ?? `${split} ${row}`);
  const joined = joinEqual(own, hashes);
  return joined && places.map(({ split, row }, i) => joined[i] ?? (meta.splits[split]?.files[row] as string));
}

function describe(tap: StoredTap): ProbeTap {
  const { alias, name, features, depth, macs, params, pieces } = tap;
  return { alias, name, features, depth, macs, params, pieces };
}

/** Features of the given examples, those of one split side by side. */
function storeMatrix(
  store: FeatureStore,
  places: readonly PlaceInStore[],
  taps: readonly ViewedTap[],
  options: SourceOptions,
): FeatureMatrix {
  const parts = [...new Set(places.map(({ split }) => split))].map((split) => ({
    split,
    rows: places.flatMap((place, at) => (place.split === split ? [{ row: place.row, at }] : [])),
  }));
  const [first] = parts;
  const isWhole = first && parts.length === 1 && first.rows.length === store.split(first.split).n;
  const n = places.length;
  const blocks = taps.map(
    (tap): FeatureBlock => ({
      name: tap.alias,
      features: tap.features,
      source: store.path(first?.split ?? '', tap.stored),
      read: async (from, count, into) => {
        if (isWhole) await readView(store, first.split, tap, from, count, into);
        else
          for (const { split, rows } of parts)
            pick(await readView(store, split, tap, from, count), count, rows, into, n);
      },
    }),
  );
  return new FeatureMatrix(blocks, n, { unitNorm: unit(options.normalisation), memory: options.memory });
}

/** Copies rows of `values`, (count, n of the split), to their places in `into`, (count, n). */
function pick(
  values: Float32Array,
  count: number,
  rows: readonly { readonly row: number; readonly at: number }[],
  into: Float32Array,
  n: number,
): void {
  const whole = values.length / count;
  for (let k = 0; k < count; k++) {
    for (const { row, at } of rows) into[k * n + at] = values[k * whole + row] as number;
  }
}

function controlMatrix(
  store: FeatureStore,
  other: FeatureStore,
  places: readonly PlaceInStore[],
  options: SourceOptions,
): FeatureMatrix {
  for (const split of new Set(places.map((place) => place.split))) {
    const [own, theirs] = [store.split(split), other.split(split)];
    const same = own.files.length === theirs.files.length && own.files.every((file, i) => file === theirs.files[i]);
    if (same) continue;
    throw new UserError(
      `${other.directory} does not hold the images of ${store.directory} in the same order: extract both from one data set`,
    );
  }
  const { taps } = viewOf(other.meta);
  const tap = taps[lastTap(taps.map(describe))];
  if (!tap) throw new UserError(`${other.directory} holds no taps`);
  return storeMatrix(other, places, [tap], options);
}

/** The given examples, with their features read when they are needed. */
export function subset(examples: Labelled, rows: readonly number[]): Labelled {
  const { matrix, labels, files, groups, control } = examples;
  return {
    matrix: matrix.take(rows),
    labels: Int32Array.from(rows, (i) => labels[i] as number),
    files: rows.map((i) => files[i] as string),
    ...(groups ? { groups: rows.map((i) => groups[i] as string) } : {}),
    ...(control ? { control: control.take(rows) } : {}),
  };
}

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

/** Equal rows are of one group; a row that has no group is its own. */
export async function withEqualTogether(examples: Labelled): Promise<Labelled> {
  const joined = joinEqual(examples.groups, await rowHashes(examples.matrix));
  return joined ? { ...examples, groups: joined.map((group, i) => group ?? `row ${i}`) } : examples;
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
  if (header.fortranOrder && header.dtype === '<f4') {
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
