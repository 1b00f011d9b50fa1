/**
 * One ONNX file from image to class probabilities, or to values: preprocessing, the backbone up to the deepest tap that the probe
 * reads, pooling, normalisation, the selected features and the head. Everything before the head is float32 as in the
 * extraction pass; the head is float64, as the probe was fitted and scored.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { nearest, UserError } from '../base/index.js';
import { normaliseInput, parsePreprocess, preprocessImage } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  type Backbone,
  eachPool,
  type FeatureStore,
  loadBackbone,
  openStore,
  type PooledView,
  parsePool,
  pooledOutput,
  poolTaps,
  type StoreMeta,
  specialiseBackbone,
  tappedGraph,
  tapsOf,
  type ViewedTap,
  viewOf,
} from '../features/index.js';
import { float32, type Graph, GraphBuilder, int64, networkHash, prune, replaceInput } from '../graph/index.js';
import { type RunRecord, readRecord } from '../record/index.js';
import { foldNormalisation, type LinearModel } from '../solver/index.js';
import { weightsFile } from './files.js';
import { methods } from './methods/index.js';
import { readNpz } from './npz.js';
import { ProbeConfig } from './record.js';
import { readValued } from './targets/files.js';
import type { TargetKind } from './targets/kinds.js';

/** Keys of the metadata of an exported head. */
export const exportedKeys = {
  /** Names of classes; of labels, of which several may be true. */
  classes: 'toehold.classes',
  /** Names of real values. */
  values: 'toehold.values',
  /** What the names stand for; classes where absent. */
  target: 'toehold.target',
  method: 'toehold.method',
  source: 'toehold.source',
  model: 'toehold.model.sha256',
  deepestTap: 'toehold.deepestTap',
} as const;

export interface ExportOptions {
  /** Method of the run; by default the one that ranks features (head2toe), else the first. */
  method?: string | undefined;
  /** The backbone's file, when it is no longer where it was at extraction. */
  model?: string | undefined;
  /** The feature store, when it has moved. */
  store?: string | undefined;
  /**
   * Which image the graph reads: any, which it resizes as the extraction did (uint8 [H, W, 3]), or one that was resized
   * before (uint8 [1, h, w, 3]), for runtimes without what resizing needs.
   */
  image?: 'any' | 'resized' | undefined;
}

/** A run's head with the backbone and the store that it reads. */
export interface OpenedExport {
  readonly run: SavedRun;
  readonly head: SavedHead;
  readonly store: FeatureStore;
  /** The backbone's file. */
  readonly path: string;
  readonly view: PooledView;
  /** Features that the head reads, by tap, in the head's order. */
  readonly chosen: readonly ChosenTap[];
  /** Whether every tap of an example is divided by its norm. */
  readonly unitNorm: boolean;
}

/** A tap as a head reads it: where its features lie among those that the pass gives of it. */
export type HeadTap = Pick<ViewedTap, 'name' | 'alias' | 'features' | 'runs'> & {
  readonly stored: Pick<ViewedTap['stored'], 'features'>;
};

/** The features of one tap that a head reads. */
export interface ChosenTap<Tap extends HeadTap = ViewedTap> {
  readonly tap: Tap;
  /** Places within the tap, ascending. */
  readonly positions: readonly number[];
}

/** A probe and what it reads: all that its deployable file is made of. */
export interface HeadRequest {
  readonly backbone: Backbone;
  readonly method: string;
  readonly target: TargetKind;
  /** Names of classes, labels or values. */
  readonly outputs: readonly string[];
  /** What its features are of, for the metadata. */
  readonly source: string;
  /** Spec of the pass that its features are from. */
  readonly pool: string;
  /** Taps that it reads, in order, and which of their features. */
  readonly chosen: readonly ChosenTap<HeadTap>[];
  /** Whether its taps are parts of what `pool` gives of a value (see views.ts). */
  readonly parts: boolean;
  readonly unitNorm: boolean;
  readonly head: LinearHead;
}

/** What an exported file may say of an image beside its class. */
export interface Explained {
  /**
   * (taps, K): what each tap's part of the logits is on an average training image, less its mean over classes. The output
   * `layers` (taps, K) is the same of the image, less this: its rows add up to what sets the image's logits apart.
   */
  readonly baseline: Float64Array;
  /** An affine map of the head's features (p) to the output `embedding` (d): features * weights - offset. */
  readonly embedding?: { readonly weights: Float32Array; readonly offset: Float32Array };
}

