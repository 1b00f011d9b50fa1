/** Weights with which several classifiers' logits add up to one's (a log-linear pool; Heskes, 1998), and never less than 0. */

export interface PoolOptions {
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  /** Of the examples; equal by default. */
  readonly weights?: ArrayLike<number> | undefined;
  /** Examples that count; all by default. */
  readonly rows?: ArrayLike<number> | undefined;
}

/** A change of the weights below which they are found. */
const SMALL = 1e-7;
const MOST_SWEEPS = 300;
/** Added to curvatures: a classifier whose logits are constant keeps its weight. */
const RIDGE = 1e-9;

/**
 * a >= 0, one for each classifier, that minimise the mean log loss of softmax(sum_m a_m z_m) over examples that no
 * classifier was fitted to: a convex problem, solved a coordinate at a time by Newton's steps.
 * @param logits one (n, K) a classifier, row-major
 */
export function fitPoolWeights(
  logits: readonly ArrayLike<number>[],
  { labels, classes: K, weights, rows }: PoolOptions,
): Float64Array {
  const chosen = rows ?? Array.from({ length: labels.length }, (_, i) => i);
  const n = chosen.length;
  const a = new Float64Array(logits.length).fill(1 / logits.length);
  const sum = new Float64Array(n * K);
  for (let i = 0; i < n; i++) {
    for (const [m, z] of logits.entries()) {
      for (let k = 0; k < K; k++) sum[i * K + k] += a[m] * z[chosen[i] * K + k];
    }
  }
  const p = new Float64Array(K);
  /** Slope and curvature of the loss in the weight of z. */
  const derivatives = (z: ArrayLike<number>): [number, number] => {
    let [slope, curvature, total] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      let top = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < K; k++) top = Math.max(top, sum[i * K + k]);
      let mass = 0;
      for (let k = 0; k < K; k++) {
        p[k] = Math.exp(sum[i * K + k] - top);
        mass += p[k];
      }
      const at = chosen[i] * K;
      const own = z[at + labels[chosen[i]]];
      let [mean, square] = [0, 0];
      for (let k = 0; k < K; k++) {
        const d = z[at + k] - own;
        mean += (p[k] / mass) * d;
        square += (p[k] / mass) * d * d;
      }
      const w = weights ? weights[chosen[i]] : 1;
      slope += w * mean;
      curvature += w * (square - mean * mean);
      total += w;
    }
    return [slope / total, curvature / total];
  };
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let moved = 0;
    for (const [m, z] of logits.entries()) {
      const [slope, curvature] = derivatives(z);
      const step = Math.max(-slope / (curvature + RIDGE), -a[m]);
      // A step of more than the weights themselves is taken in parts: the loss is no parabola.
      const size = Math.sign(step) * Math.min(Math.abs(step), Math.max(0.5, a[m]));
      if (size === 0) continue;
      a[m] += size;
      moved = Math.max(moved, Math.abs(size));
      for (let i = 0; i < n; i++) for (let k = 0; k < K; k++) sum[i * K + k] += size * z[chosen[i] * K + k];
    }
    if (moved < SMALL) break;
  }
  return a;
}
