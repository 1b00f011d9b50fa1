/** A saved probe as one graph from image to class probabilities, or to values. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { nearest, UserError } from '../base/index.js';
import { parsePreprocess, type TargetKind } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  type Backbone,
  eachPool,
  type FeatureStore,
  loadBackbone,
  openStore,
  type PooledView,
  type StoreMeta,
  type ViewedTap,
  viewOf,
} from '../features/index.js';
import { type Graph, networkHash } from '../graph/index.js';
import { classesOf, type RunRecord, readRecord } from '../record/index.js';
import { weightsFile } from './files.js';
import {
  type ChosenTap,
  calibrated,
  type Explained,
  featuresByTap,
  type HeadImage,
  type HeadRequest,
  headGraph,
  type ProbeHead,
} from './head-graph.js';
import { methods } from './methods/index.js';
import { readNpz } from './npz.js';
import { ProbeConfig } from './record.js';
import { readValued } from './targets/files.js';

/** Which probe of a run is written, and for which images. */
export interface ExportOptions {
  /** Method of the run; by default the one that ranks features (head2toe), else the first. */
  method?: string | undefined;
  /** The backbone's file, when it is no longer where it was at extraction. */
  model?: string | undefined;
  /** The feature store, when it has moved. */
  store?: string | undefined;
  image?: HeadImage | undefined;
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
  readonly chosen: readonly ChosenTap<ViewedTap>[];
  /** Whether every tap of an example is divided by its norm. */
  readonly unitNorm: boolean;
}

/** The head of one method. */
export type SavedHead = ProbeHead & HeadFacts;
interface HeadFacts {
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
  const path = await backbonePath(meta, options.model);
  const view = viewOf(meta, head.pool);
  const unitNorm = run.normalisation.startsWith('unit');
  return { run, head, store: opened, path, view, chosen: featuresByTap(view.taps, head), unitNorm };
}

/**
 * The file of the backbone that a store's features are of.
 * @param path where it is now, if it has moved
 * @throws UserError when it is not there, or another file is
 */
async function backbonePath(meta: StoreMeta, path = meta.model.path): Promise<string> {
  const hash = await networkHash(path).catch(() => {
    throw new UserError(`the backbone is no longer at ${path}: say where it is with --model FILE`);
  });
  if (hash !== meta.model.sha256) {
    throw new UserError(
      `${path} is another model than the features were extracted with: give the same file with --model`,
    );
  }
  return path;
}

/** The backbone that a store's features are of, as it reads images there. @throws UserError as above */
export async function backboneOf(engine: Engine, meta: StoreMeta, moved?: string): Promise<Backbone> {
  return readingAs(engine, meta, await backbonePath(meta, moved));
}

/** The network of a file, with the preprocessing of a store. */
async function readingAs(engine: Engine, meta: StoreMeta, path: string): Promise<Backbone> {
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
    outputs: task ? classesOf(task.target) : [],
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
      `method ${method} of ${directory} is neither a linear probe nor attention over the features of one backbone: it cannot be exported`,
    );
  }
  const arrays = await readNpz(path);
  if (arrays.score) return { method, pool: run.poolOf(method), ...fusionOf(arrays, path, run.outputs.length) };
  const { W, b, features, temperature } = arrays;
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

/** @throws UserError for arrays that do not belong together */
function fusionOf(arrays: Awaited<ReturnType<typeof readNpz>>, path: string, K: number) {
  const { score, value, mix, intercept, places, features, temperature } = arrays;
  const [k = 0, D = 0] = places?.shape ?? [];
  const [, H = 0] = score?.shape ?? [];
  const [, , d = 0] = value?.shape ?? [];
  const p = features?.data.length ?? 0;
  const fits =
    [score, value, mix, intercept].every((array) => array?.data.every(Number.isFinite)) &&
    [D * H, H * D * d, H * d * K, K].join() === [score, value, mix, intercept].map((a) => a?.data.length).join() &&
    places?.data.every((place) => place >= 0 && place <= p);
  if (!fits || !score || !value || !mix || !intercept || !places || !features || k < 1) {
    throw new UserError(`${path} does not hold attention for ${K} classes: run probe -o again`);
  }
  return {
    features: Int32Array.from(features.data),
    places: Int32Array.from(places.data),
    tokens: k,
    score: Float64Array.from(score.data),
    value: Float64Array.from(value.data),
    mix: Float64Array.from(mix.data),
    intercept: Float64Array.from(intercept.data),
    temperature: Number(temperature?.data[0] ?? 1),
  };
}

/** @param explained adds outputs that say why (see headGraph) */
export async function exportedGraph(
  engine: Engine,
  { run, head, store: { meta }, path, view, chosen, unitNorm }: OpenedExport,
  explained?: Explained,
  image?: HeadImage,
): Promise<{ graph: Graph; deepest: string }> {
  const parts = view.pool === eachPool;
  const request: HeadRequest = {
    backbone: await readingAs(engine, meta, path),
    method: head.method,
    outputs: run.outputs,
    target: run.target,
    source: run.source.description,
    pool: parts ? meta.pool : view.pool,
    chosen,
    parts,
    unitNorm,
    head,
  };
  return headGraph(engine, request, { explained, image });
}