/** The head of one method: logits = sum over features of value * W + b, calibrated: divided by the fit's temperature. */
export interface LinearHead {
  /** Ascending. */
  readonly features: Int32Array;
  /** (features.length, K). */
  readonly weights: Float64Array;
  readonly intercept: Float64Array;
}

/** A fitted linear model on the features as they are, calibrated. */
export function linearHead(model: LinearModel, temperature = 1): LinearHead {
  const { weights, intercept } = foldNormalisation(model);
  return { features: model.indices, ...calibrated(weights, intercept, temperature) };
}

function calibrated(weights: Float64Array, intercept: Float64Array, temperature: number) {
  return { weights: weights.map((w) => w / temperature), intercept: intercept.map((v) => v / temperature) };
}

export interface SavedHead extends LinearHead {
  readonly method: string;
  /** Pooling of the features that it reads; as the store has them by default. */
  readonly pool: string | undefined;
  /** What logits were divided by, in the weights already. */
  readonly temperature: number;
}

/** What the folder of a probe says of its making. */
export interface SavedRun {
  readonly target: TargetKind;
  /** Names of classes, labels or values. */
  readonly outputs: readonly string[];
  readonly source: z.infer<typeof ProbeConfig>['source'];
  readonly normalisation: string;
  /** Ids of its methods, in order. */
  readonly methods: readonly string[];
  /** Pooling of the features that a method reads, where it is one of several. */
  readonly poolOf: (method: string) => string | undefined;
  /** Of probes of classes. */
  readonly record?: RunRecord | undefined;
}

/**
 * @param directory what `probe -o` wrote
 * @throws UserError when the run was not on a store, or model or store changed since
 */
export async function exportProbe(
  engine: Engine,
  directory: string,
  options: ExportOptions = {},
): Promise<{ graph: Graph; method: string; deepest: string }> {
  const opened = await openExport(directory, options);
  const { graph, deepest } = await exportedGraph(engine, opened, undefined, options.image);
  return { graph, method: opened.head.method, deepest };
}

/** What `exportProbe` reads. @throws UserError as there */
export async function openExport(directory: string, options: ExportOptions = {}): Promise<OpenedExport> {
  const run = await readRun(directory);
  const head = await readHead(directory, run, options.method);
  const { source } = run;
  const storePath = options.store ?? source.store;
  if (storePath === undefined || !source.model) {
    throw new UserError(
      `${directory} holds a probe on plain arrays: only a probe on a feature store knows its backbone; run toehold extract and toehold probe STORE`,
    );
  }
  const opened = await openStore(storePath);
  const { meta } = opened;
  if (meta.key !== source.key) {
    throw new UserError(`${storePath} is not the store that ${directory} was computed from: run toehold probe again`);
  }
  const path = options.model ?? meta.model.path;
  await checkBackbone(meta, path);
  const view = viewOf(meta, head.pool);
  const unitNorm = run.normalisation.startsWith('unit');
  return { run, head, store: opened, path, view, chosen: featuresByTap(view.taps, head), unitNorm };
}

/** @throws UserError when the file is not there, or is another than the store's features are of */
async function checkBackbone(meta: StoreMeta, path: string): Promise<void> {
  const hash = await networkHash(path).catch(() => {
    throw new UserError(`the backbone is no longer at ${path}: say where it is with --model FILE`);
  });
  if (hash !== meta.model.sha256) {
    throw new UserError(
      `${path} is another model than the features were extracted with: give the same file with --model`,
    );
  }
}

/** The backbone that a store's features are of, as it was. @throws UserError when its file is not there, or is another */
export async function backboneOf(engine: Engine, meta: StoreMeta): Promise<Backbone> {
  const { path } = meta.model;
  await checkBackbone(meta, path);
  return openBackbone(engine, meta, path);
}

async function openBackbone(engine: Engine, meta: StoreMeta, path: string): Promise<Backbone> {
  const preprocess = parsePreprocess(meta.preprocess, 'the preprocessing of the store');
  return { ...(await loadBackbone(path, engine)), preprocess };
}

