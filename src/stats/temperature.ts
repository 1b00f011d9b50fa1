/** One number that makes the softmax of a classifier's logits as sure of itself as it is right (Guo et al., 2017). */

/** Bounds of the inverse temperature, for logits that carry nothing or are nearly constant. */
const BOUNDS = [1e-6, 1e6] as const;

/**
 * The temperature T that minimises the mean log loss of softmax(z / T) over examples that the classifier was not fitted
 * to. Labels are smoothed by 1 / (n + 1), in the spirit of Platt (1999): where every example is right the best T would be
 * 0, and with few examples nearly that.
 * @param logits (n, K), row-major
 * @param weights of the examples; equal by default
 */
export function fitTemperature(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
  weights?: ArrayLike<number>,
): number {
  const n = labels.length;
  const smooth = 1 / (n + 1);
  const p = new Float64Array(classes);
  /** Of the loss with respect to the inverse temperature: slope, and curvature. */
  const derivatives = (inverse: number): [number, number] => {
    let [slope, curvature] = [0, 0];
    for (let i = 0; i < n; i++) {
      const at = i * classes;
      let top = Number.NEGATIVE_INFINITY;
      let average = 0;
      for (let k = 0; k < classes; k++) {
        top = Math.max(top, logits[at + k]);
        average += logits[at + k] / classes;
      }
      let total = 0;
      for (let k = 0; k < classes; k++) {
        p[k] = Math.exp(inverse * (logits[at + k] - top));
        total += p[k];
      }
      let mean = 0;
      for (let k = 0; k < classes; k++) mean += (p[k] / total) * (logits[at + k] - top);
      let variance = 0;
      for (let k = 0; k < classes; k++) variance += (p[k] / total) * (logits[at + k] - top - mean) ** 2;
      const w = weights ? weights[i] : 1;
      slope += w * (mean - (1 - smooth) * (logits[at + labels[i]] - top) - smooth * (average - top));
      curvature += w * variance;
    }
    return [slope, curvature];
  };
  // The loss is convex in 1 / T: Newton's steps, kept within what is known to hold the root.
  let [low, high]: [number, number] = [...BOUNDS];
  let inverse = 1;
  for (let i = 0; i < 100 && high / low > 1 + 1e-10; i++) {
    const [slope, curvature] = derivatives(inverse);
    if (slope > 0) high = inverse;
    else low = inverse;
    const next = inverse - slope / curvature;
    if (Math.abs(next - inverse) < 1e-10 * inverse) break;
    inverse = next > low && next < high ? next : Math.sqrt(low * high);
  }
  return 1 / inverse;
}
