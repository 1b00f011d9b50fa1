/**
 * One ONNX file from image to class probabilities: preprocessing, the backbone up to the deepest tap that the probe
 * reads, pooling, normalisation, the selected features and the head. Everything before the head is float32 as in the
 * extraction pass; the head is float64, as the probe was fitted and scored.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { nearest, UserError } from '../base/index.js';
import { parsePreprocess, preprocessImage } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  type Backbone,
  eachPool,
  loadBackbone,
  openStore,
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
import type { Normalisation } from './options.js';
import { ProbeConfig } from './record.js';

/** Keys of the metadata of an exported head. */
export const exportedKeys = {
  classes: 'toehold.classes',
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
}

/** The head of one method: logits = sum over features of value * W + b, calibrated: divided by the fit's temperature. */
interface LinearHead {
  /** Ascending. */
  readonly features: Int32Array;
  /** (features.length, K). */
  readonly weights: Float64Array;
  readonly intercept: Float64Array;
}

interface SavedHead extends LinearHead {
  readonly method: string;
  /** Pooling of the features that it reads; as the store has them by default. */
  readonly pool: string | undefined;
}

/** A tap as a head reads it: where its features lie among those that `pool` gives of it. */
export type HeadTap = Pick<ViewedTap, 'name' | 'alias' | 'features' | 'runs'> & {
  readonly stored: Pick<ViewedTap['stored'], 'features'>;
};

/** A probe and what it reads: all that its deployable file is made of. */
export interface HeadRequest {
  readonly backbone: Backbone;
  readonly method: string;
  readonly classes: readonly string[];
  /** What its features are of, for the metadata. */
  readonly source: string;
  /** Spec of the pass that its features are from. */
  readonly pool: string;
  /** All taps that it was fitted to, in order. */
  readonly taps: readonly HeadTap[];
  /** Whether its taps are parts of what `pool` gives of a value (see views.ts). */
  readonly parts: boolean;
  readonly normalisation: Normalisation;
  readonly head: LinearHead;
}

/** A fitted linear model on the features as they are, calibrated. */
export function linearHead(model: LinearModel, temperature = 1): LinearHead {
  const { weights, intercept } = foldNormalisation(model);
  return { features: model.indices, ...calibrated(weights, intercept, temperature) };
}

function calibrated(weights: Float64Array, intercept: Float64Array, temperature: number) {
  return { weights: weights.map((w) => w / temperature), intercept: intercept.map((v) => v / temperature) };
}

/** What the record of a probe run says of its making. */
interface SavedRun {
  readonly record: RunRecord;
  readonly config: z.infer<typeof ProbeConfig>;
  readonly classes: readonly string[];
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
  const run = await readRun(directory);
  const head = await readHead(directory, run, options.method);
  const { source } = run.config;
  const storePath = options.store ?? source.store;
  if (storePath === undefined || !source.model) {
    throw new UserError(
      `${directory} holds a probe on plain arrays: only a probe on a feature store knows its backbone; run toehold extract and toehold probe STORE`,
    );
  }
  const { meta } = await openStore(storePath);
  if (meta.key !== source.key) {
    throw new UserError(`${storePath} is not the store that ${directory} was computed from: run toehold probe again`);
  }
  const backbone = await backboneOf(engine, meta, options.model);
  const { graph, deepest } = await exportedGraph(engine, backbone, { meta, run, head });
  return { graph, method: head.method, deepest };
}

/**
 * The backbone that a store's features are of.
 * @param path where its file is now, if it has moved
 * @throws UserError when it is not there, or another file is
 */
export async function backboneOf(engine: Engine, meta: StoreMeta, path = meta.model.path): Promise<Backbone> {
  const hash = await networkHash(path).catch(() => {
    throw new UserError(`the backbone is no longer at ${path}: say where it is with --model FILE`);
  });
  if (hash !== meta.model.sha256) {
    throw new UserError(
      `${path} is another model than the features were extracted with: give the same file with --model`,
    );
  }
  const preprocess = parsePreprocess(meta.preprocess, 'the preprocessing of the store');
  return { ...(await loadBackbone(path, engine)), preprocess };
}

async function readRun(directory: string): Promise<SavedRun> {
  const record = await readRecord(directory);
  const config = ProbeConfig.safeParse(record.run.config);
  if (record.protocol !== 'probe' || !config.success) {
    throw new UserError(`${directory} is not the folder of a probe: run toehold probe STORE -o ${directory} first`);
  }
  return { record, config: config.data, classes: record.tasks[0]?.target.classes ?? [] };
}

