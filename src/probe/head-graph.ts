/**
 * The graph of a deployed probe: preprocessing, the backbone up to the deepest tap that the probe reads, pooling,
 * normalisation, the selected features and the head. Everything before the head is float32 as in the extraction pass; the
 * head is float64, as the probe was fitted and scored.
 */
import { UserError } from '../base/index.js';
import { normaliseInput, preprocessImage, type TargetKind } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import {
  type Backbone,
  parsePool,
  pooledOutput,
  poolTaps,
  specialiseBackbone,
  tappedGraph,
  tapsOf,
  type ViewedTap,
} from '../features/index.js';
import { float32, type Graph, GraphBuilder, int64, prune, replaceInput } from '../graph/index.js';
import { foldNormalisation, type LinearModel } from '../solver/index.js';
import { type AttentionHead, addAttentionHead } from './attention/head.js';

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

/** Scores = sum over features of value * W + b, calibrated: divided by the fit's temperature. */
export interface LinearHead {
  /** Ascending. */
  readonly features: Int32Array;
  /** (features.length, K). */
  readonly weights: Float64Array;
  readonly intercept: Float64Array;
}

/** What a deployed probe is. */
export type ProbeHead = LinearHead | AttentionHead;

export const isLinear = <H extends ProbeHead>(head: H): head is Extract<H, LinearHead> => 'weights' in head;

/** A fitted linear model on the features as they are, calibrated. */
export function linearHead(model: LinearModel, temperature = 1): LinearHead {
  const { weights, intercept } = foldNormalisation(model);
  return { features: model.indices, ...calibrated(weights, intercept, temperature) };
}

export function calibrated(weights: Float64Array, intercept: Float64Array, temperature: number) {
  return { weights: weights.map((w) => w / temperature), intercept: intercept.map((v) => v / temperature) };
}

/** A tap as a head reads it: where its features lie among those that `pool` gives of it. */
export type HeadTap = Pick<ViewedTap, 'name' | 'alias' | 'features' | 'runs'> & {
  readonly stored: Pick<ViewedTap['stored'], 'features'>;
};

/** The features of one tap that a head reads. */
export interface ChosenTap<T extends HeadTap = HeadTap> {
  readonly tap: T;
  /** Places within the tap, ascending. */
  readonly positions: readonly number[];
}

/** Selected features by tap: positions within the tap, and their rows in the head. */
export function featuresByTap<T extends HeadTap>(
  taps: readonly T[],
  { features }: Pick<LinearHead, 'features'>,
): ChosenTap<T>[] {
  const result: { tap: T; positions: number[] }[] = [];
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

/** A probe and what it reads: all that its deployable file is made of. */
export interface HeadRequest {
  readonly backbone: Backbone;
  readonly method: string;
  /** Names of classes, labels or values. */
  readonly outputs: readonly string[];
  /** What the outputs are; classes by default. */
  readonly target?: TargetKind;
  /** What its features are of, for the metadata. */
  readonly source: string;
  /** Spec of the pass that its features are from. */
  readonly pool: string;
  /** The taps that it reads, in the head's order. */
  readonly chosen: readonly ChosenTap[];
  /** Whether its taps are parts of what `pool` gives of a value (see views.ts). */
  readonly parts: boolean;
  /** Whether every tap of an example is divided by its norm. */
  readonly unitNorm: boolean;
  readonly head: ProbeHead;
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

/**
 * Which image a graph reads: any, which it resizes as the extraction did (uint8 [H, W, 3]), or one that was resized before
 * (uint8 [1, h, w, 3]), for runtimes without what resizing needs.
 */
export type HeadImage = 'any' | 'resized';

/**
 * @param explained adds the outputs `layers` and, where it has one, `embedding`
 * @throws UserError when a tap is not in the backbone
 */
export async function headGraph(
  engine: Engine,
  { backbone, method, outputs, target = 'class', source, pool, chosen, parts: isOfParts, unitNorm, head }: HeadRequest,
  { explained, image = 'any' }: { explained?: Explained | undefined; image?: HeadImage | undefined } = {},
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
  const weights = isLinear(head) ? double([head.features.length, K], head.weights) : '';
  const scores = isLinear(head)
    ? b.op('Gemm', [features, weights, double([K], head.intercept)])
    : addAttentionHead(b, features, head);
  const isValue = target === 'regression';
  const answer = isValue ? scores : target === 'class' ? b.softmax(scores, 1) : b.op('Sigmoid', [scores]);
  const squeezed = b.op('Squeeze', [b.cast(answer, 'float32'), b.ints([0])]);
  b.output(squeezed, isValue ? 'values' : 'probabilities', 'float32', [K]);
  if (explained && isLinear(head)) addExplanation(b, { chosen, parts, features, weights, K }, explained);
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
  readonly chosen: readonly ChosenTap[];
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
