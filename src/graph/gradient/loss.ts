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

/** Names of the values that `buildLoss` adds. */
export const lossNames = { labels: 'labels', weights: 'example_weights', loss: 'loss' } as const;

/**
 * Appends mean softmax cross-entropy: inputs `labels` (batch,) and, if asked for, `example_weights` (batch,);
 * output `loss`, a scalar, beside the graph's own outputs.
 * Stable for any logits; its gradient is written in closed form, (softmax - target) * weight.
 * @throws UserError when the graph has no value of that name.
 */
export function buildLoss(graph: Graph, options: BuildLossOptions): Graph {
  const { logits, classes, labelSmoothing = 0, exampleWeights = false, labelType = 'int64' } = options;
  const known = graph.nodes.some((n) => n.outputs.includes(logits)) || graph.inputs.some((i) => i.name === logits);
  if (!known) throw new UserError(`the graph has no value '${logits}' to take the loss of; name one of its outputs`);
  const type = graph.outputs.find((o) => o.name === logits)?.type === 'float64' ? 'float64' : 'float32';
  const b = new GraphBuilder(graph, 'loss', type);
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