async function readHead(directory: string, run: SavedRun, wanted: string | undefined): Promise<SavedHead> {
  const names = run.record.methods.map((m) => m.id);
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
  const [n, K] = [features?.data.length, run.classes.length];
  const fits = W?.shape.length === 2 && W.shape[0] === n && W.shape[1] === K && b?.data.length === K;
  if (!W || !b || !features || !fits || ![W, b].every(({ data }) => data.every(Number.isFinite))) {
    throw new UserError(`${path} does not hold the weights of ${K} classes: run probe -o again`);
  }
  const cell = run.record.tasks[0]?.cells.find((c) => c.method === method);
  // Heads of version 0.1 have none.
  const calibration = Number(temperature?.data[0] ?? 1);
  return {
    method,
    pool: cell?.status === 'done' ? cell.pool : undefined,
    features: Int32Array.from(features.data),
    ...calibrated(Float64Array.from(W.data), Float64Array.from(b.data), calibration),
  };
}

/** Selected features by tap: positions within the tap, and their rows in the head. */
function featuresByTap(taps: readonly HeadTap[], { features }: LinearHead): { tap: HeadTap; positions: number[] }[] {
  const result: { tap: HeadTap; positions: number[] }[] = [];
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

async function exportedGraph(
  engine: Engine,
  backbone: Backbone,
  { meta, run, head }: { meta: StoreMeta; run: SavedRun; head: SavedHead },
): Promise<{ graph: Graph; deepest: string }> {
  const view = viewOf(meta, head.pool);
  const parts = view.pool === eachPool;
  return headGraph(engine, {
    backbone,
    method: head.method,
    classes: run.classes,
    source: run.config.source.description,
    pool: parts ? meta.pool : view.pool,
    taps: view.taps,
    parts,
    normalisation: run.config.options.normalisation,
    head,
  });
}

/** @throws UserError when a tap is not in the backbone */
export async function headGraph(
  engine: Engine,
  { backbone, method, classes, source, pool, parts: isOfParts, normalisation, head, ...request }: HeadRequest,
): Promise<{ graph: Graph; deepest: string }> {
  const { preprocess, path } = backbone;
  const { taps } = await tapsOf(backbone, engine);
  const chosen = featuresByTap(request.taps, head);
  const items = parsePool(pool);
  const used = chosen.map(({ tap }) => {
    const found = taps.find((t) => t.name === tap.name);
    if (!found) throw new UserError(`tap '${tap.alias}' is not in ${path} any more`);
    return found;
  });
  const network = await specialiseBackbone(backbone, engine, 1);
  const tapped = tappedGraph(network, poolTaps([...new Set(used)], items), items);
  const whole = replaceInput(tapped, { name: 'image', type: 'uint8', shape: ['H', 'W', 3] }, (b, image) =>
    preprocessImage(b, image, preprocess),
  );
  const b = new GraphBuilder(whole, 'probe');
  b.clearOutputs();
  const parts = chosen.map(({ tap: { features, runs, stored }, positions }, i) => {
    const all = b.cast(pooledOutput(used[i] as (typeof used)[number]), 'float64');
    const [first = 0] = runs.map((run) => run.first);
    const isPart = isOfParts && features < stored.features;
    const value = isPart ? b.op('Slice', [all, b.ints([first]), b.ints([first + features]), b.ints([1])]) : all;
    // Normalise, then select: the norm is over the whole tap.
    const scaled = normalisation.startsWith('unit') ? unitNorm(b, value) : value;
    return b.op('Gather', [scaled, b.constant(int64(positions))], { axis: 1 });
  });
  const K = classes.length;
  const features = parts.length === 1 ? (parts[0] as string) : b.op('Concat', parts, { axis: 1 });
  const double = (dims: number[], data: Float64Array) => b.constant({ type: 'float64', dims, data });
  const logits = b.op('Gemm', [features, double([head.features.length, K], head.weights), double([K], head.intercept)]);
  const probabilities = b.cast(b.softmax(logits, 1), 'float32');
  b.output(b.op('Squeeze', [probabilities, b.ints([0])]), 'probabilities', 'float32', [K]);
  b.metadata(exportedKeys.classes, JSON.stringify(classes));
  b.metadata(exportedKeys.method, method);
  b.metadata(exportedKeys.source, source);
  b.metadata(exportedKeys.model, backbone.sha256);
  const deepest = used.reduce((top, tap) => (tap.macs >= top.macs ? tap : top)).alias;
  b.metadata(exportedKeys.deepestTap, deepest);
  return { graph: prune(b.build()), deepest };
}

/** Rows divided by their norm; rows of zeros stay zeros. */
function unitNorm(b: GraphBuilder, value: string): string {
  const norm = b.op('ReduceL2', [value, b.ints([1])], { keepdims: 1 });
  const floor = b.cast(b.constant(float32([], [1e-30])), 'float64');
  return b.op('Div', [value, b.op('Max', [norm, floor])]);
}
