/** Where probes get their features: a store written by extract, or anyone's .npy files. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileError, UserError } from '../base/index.js';
import { holdout } from '../data/index.js';
import { type FeatureStore, openStore, readNpyData, readNpyHeader, type StoredTap } from '../features/index.js';
import { type FeatureBlock, FeatureMatrix } from '../solver/index.js';
import type { Normalisation } from './options.js';
import { type Inputs, type Labelled, lastTap, type ProbeTap, type ProbeTask, type ScoredTask } from './task.js';

export interface SourceOptions {
  normalisation: Normalisation;
  /** Bytes of feature values held at once. */
  memory: number;
  /** Share of the training examples set apart as the test set where there is none. */
  holdout: number;
  seed: number;
}
export const sourceDefaults: SourceOptions = { normalisation: 'unit', memory: 2 ** 31, holdout: 0.2, seed: 0 };

const unit = (n: Normalisation) => n.startsWith('unit');

/**
 * @param directory a store with split 'train' and perhaps 'test'
 * @param second store of another backbone on the same images, for method control
 * @throws UserError when the stores do not hold the same images
 */
export async function taskFromStore(directory: string, options: SourceOptions, second?: string): Promise<ScoredTask> {
  const store = await openStore(directory);
  const other = second === undefined ? undefined : await openStore(second);
  const { meta } = store;
  if (!meta.splits.train) {
    throw new UserError(`${directory} has no split 'train'; it has ${Object.keys(meta.splits).join(', ')}`);
  }
  const taps = meta.taps.map(describe);
  if (taps.length === 0) throw new UserError(`${directory} holds no taps (p = 0): extract with --taps default`);
  const examples = (split: string): Labelled => {
    const stored = store.split(split);
    const labels = Int32Array.from(stored.labels);
    return {
      matrix: storeMatrix(store, split, meta.taps, options),
      labels,
      files: stored.files,
      ...(stored.groups ? { groups: stored.groups } : {}),
      ...(other ? { control: controlMatrix(store, other, split, options) } : {}),
    };
  };
  const whole = examples('train');
  const test = meta.splits.test ? examples('test') : undefined;
  const { name, path, sha256, macs, params } = meta.model;
  return scoredTask(test ? { train: whole, test } : await heldOut(whole, meta.classes, options), {
    classes: meta.classes,
    taps,
    source: {
      store: directory,
      key: meta.key,
      model: { name, path, sha256, macs, params },
      description: `${name}, ${meta.taps.length} taps, pool ${meta.pool}, ${meta.data.root}`,
    },
  });
}

/** Takes the labels of the test examples away from what probes see. */
function scoredTask(
  { train, test }: { train: Labelled; test: Labelled | undefined },
  rest: Pick<ProbeTask, 'classes' | 'taps' | 'source'>,
): ScoredTask {
  const { classes } = rest;
  const split = `train ${train.labels.length}${test ? `, test ${test.labels.length}` : ', no test examples'}`;
  if (!test) return { task: { ...rest, train }, split, warnings: [] };
  const { matrix, files, control, labels } = test;
  const inputs: Inputs = { matrix, files, ...(control ? { control } : {}) };
  return { task: { ...rest, train, test: inputs }, targets: { kind: 'class', classes, labels }, split, warnings: [] };
}

function describe(tap: StoredTap): ProbeTap {
  const { alias, name, features, depth, macs, params, pieces } = tap;
  return { alias, name, features, depth, macs, params, pieces };
}

function storeMatrix(
  store: FeatureStore,
  split: string,
  taps: readonly StoredTap[],
  options: SourceOptions,
): FeatureMatrix {
  const { n } = store.split(split);
  const blocks = taps.map(
    (tap): FeatureBlock => ({
      name: tap.alias,
      features: tap.features,
      source: store.path(split, tap),
      read: async (first, count, into) => {
        await store.read(split, tap, first, count, into);
      },
    }),
  );
  return new FeatureMatrix(blocks, n, { unitNorm: unit(options.normalisation), memory: options.memory });
}

function controlMatrix(store: FeatureStore, other: FeatureStore, split: string, options: SourceOptions): FeatureMatrix {
  const [own, theirs] = [store.split(split), other.split(split)];
  const same = own.files.length === theirs.files.length && own.files.every((file, i) => file === theirs.files[i]);
  if (!same) {
    throw new UserError(
      `${other.directory} does not hold the images of ${store.directory} in the same order: extract both from one data set`,
    );
  }
  const tap = other.meta.taps[lastTap(other.meta.taps.map(describe))];
  if (!tap) throw new UserError(`${other.directory} holds no taps`);
  return storeMatrix(other, split, [tap], options);
}

/** Splits the training examples where there is no test set. Groups stay together. */
async function heldOut(
  whole: Labelled,
  classes: readonly string[],
  { holdout: fraction, seed }: SourceOptions,
): Promise<{ train: Labelled; test: Labelled | undefined }> {
  if (fraction === 0) return { train: whole, test: undefined };
  const fold = holdout({ labels: whole.labels, groups: whole.groups, classes }, { fraction, seed });
  return { train: await subset(whole, fold.train), test: await subset(whole, fold.validation) };
}

