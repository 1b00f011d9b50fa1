/** What a network learns to say of images: a class, real values, or which labels are true. */
import type { TargetKind } from '../data/index.js';
import { buildLoss, buildValuedLoss, float32, type Graph, GraphBuilder } from '../graph/index.js';
import { classPredictions, type Predictions } from '../record/index.js';
import { probabilities } from '../solver/index.js';
import type { LabelledImages } from './images.js';
import type { Network } from './network.js';

/**
 * Appends the loss: softmax cross-entropy of classes, squared error of values in standard deviations, cross-entropy of each
 * label by itself; means over images, and over values or labels.
 */
export function withLoss(
  graph: Graph,
  { target, logits, classes, labelSmoothing }: Lesson & { readonly logits: string; readonly labelSmoothing: number },
): Graph {
  if (target === 'class') return buildLoss(graph, { logits, classes, labelSmoothing });
  return buildValuedLoss(graph, target === 'regression' ? 'squared' : 'sigmoid', logits);
}

interface Lesson {
  readonly target: TargetKind;
  /** Outputs of the network: classes, values, or labels. */
  readonly classes: number;
}

/** Scores (n, outputs) of a network as what it says of images. */
export function answersOf(scores: Float64Array, { target, classes }: Lesson): Predictions {
  if (target === 'class') return classPredictions(probabilities(scores, classes), classes);
  return { kind: 'values', values: target === 'regression' ? scores : scores.map((s) => 1 / (1 + Math.exp(-s))) };
}

/** Mean and standard deviation of every value over training images. */
export interface Scaling {
  readonly mean: Float64Array;
  /** 1 for a value that does not vary. */
  readonly deviation: Float64Array;
}

/** @param values (n, outputs) */
export function scalingOf(values: Float64Array, outputs: number): Scaling {
  const n = values.length / outputs;
  const [mean, square] = [new Float64Array(outputs), new Float64Array(outputs)];
  for (const [at, v] of values.entries()) mean[at % outputs] = (mean[at % outputs] as number) + v / n;
  for (const [at, v] of values.entries()) {
    const k = at % outputs;
    square[k] = (square[k] as number) + (v - (mean[k] as number)) ** 2 / n;
  }
  return { mean, deviation: square.map((v) => (v > 0 ? Math.sqrt(v) : 1)) };
}

/** Images with their values in standard deviations from the mean: losses and rates do not depend on units. */
export function standardised(images: LabelledImages, { mean, deviation }: Scaling): LabelledImages {
  const K = mean.length;
  const values = images.values?.map((v, at) => (v - (mean[at % K] as number)) / (deviation[at % K] as number));
  return { ...images, values };
}

/** The network with `predictions`, values in their own unit, as its output. */
export function inUnits(network: Network, { mean, deviation }: Scaling): Network {
  const b = new GraphBuilder(network.graph, 'units');
  b.clearOutputs();
  const row = (data: Float64Array) => b.constant(float32([1, data.length], Float32Array.from(data)));
  const scaled = b.mul(network.logits, row(deviation));
  const name = 'predictions';
  b.output(b.op('Add', [scaled, row(mean)], {}, name), name, 'float32', [null, mean.length]);
  return { ...network, graph: b.build(), logits: name };
}

/** The loss of always saying the training images' means: values, or shares that have each label. */
export function constantLoss(values: Float64Array, { target, classes }: Lesson): number {
  const { mean, deviation } = scalingOf(values, classes);
  const each = Array.from(mean, (p, k) => {
    if (target === 'regression')
      return values.some((v, at) => at % classes === k && v !== p) ? (deviation[k] as number) ** 2 : 0;
    return p > 0 && p < 1 ? -p * Math.log(p) - (1 - p) * Math.log(1 - p) : 0;
  });
  return each.reduce((sum, v) => sum + v, 0) / classes;
}
