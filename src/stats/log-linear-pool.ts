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
const MOST_STEPS = 50;
const MOST_SWEEPS = 1000;
/** Added to curvatures: a classifier whose logits are constant keeps its weight. */
const RIDGE = 1e-9;

/**
 * a >= 0, one for each classifier, that minimise the mean log loss of softmax(sum_m a_m z_m) over examples that no
 * classifier was fitted to: a convex problem, by Newton's steps within the bounds.
 * @param logits one (n, K) a classifier, row-major
 */
export function fitPoolWeights(logits: readonly ArrayLike<number>[], options: PoolOptions): Float64Array {
  let a = new Float64Array(logits.length).fill(1 / logits.length);
  let at = quadraticAt(logits, a, options);
  for (let iteration = 0; iteration < MOST_STEPS; iteration++) {
    const step = stepWithin(a, at);
    const slope = step.reduce((sum, s, m) => sum + s * at.gradient[m], 0);
    let moved = 0;
    // The loss is no parabola: a step is halved until it falls as it promises.
    for (let size = 1; size > 1e-6; size /= 2) {
      const next = a.map((v, m) => Math.max(0, v + size * step[m]));
      const there = quadraticAt(logits, next, options);
      if (there.loss > at.loss + 1e-4 * size * slope + 1e-15) continue;
      moved = next.reduce((most, v, m) => Math.max(most, Math.abs(v - a[m])), 0);
      [a, at] = [next, there];
      break;
    }
    if (moved < SMALL) break;
  }
  return a;
}

/** Loss at some weights, its slopes (m) and curvatures (m, m). */
interface Quadratic {
  readonly loss: number;
  readonly gradient: Float64Array;
  readonly hessian: Float64Array;
}

function quadraticAt(
  logits: readonly ArrayLike<number>[],
  a: Float64Array,
  { labels, classes: K, weights, rows }: PoolOptions,
): Quadratic {
  const M = logits.length;
  const n = rows?.length ?? labels.length;
  const gradient = new Float64Array(M);
  const hessian = new Float64Array(M * M);
  const p = new Float64Array(K);
  /** Each classifier's logits less that of the true class, (M, K), and their means. */
  const apart = new Float64Array(M * K);
  const means = new Float64Array(M);
  let [loss, total] = [0, 0];
  for (let i = 0; i < n; i++) {
    const row = rows ? rows[i] : i;
    const from = row * K;
    p.fill(0);
    for (let m = 0; m < M; m++) {
      const z = logits[m];
      const own = z[from + labels[row]];
      for (let k = 0; k < K; k++) {
        const d = z[from + k] - own;
        apart[m * K + k] = d;
        p[k] += a[m] * d;
      }
    }
    let top = 0;
    for (let k = 0; k < K; k++) if (p[k] > top) top = p[k];
    let mass = 0;
    for (let k = 0; k < K; k++) {
      p[k] = Math.exp(p[k] - top);
      mass += p[k];
    }
    const w = weights ? weights[row] : 1;
    loss += w * (Math.log(mass) + top);
    total += w;
    for (let m = 0; m < M; m++) {
      let mean = 0;
      for (let k = 0; k < K; k++) mean += p[k] * apart[m * K + k];
      means[m] = mean / mass;
      gradient[m] += w * means[m];
      for (let l = 0; l <= m; l++) {
        let product = 0;
        for (let k = 0; k < K; k++) product += p[k] * apart[m * K + k] * apart[l * K + k];
        hessian[m * M + l] += w * (product / mass - means[m] * means[l]);
      }
    }
  }
  for (let m = 0; m < M; m++) {
    gradient[m] /= total;
    for (let l = 0; l <= m; l++) {
      hessian[m * M + l] /= total;
      hessian[l * M + m] = hessian[m * M + l];
    }
  }
  return { loss: loss / total, gradient, hessian };
}

/** The step to where the parabola is lowest among weights of at least 0, a coordinate at a time. */
function stepWithin(a: Float64Array, { gradient, hessian }: Quadratic): Float64Array {
  const M = a.length;
  const step = new Float64Array(M);
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let moved = 0;
    for (let m = 0; m < M; m++) {
      let slope = gradient[m];
      for (let l = 0; l < M; l++) slope += hessian[m * M + l] * step[l];
      const next = Math.max(-a[m], step[m] - slope / (hessian[m * M + m] + RIDGE));
      moved = Math.max(moved, Math.abs(next - step[m]));
      step[m] = next;
    }
    if (moved < SMALL / 10) break;
  }
  return step;
}
