/** Treatments: which layers start from what, and which of them learn. */
import { nearest, UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import {
  allParameters,
  type Graph,
  type InputShape,
  isLearned,
  type LearnedLayer,
  type OptimiserParameter,
  type SpecialiseOptions,
  specialise,
  type Tap,
  type Tensor,
} from '../graph/index.js';
import type { TrainOptions } from './options.js';

/** Names of the treatments. */
export const treatmentNames = [
  'finetune',
  'scratch',
  'baseA',
  'baseB',
  'BnB',
  'AnB',
  'BnB+',
  'AnB+',
  'random-n',
  'preserve',
] as const;
/**
 * The layer-copy experiments of Yosinski et al. (2014), with their names; n is `layers`.
 *
 * | treatment | layers 1 ... n | above | learns |
 * |---|---|---|---|
 * | scratch, baseA, baseB | fresh | fresh | all |
 * | BnB, AnB | copied | fresh | above n |
 * | BnB+, AnB+ | copied | fresh | all |
 * | random-n | fresh, norms calibrated | fresh | above n |
 * | preserve | copied, and `preserve` layers more | fresh | above n |
 * | finetune | copied, all but the head | | all, or from `unfreezeFrom` on, or the `top` share |
 *
 * B and A say where the copies come from, the task itself or another: the mechanics are the same.
 */
export type TreatmentName = (typeof treatmentNames)[number];

/** A treatment with its numbers. */
export interface Treatment {
  name: TreatmentName;
  /** Layers 1 ... n, for the treatments that count them. */
  layers?: number | undefined;
  /** Of the layers below the head, instead of their number: rounded, one at least. */
  share?: number | undefined;
  /** Layers above n that `preserve` copies too. */
  preserve?: number | undefined;
  /** First layer that learns under `finetune`: a layer, a tap, or a block of taps. */
  unfreezeFrom?: string | undefined;
  /** Under `finetune`, the share of the learned layers, from the head down, that learn: the head and one more at least. */
  top?: number | undefined;
}

/** A treatment in numbers of layers, counted from the image. */
export interface LayerPlan {
  /** Learned layers of the network, the head included. */
  readonly total: number;
  readonly copied: number;
  readonly frozen: number;
}

const counting = new Set<TreatmentName>(['BnB', 'AnB', 'BnB+', 'AnB+', 'random-n', 'preserve']);

/**
 * @param layers of the network, the head included
 * @throws UserError when a count is missing, superfluous or out of range.
 */
export function planLayers(
  { name, layers: counted, share, preserve, unfreezeFrom, top }: Treatment,
  layers: readonly LearnedLayer[],
  taps: readonly Tap[] = [],
): LayerPlan {
  const total = layers.length;
  const most = total - 1;
  const n = counted ?? (share === undefined ? undefined : Math.max(1, Math.min(most, Math.round(share * most))));
  if (!treatmentNames.includes(name)) {
    const close = nearest(name, treatmentNames);
    throw new UserError(
      `there is no treatment '${name}'; ${close ? `did you mean ${close}?` : `choose one of ${treatmentNames.join(', ')}`}`,
    );
  }
  if (unfreezeFrom !== undefined && name !== 'finetune') {
    throw new UserError(`--unfreeze-from goes with --treatment finetune; ${name} freezes by --layers`);
  }
  if (preserve !== undefined && name !== 'preserve') {
    throw new UserError(`--preserve goes with --treatment preserve, not ${name}`);
  }
  if (!counting.has(name)) {
    if (n !== undefined) throw new UserError(`treatment ${name} takes no --layers: it concerns all ${total} layers`);
    if (name !== 'finetune') return { total, copied: 0, frozen: 0 };
    if (top !== undefined)
      return { total, copied: most, frozen: Math.max(0, total - Math.max(2, Math.round(top * total))) };
    const frozen = unfreezeFrom === undefined ? 0 : firstLayerOf(unfreezeFrom, layers, taps);
    return { total, copied: most, frozen };
  }
  if (n === undefined) throw new UserError(`treatment ${name} needs --layers n, 1 to ${most}`);
  if (!Number.isInteger(n) || n < 1 || n > most) {
    throw new UserError(
      `--layers is ${n}; the network has ${total} learned layers with its head, so it must be 1 to ${most}`,
    );
  }
  if (name === 'preserve') {
    const k = preserve ?? 1;
    if (!Number.isInteger(k) || k < 0 || n + k > most) {
      throw new UserError(`--preserve is ${k}; above ${n} frozen layers it must be 0 to ${most - n}`);
    }
    return { total, copied: n + k, frozen: n };
  }
  return { total, copied: name === 'random-n' ? 0 : n, frozen: name.endsWith('+') ? 0 : n };
}

/** Index of the layer that a name means: the layer's own, a value's, a tap's, or the first of a block of taps. */
function firstLayerOf(name: string, layers: readonly LearnedLayer[], taps: readonly Tap[]): number {
  const values = new Set(
    taps.filter((t) => t.alias === name || t.name === name || t.alias.startsWith(`${name}.`)).map((t) => t.name),
  );
  const found = layers.find(
    (layer) => layer.name === name || layer.nodes.some((node) => node.outputs.some((o) => o === name || values.has(o))),
  );
  if (found) return found.index;
  const blocks = taps.flatMap((t) => t.alias.split('.').map((_, i, parts) => parts.slice(0, i + 1).join('.')));
  const close = nearest(name, new Set([...blocks, ...layers.map((l) => l.name)]));
  throw new UserError(
    `the backbone has no layer or tap '${name}'${close ? `; did you mean '${close}'?` : ''} (toehold taps MODEL --layers lists them)`,
  );
}

/** Does it start from layers of another network? */
export const copies = ({ name }: Treatment): boolean =>
  name === 'finetune' || (counting.has(name) && name !== 'random-n');

/** How a network is specialised to be trained: every parameter stays under its own name, and dropout stays. */
export function keepForTraining(graph: Graph): SpecialiseOptions {
  return { keep: allParameters(graph).map((p) => p.name), keepDropout: true };
}

/** The form in which layers are counted: shapes folded, parameters kept. */
export async function layeredForm(graph: Graph, engine: Engine, shape: InputShape): Promise<Graph> {
  return (await specialise(graph, engine, shape, keepForTraining(graph))).graph;
}

/** Constants of `changed` that are other than `before`'s. */
export function changedConstants(before: Graph, changed: Graph): Map<string, Tensor> {
  return new Map([...changed.constants].filter(([name, tensor]) => tensor !== before.constants.get(name)));
}

/** What learns, and how fast. */
export function trainedParameters(
  layers: readonly LearnedLayer[],
  { frozen }: LayerPlan,
  options: Pick<TrainOptions, 'decayAll' | 'biasLrScale' | 'backboneLrScale' | 'layerDecay'>,
  fixed: Iterable<string> = [],
): OptimiserParameter[] {
  const last = layers.length - 1;
  const seen = new Set(fixed);
  // A weight that a frozen layer shares with a higher one stays as it is.
  for (const layer of layers.slice(0, frozen)) for (const { name } of layer.parameters) seen.add(name);
  return layers.slice(frozen).flatMap((layer) =>
    layer.parameters.flatMap((parameter) => {
      const { name, role, dims } = parameter;
      if (!isLearned(parameter) || seen.has(name)) return [];
      seen.add(name);
      const backbone = layer.index < last ? options.backboneLrScale : 1;
      const bias = role === 'bias' || role === 'shift' ? options.biasLrScale : 1;
      const lrScale = backbone * bias * options.layerDecay ** (last - layer.index);
      return [{ name, dims, lrScale, decay: options.decayAll || role === 'weight' }];
    }),
  );
}

/** Constants of the frozen layers, running statistics included: what must come out of training as it went in. */
export function frozenConstants(layers: readonly LearnedLayer[], { frozen }: LayerPlan): string[] {
  return layers.slice(0, frozen).flatMap((layer) => layer.parameters.map((p) => p.name));
}