async function readRun(directory: string): Promise<SavedRun> {
  const valued = await readValued(directory);
  if (valued) {
    const { target, outputs, source, normalisation, pool, methods: own } = valued;
    return { target, outputs, source, normalisation, methods: own.map(({ method }) => method), poolOf: () => pool };
  }
  const record = await readRecord(directory);
  const config = ProbeConfig.safeParse(record.run.config);
  if (record.protocol !== 'probe' || !config.success) {
    throw new UserError(`${directory} is not the folder of a probe: run toehold probe STORE -o ${directory} first`);
  }
  const { source, options } = config.data;
  const [task] = record.tasks;
  return {
    target: 'class',
    outputs: task?.target.classes ?? [],
    source,
    normalisation: options.normalisation,
    methods: record.methods.map((m) => m.id),
    record,
    poolOf: (method) => {
      const cell = task?.cells.find((c) => c.method === method);
      return cell?.status === 'done' ? cell.pool : undefined;
    },
  };
}

async function readHead(directory: string, run: SavedRun, wanted: string | undefined): Promise<SavedHead> {
  const names = run.methods;
  const method = wanted ?? names.find((id) => methods.some((m) => m.ranks && m.card.id === id)) ?? names[0];
  if (method === undefined || !names.includes(method)) {
    const guess = nearest(method ?? '', names);
    throw new UserError(
      `${directory} has no method '${method}'; ${guess ? `did you mean '${guess}'?` : `it has ${names.join(', ')}`}`,
    );
  }
  const path = join(directory, weightsFile(method));
  if (!existsSync(path)) {
    throw new UserError(
      `method ${method} of ${directory} is not a linear probe on one backbone: it cannot be exported`,
    );
  }
  const { W, b, features, temperature } = await readNpz(path);
  const [n, K] = [features?.data.length, run.outputs.length];
  const fits = W?.shape.length === 2 && W.shape[0] === n && W.shape[1] === K && b?.data.length === K;
  if (!W || !b || !features || !fits || ![W, b].every(({ data }) => data.every(Number.isFinite))) {
    throw new UserError(
      `${path} does not hold the weights of ${K} ${run.target === 'class' ? 'classes' : 'outputs'}: run probe -o again`,
    );
  }
  // Heads of version 0.1 have none.
  const calibration = Number(temperature?.data[0] ?? 1);
  return {
    method,
    pool: run.poolOf(method),
    features: Int32Array.from(features.data),
    ...calibrated(Float64Array.from(W.data), Float64Array.from(b.data), calibration),
    temperature: calibration,
  };
}

/** Selected features by tap: positions within the tap, and their rows in the head. */
export function featuresByTap<Tap extends HeadTap>(
  taps: readonly Tap[],
  { features }: Pick<LinearHead, 'features'>,
): ChosenTap<Tap>[] {
  const result: { tap: Tap; positions: number[] }[] = [];
  let first = 0;
  let at = 0;
  for (const tap of taps) {
    const positions: number[] = [];
    while (at < features.length && (features[at] as number) < first + tap.features) {
      positions.push((features[at++] as number) - first);
    }
    if (positions.length > 0) result.push({ tap, positions });
    first += tap.features;
  }
  return result;
}

/** @param explained adds the outputs `layers` and, where it has one, `embedding` */
export async function exportedGraph(
  engine: Engine,
  { run, head, store: { meta }, path, view, chosen, unitNorm }: OpenedExport,
  explained?: Explained,
  image?: ExportOptions['image'],
): Promise<{ graph: Graph; deepest: string }> {
  const { target, outputs, source } = run;
  const parts = view.pool === eachPool;
  const request: HeadRequest = {
    backbone: await openBackbone(engine, meta, path),
    method: head.method,
    ...{ target, outputs, chosen, parts, unitNorm, head },
    source: source.description,
    pool: parts ? meta.pool : view.pool,
  };
  return headGraph(engine, request, explained, image);
}

