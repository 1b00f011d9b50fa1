/** Softmax and the multinomial loss, row by row, in float64. */

/** Turns the `classes` logits from `at` on into probabilities, in place. @returns the logarithm of their sum of exponentials */
function softmaxRow(values: Float64Array, at: number, classes: number): number {
  const end = at + classes;
  let top = Number.NEGATIVE_INFINITY;
  for (let k = at; k < end; k++) if (values[k] > top) top = values[k];
  let total = 0;
  for (let k = at; k < end; k++) {
    const e = Math.exp(values[k] - top);
    values[k] = e;
    total += e;
  }
  for (let k = at; k < end; k++) values[k] /= total;
  return Math.log(total) + top;
}

/** Softmax of each row of `logits` (rows, classes). */
export function probabilities(logits: Float64Array, classes: number): Float64Array {
  const result = logits.slice();
  for (let at = 0; at < result.length; at += classes) softmaxRow(result, at, classes);
  return result;
}

/** -ln of the probability that the `classes` logits from `at` on give to `label`, in nats. */
export function crossEntropy(logits: ArrayLike<number>, at: number, classes: number, label: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let k = at; k < at + classes; k++) if (logits[k] > top) top = logits[k];
  let total = 0;
  for (let k = at; k < at + classes; k++) total += Math.exp(logits[k] - top);
  return Math.log(total) + top - logits[at + label];
}

/** Labelled examples, each with a weight in the loss. */
export interface Weighted {
  readonly labels: Int32Array;
  readonly weights: Float64Array;
}

/**
 * sum_i v_i CE_i of the logits z + b, z (n, K) and b (K).
 * @param p receives the probabilities, (n, K); zeros for examples of weight zero
 */
export function totalLoss(z: Float64Array, b: Float64Array, { labels, weights }: Weighted, p: Float64Array): number {
  const K = b.length;
  let loss = 0;
  for (let i = 0, at = 0; i < labels.length; i++, at += K) {
    if (weights[i] === 0) {
      p.fill(0, at, at + K);
      continue;
    }
    for (let k = 0; k < K; k++) p[at + k] = z[at + k] + b[k];
    const own = p[at + labels[i]];
    loss += weights[i] * (softmaxRow(p, at, K) - own);
  }
  return loss;
}
