/** Where probes get their features: a store written by extract. Anyone's .npy files: arrays.ts. */
import { basename } from 'node:path';
import { sha256, UserError } from '../base/index.js';
import { decideSplits, fitRows, joinEqual, type SplitRows, type Splits, splitDefaults } from '../data/index.js';
import {
  eachPool,
  type FeatureStore,
  holdsLabels,
  openStore,
  parsePool,
  poolName,
  readView,
  type StoredTap,
  type StoreMeta,
  type ViewedTap,
  viewOf,
} from '../features/index.js';
import type { ClassTargets } from '../record/index.js';
import { type FeatureBlock, FeatureMatrix } from '../solver/index.js';
import { rowHashes } from './duplicates.js';
import type { Normalisation } from './options.js';
import {
  type Inputs,
  type Labelled,
  lastTap,
  type ProbeSource,
  type ProbeTap,
  type ProbeTask,
  type ScoredTask,
  type UnlabelledTask,
} from './task.js';

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

/** Whether features are brought to unit length. */
export const unit = (n: Normalisation) => n.startsWith('unit');

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
  checkTaps(store);
  if (!holdsLabels(meta)) {
    throw new UserError(
      `${directory} holds no labels to learn from: extract again from a folder of classes or a table with a column label; toehold score needs none`,
    );
  }
  const { rows, places } = labelledRows(store);
  const splits = decideSplits(options.valued ? withoutClasses(rows) : rows, options);
  const pools = options.pools ? poolingsOf(options.pools) : targetsOf(meta);
  const views = (pools.length > 0 ? pools : [undefined]).map((spec) => viewOf(meta, spec));
  const weighed = !options.pools && pools.length > 0;
  if (weighed) views.push(viewOf(meta, eachPool));
  const settings = { ...options, memory: options.memory / views.length };
  const testImages = testImagesOf(
    meta,
    splits.test.map((i) => places[i] as PlaceInStore),
  );
  const source = { ...sourceOf(store, options), ...testImages };
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

/**
 * The images of a store that are not set apart for testing, whether it holds labels or not: none is read.
 * @throws UserError when there are none
 */
export async function inputsFromStore(directory: string, options: SourceOptions): Promise<UnlabelledTask> {
  const store = await openStore(directory);
  const { meta } = store;
  checkTaps(store);
  const all = Object.keys(meta.splits).flatMap((split) => placesOf(meta, split));
  // A share is held out to score predictions. Here nothing is predicted, and nothing held out that labels would have to divide.
  const { testSplit } = options;
  const rows = { splits: all.map(({ split }) => split), labels: [] };
  const places = fitRows(decideSplits(rows, { testSplit, holdout: 0 })).map((i) => all[i] as PlaceInStore);
  const [asked] = options.pools ? poolingsOf(options.pools) : targetsOf(meta).map(() => eachPool);
  const { pool, taps } = viewOf(meta, asked);
  const stored = ({ split }: PlaceInStore) => store.split(split);
  return {
    train: {
      matrix: storeMatrix(store, places, taps, options),
      files: places.map((place) => stored(place).files[place.row] as string),
    },
    hashes: places.map((place) => stored(place).hashes[place.row] as string),
    taps: taps.map(describe),
    source: sourceOf(store, options),
    ...(asked === undefined ? {} : { pool }),
  };
}

function checkTaps({ directory, meta }: FeatureStore): void {
  if (meta.taps.length === 0) throw new UserError(`${directory} holds no taps (p = 0): extract with --taps default`);
}

function sourceOf({ directory, meta }: FeatureStore, { pools }: SourceOptions): ProbeSource {
  const { name, path, sha256, macs, params } = meta.model;
  const data = basename(meta.data.root);
  return {
    store: directory,
    key: meta.key,
    model: { name, path, sha256, macs, params },
    input: meta.preprocess.size[0],
    data,
    description: `${name}, ${meta.taps.length} taps, pool ${pools?.join(' or ') ?? meta.pool}, ${data}`,
  };
}

/** Rows whose labels are no classes, so that shares of none are kept. */
export function withoutClasses(rows: SplitRows): SplitRows {
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
export function scoredTask(
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
  const targets: ClassTargets = { kind: 'class', classes: rest.classes, labels, groups };
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
export function subset(examples: Labelled, rows: readonly number[]): Labelled;
export function subset(examples: Inputs & Partial<Labelled>, rows: readonly number[]): Inputs & Partial<Labelled>;
export function subset(examples: Inputs & Partial<Labelled>, rows: readonly number[]): Inputs & Partial<Labelled> {
  const { matrix, labels, files, groups, control } = examples;
  return {
    matrix: matrix.take(rows),
    ...(labels ? { labels: Int32Array.from(rows, (i) => labels[i] as number) } : {}),
    files: rows.map((i) => files[i] as string),
    ...(groups ? { groups: rows.map((i) => groups[i] as string) } : {}),
    ...(control ? { control: control.take(rows) } : {}),
  };
}

/** Equal rows are of one group; a row that has no group is its own. */
export async function withEqualTogether(examples: Labelled): Promise<Labelled> {
  const joined = joinEqual(examples.groups, await rowHashes(examples.matrix));
  return joined ? { ...examples, groups: joined.map((group, i) => group ?? `row ${i}`) } : examples;
}