/** The deployable file of a probe. @throws UserError when a tap is not in the backbone */
export async function headGraph(
  engine: Engine,
  { backbone, method, target, outputs, source, pool, chosen, parts: isOfParts, unitNorm, head }: HeadRequest,
  explained?: Explained,
  image: ExportOptions['image'] = 'any',
): Promise<{ graph: Graph; deepest: string }> {
  const { preprocess, path } = backbone;
  const { taps } = await tapsOf(backbone, engine);
  const items = parsePool(pool);
  const used = chosen.map(({ tap }) => {
    const found = taps.find((t) => t.name === tap.name);
    if (!found) throw new UserError(`tap '${tap.alias}' is not in ${path} any more`);
    return found;
  });
  const network = await specialiseBackbone(backbone, engine, 1);
  const tapped = tappedGraph(network, poolTaps([...new Set(used)], items), items);
  const isAny = image === 'any';
  const shape = isAny ? (['H', 'W', 3] as const) : ([1, ...preprocess.size, 3] as const);
  const whole = replaceInput(tapped, { name: 'image', type: 'uint8', shape }, (b, pixels) =>
    isAny ? preprocessImage(b, pixels, preprocess) : normaliseInput(b, pixels, preprocess),
  );
  const b = new GraphBuilder(whole, 'probe');
  b.clearOutputs();
  const parts = chosen.map(({ tap: { features, runs, stored }, positions }, i) => {
    const all = b.cast(pooledOutput(used[i] as (typeof used)[number]), 'float64');
    const [first = 0] = runs.map((run) => run.first);
    const isPart = isOfParts && features < stored.features;
    const value = isPart ? b.op('Slice', [all, b.ints([first]), b.ints([first + features]), b.ints([1])]) : all;
    // Normalise, then select: the norm is over the whole tap.
    const scaled = unitNorm ? withUnitNorm(b, value) : value;
    return b.op('Gather', [scaled, b.constant(int64(positions))], { axis: 1 });
  });
  const K = outputs.length;
  const features = parts.length === 1 ? (parts[0] as string) : b.op('Concat', parts, { axis: 1 });
  const double = (dims: number[], data: Float64Array) => b.constant({ type: 'float64', dims, data });
  const weights = double([head.features.length, K], head.weights);
  const scores = b.op('Gemm', [features, weights, double([K], head.intercept)]);
  const isValue = target === 'regression';
  const answer = isValue ? scores : target === 'class' ? b.softmax(scores, 1) : b.op('Sigmoid', [scores]);
  const squeezed = b.op('Squeeze', [b.cast(answer, 'float32'), b.ints([0])]);
  b.output(squeezed, isValue ? 'values' : 'probabilities', 'float32', [K]);
  if (explained) addExplanation(b, { chosen, parts, features, weights, K }, explained);
  b.metadata(isValue ? exportedKeys.values : exportedKeys.classes, JSON.stringify(outputs));
  if (target !== 'class') b.metadata(exportedKeys.target, target);
  b.metadata(exportedKeys.method, method);
  b.metadata(exportedKeys.source, source);
  b.metadata(exportedKeys.model, backbone.sha256);
  const deepest = used.reduce((top, tap) => (tap.macs >= top.macs ? tap : top)).alias;
  b.metadata(exportedKeys.deepestTap, deepest);
  return { graph: prune(b.build()), deepest };
}

interface HeadValues {
  readonly chosen: readonly ChosenTap<HeadTap>[];
  /** Values of the graph: the features of each tap (1, p of the tap), all of them (1, p), and the weights (p, K). */
  readonly parts: readonly string[];
  readonly features: string;
  readonly weights: string;
  readonly K: number;
}

function addExplanation(
  b: GraphBuilder,
  { chosen, parts, features, weights, K }: HeadValues,
  { baseline, embedding }: Explained,
): void {
  let first = 0;
  const logits = chosen.map(({ positions }, i) => {
    const own = b.op('Slice', [weights, b.ints([first]), b.ints([first + positions.length]), b.ints([0])]);
    first += positions.length;
    return b.matmul(parts[i] as string, own);
  });
  const all = logits.length === 1 ? (logits[0] as string) : b.op('Concat', logits, { axis: 0 });
  const centred = b.sub(all, b.op('ReduceMean', [all, b.ints([1])], { keepdims: 1 }));
  const usual = b.constant({ type: 'float64', dims: [chosen.length, K], data: baseline });
  b.output(b.cast(b.sub(centred, usual), 'float32'), 'layers', 'float32', [chosen.length, K]);
  if (!embedding) return;
  const d = embedding.offset.length;
  const map = b.constant(float32([first, d], embedding.weights));
  const placed = b.sub(b.matmul(b.cast(features, 'float32'), map), b.constant(float32([1, d], embedding.offset)));
  b.output(b.op('Squeeze', [placed, b.ints([0])]), 'embedding', 'float32', [d]);
}

/** Rows divided by their norm; rows of zeros stay zeros. */
function withUnitNorm(b: GraphBuilder, value: string): string {
  const norm = b.op('ReduceL2', [value, b.ints([1])], { keepdims: 1 });
  const floor = b.cast(b.constant(float32([], [1e-30])), 'float64');
  return b.op('Div', [value, b.op('Max', [norm, floor])]);
}