/** The given examples, with their features in memory. */
export async function subset(examples: Labelled, rows: readonly number[]): Promise<Labelled> {
  const { matrix, labels, files, groups, control } = examples;
  return {
    matrix: rowsOf(matrix, rows),
    labels: Int32Array.from(rows, (i) => labels[i] as number),
    files: rows.map((i) => files[i] as string),
    ...(groups ? { groups: rows.map((i) => groups[i] as string) } : {}),
    ...(control ? { control: rowsOf(control, rows) } : {}),
  };
}

function rowsOf(matrix: FeatureMatrix, rows: readonly number[]): FeatureMatrix {
  const n = matrix.rows;
  const blocks = matrix.blocks.map((block): FeatureBlock => {
    const read = async (first: number, count: number, into: Float32Array) => {
      const whole = block.data?.subarray(first * n, (first + count) * n) ?? new Float32Array(count * n);
      if (!block.data) await block.read?.(first, count, whole);
      for (let k = 0, at = 0; k < count; k++) {
        for (const row of rows) into[at++] = whole[k * n + row] as number;
      }
    };
    return {
      name: block.name,
      features: block.features,
      ...(block.source === undefined ? {} : { source: block.source }),
      read,
    };
  });
  return new FeatureMatrix(blocks, rows.length, matrix.options);
}

export interface ArrayFiles {
  features: string;
  labels: string;
  testFeatures?: string | undefined;
  testLabels?: string | undefined;
  groups?: string | undefined;
}

/** X (n, p) and y (n) as .npy files; labels and groups may also be text, one per line. */
export async function taskFromArrays(files: ArrayFiles, options: SourceOptions): Promise<ScoredTask> {
  if ((files.testFeatures === undefined) !== (files.testLabels === undefined)) {
    throw new UserError('--test-features and --test-labels belong together: give both or neither');
  }
  const trainLabels = await readColumn(files.labels);
  const testLabels = files.testLabels === undefined ? undefined : await readColumn(files.testLabels);
  const classes = classNames([...trainLabels, ...(testLabels ?? [])]);
  const numberOf = new Map(classes.map((name, k) => [name, k]));
  const examples = async (path: string, labels: readonly string[], groups?: readonly string[]): Promise<Labelled> => {
    const matrix = npyMatrix(path, options);
    if (labels.length !== matrix.rows) {
      throw new UserError(`${labels.length} labels for the ${matrix.rows} rows of ${path}: give one label per row`);
    }
    if (groups && groups.length !== matrix.rows) {
      throw new UserError(`${groups.length} groups for the ${matrix.rows} rows of ${path}: give every row a group`);
    }
    return {
      matrix,
      labels: Int32Array.from(labels, (name) => numberOf.get(name) as number),
      files: Array.from({ length: matrix.rows }, (_, i) => `${basename(path)}#${i}`),
      ...(groups ? { groups } : {}),
    };
  };
  const groups = files.groups === undefined ? undefined : await readColumn(files.groups);
  const whole = await examples(files.features, trainLabels, groups);
  const test =
    files.testFeatures === undefined ? undefined : await examples(files.testFeatures, testLabels as string[]);
  return scoredTask(test ? { train: whole, test } : await heldOut(whole, classes, options), {
    classes,
    taps: [{ alias: 'features', name: basename(files.features), features: whole.matrix.features }],
    source: { description: files.features },
  });
}

/** Names in numeric order where all are numbers, else alphabetical. */
function classNames(labels: readonly string[]): string[] {
  const names = [...new Set(labels)];
  const numeric = names.every((name) => name.trim() !== '' && Number.isFinite(Number(name)));
  return names.sort(numeric ? (a, b) => Number(a) - Number(b) : (a, b) => (a < b ? -1 : 1));
}

async function readColumn(path: string): Promise<string[]> {
  if (path.endsWith('.npy')) {
    const header = readNpyHeader(path);
    if (header.shape.length !== 1) {
      throw new UserError(`${path} has shape (${header.shape.join(', ')}): labels and groups are one column`);
    }
    const values = readNpyData(path, header) as ArrayLike<number | bigint>;
    return Array.from(values, (v, i) => {
      if (!Number.isFinite(Number(v))) throw new UserError(`${path}: ${v} at row ${i} is no label`);
      return String(v);
    });
  }
  try {
    const text = await readFile(path, 'utf8');
    return text.replace(/\r?\n$/, '').split(/\r?\n/);
  } catch (error) {
    throw fileError(error, path);
  }
}

function npyMatrix(path: string, options: SourceOptions): FeatureMatrix {
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
  const values = readNpyData(path, header) as ArrayLike<number | bigint>;
  const data = new Float32Array(n * p);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < p; j++) data[j * n + i] = Number(values[header.fortranOrder ? j * n + i : i * p + j]);
  }
  return new FeatureMatrix([{ ...base, data }], n, settings);
}
