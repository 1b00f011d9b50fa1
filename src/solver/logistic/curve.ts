/** Curvature of the losses of l2 logistic regression. */

/**
 * The losses' Hessian with respect to the logits, times a change of these.
 * @param p probabilities, (n, K)
 * @param weights of the examples, (n)
 * @param change its logits without intercept, (n, K), and its intercept, (K)
 * @returns d (n, K), and its sum over the examples, (K)
 */
export function curve(
  p: Float64Array,
  weights: Float64Array,
  { image, b }: { readonly image: Float64Array; readonly b: Float64Array },
): { d: Float64Array; sums: Float64Array } {
  const K = b.length;
  const d = new Float64Array(p.length);
  const sums = new Float64Array(K);
  for (let i = 0, at = 0; i < weights.length; i++, at += K) {
    let mean = 0;
    for (let k = 0; k < K; k++) mean += p[at + k] * (image[at + k] + b[k]);
    for (let k = 0; k < K; k++) {
      const value = weights[i] * p[at + k] * (image[at + k] + b[k] - mean);
      d[at + k] = value;
      sums[k] += value;
    }
  }
  return { d, sums };
}
