/** Losses as graphs. */
import { UserError } from '../../base/index.js';
import { type Graph, GraphBuilder } from '../../ir/index.js';

/** What a loss is computed from. */
export interface BuildLossOptions {
  /** Value (batch, classes) of unnormalised log-probabilities. */
  logits: string;
  classes: number;
  /** Probability mass spread evenly over all classes (Szegedy et al. 2016, PyTorch's `label_smoothing`). */
  labelSmoothing?: number;
  /** Adds the input `example_weights` (batch,): the loss is sum(w * l) / sum(w). */
  exampleWeights?: boolean;
  labelType?: 'int64' | 'int32';
}

/** Names of the values that losses add. */
export const lossNames = { labels: 'labels', targets: 'targets', weights: 'example_weights', loss: 'loss' } as const;

/** Losses of outputs by themselves: of a real value each, and of a label that is true (1) or not (0). */
export type ValuedLoss = 'squared' | 'sigmoid';

/**
 * Appends mean softmax cross-entropy: inputs `labels` (batch,) and, if asked for, `example_weights` (batch,);
 * output `loss`, a scalar, beside the graph's own outputs.
 * Stable for any logits; its gradient is written in closed form, (softmax - target) * weight.
 * @throws UserError when the graph has no value of that name.
 */
export function buildLoss(graph: Graph, options: BuildLossOptions): Graph {
  const { logits, classes, labelSmoothing = 0, exampleWeights = false, labelType = 'int64' } = options;
  const { b, type } = lossOn(graph, logits);
  b.input(lossNames.labels, labelType, [null]);
  const logp = b.op('LogSoftmax', [logits], { axis: 1 });
  // One-hot targets: (batch, classes), smoothed by the values that stand for off and on.
  const off = labelSmoothing / classes;
  const on = 1 - labelSmoothing + off;
  const values = b.concat([b.reshape(b.scalar(off), [1]), b.reshape(b.scalar(on), [1])], 0);
  const indices = labelType === 'int64' ? lossNames.labels : b.cast(lossNames.labels, 'int64');
  const targets = b.op('OneHot', [indices, b.ints([classes]), values], { axis: 1 });
  const each = b.unary('Neg', b.sum(b.mul(targets, logp), [1]));
  let loss: string;
  if (exampleWeights) {
    b.input(lossNames.weights, type, [null]);
    const total = b.op('ReduceSum', [b.mul(each, lossNames.weights)], { keepdims: 0 });
    loss = b.div(total, b.op('ReduceSum', [lossNames.weights], { keepdims: 0 }));
  } else {
    loss = b.op('ReduceMean', [each], { keepdims: 0 });
  }
  b.output(loss, lossNames.loss, type, []);
  return b.build();
}

/**
 * Appends the mean loss over examples and outputs: input `targets` (batch, outputs), output `loss`, a scalar, beside the
 * graph's own outputs. 'squared' is (score - target)^2; 'sigmoid' the binary cross-entropy of sigmoid(score),
 * ln(1 + e^score) - target * score, for any scores and targets in [0, 1].
 * @param scores value (batch, outputs)
 * @throws UserError when the graph has no value of that name.
 */
export function buildValuedLoss(graph: Graph, kind: ValuedLoss, scores: string): Graph {
  const { b, type } = lossOn(graph, scores);
  const targets = b.input(lossNames.targets, type, [null, null]);
  const apart = kind === 'squared' ? b.sub(scores, targets) : '';
  const each = kind === 'squared' ? b.mul(apart, apart) : b.sub(b.unary('Softplus', scores), b.mul(targets, scores));
  b.output(b.op('ReduceMean', [each], { keepdims: 0 }), lossNames.loss, type, []);
  return b.build();
}

/** A builder on the graph. @throws UserError when it has no such value */
function lossOn(graph: Graph, scores: string): { b: GraphBuilder; type: 'float32' | 'float64' } {
  const known = graph.nodes.some((n) => n.outputs.includes(scores)) || graph.inputs.some((i) => i.name === scores);
  if (!known) throw new UserError(`the graph has no value '${scores}' to take the loss of; name one of its outputs`);
  const type = graph.outputs.find((o) => o.name === scores)?.type === 'float64' ? 'float64' : 'float32';
  return { b: new GraphBuilder(graph, 'loss', type), type };
}
