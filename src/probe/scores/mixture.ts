/** A mixture of Gaussians with diagonal covariances, by expectation and maximisation. */
import { Random } from '../../base/index.js';
import { type Matrix, type Multiply, probabilities } from '../../solver/index.js';
import { at } from './coordinates.js';

export interface MixtureOptions {
  /** Change of the mean log likelihood below which it ends. */
  readonly tolerance: number;
  readonly steps: number;
  /** Added to every variance. */
  readonly floor: number;
}

/**
 * Probability of each component for each example, (n, components).
 * @param x (n, d)
 * @param start the same before the first maximisation
 */
export async function fitMixture(
  multiply: Multiply,
  x: Matrix,
  start: Matrix,
  { tolerance, steps, floor }: MixtureOptions,
): Promise<Matrix> {
  const squares = { ...x, data: x.data.map((v) => v * v) };
  let model = await maximise(multiply, x, squares, start, floor);
  let last = Number.NEGATIVE_INFINITY;
  for (let step = 0; step < steps; step++) {
    const { shares, likelihood } = await expect(multiply, x, squares, model);
    model = await maximise(multiply, x, squares, shares, floor);
    const change = Math.abs(likelihood - last);
    last = likelihood;
    if (change < tolerance) break;
  }
  return (await expect(multiply, x, squares, model)).shares;
}

interface Mixture {
  /** mean / variance and 1 / variance, (d, components). */
  readonly pull: Matrix;
  readonly precision: Matrix;
  /** Log density of each component that does not depend on the example, with its weight, (components). */
  readonly constant: Float64Array;
}

async function maximise(
  multiply: Multiply,
  x: Matrix,
  squares: Matrix,
  shares: Matrix,
  floor: number,
): Promise<Mixture> {
  const [n, d, k] = [x.rows, x.columns, shares.columns];
  const counts = new Float64Array(k).fill(10 * Number.EPSILON);
  for (const [e, v] of shares.data.entries()) counts[e % k] = at(counts, e % k) + v;
  const [sums, seconds] = [await multiply(x, shares, true), await multiply(squares, shares, true)];
  const constant = counts.map((count) => Math.log(count / n) - (d / 2) * Math.log(2 * Math.PI));
  const [pull, precision] = [new Float64Array(d * k), new Float64Array(d * k)];
  for (let e = 0; e < d * k; e++) {
    const c = e % k;
    const mean = at(sums, e) / at(counts, c);
    const variance = Math.max(0, at(seconds, e) / at(counts, c) - mean ** 2) + floor;
    precision[e] = 1 / variance;
    pull[e] = mean / variance;
    constant[c] = at(constant, c) - Math.log(variance) / 2 - mean ** 2 / variance / 2;
  }
  return {
    pull: { rows: d, columns: k, data: pull },
    precision: { rows: d, columns: k, data: precision },
    constant,
  };
}

async function expect(multiply: Multiply, x: Matrix, squares: Matrix, { pull, precision, constant }: Mixture) {
  const k = constant.length;
  const [linear, quadratic] = [await multiply(x, pull), await multiply(squares, precision)];
  const logs = linear.map((v, e) => v - at(quadratic, e) / 2 + at(constant, e % k));
  let likelihood = 0;
  for (let i = 0; i < x.rows; i++) {
    const row = logs.subarray(i * k, (i + 1) * k);
    const top = row.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY);
    likelihood += (top + Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0))) / x.rows;
  }
  return { shares: { rows: x.rows, columns: k, data: probabilities(logs, k) }, likelihood };
}

/** Which centre each example is nearest to after k-means: seeded as k-means++ is, a few of Lloyd's steps; one-hot (n, k). */
export function nearestCentres(x: Matrix, k: number, seed: number, steps = 10): Matrix {
  const { rows: n, columns: d, data } = x;
  const random = new Random(seed, 'mixture');
  const distance = (i: number, centre: Float64Array) => {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += (at(data, i * d + j) - at(centre, j)) ** 2;
    return sum;
  };
  const row = (i: number) => data.slice(i * d, (i + 1) * d);
  const centres = [row(random.integer(n))];
  const least = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  while (centres.length < k) {
    const last = centres[centres.length - 1] as Float64Array;
    let total = 0;
    for (let i = 0; i < n; i++) total += least[i] = Math.min(at(least, i), distance(i, last));
    let left = random.uniform() * total;
    let next = 0;
    while (next < n - 1 && left >= at(least, next)) left -= at(least, next++);
    centres.push(row(next));
  }
  const own = new Int32Array(n);
  for (let step = 0; step <= steps; step++) {
    for (let i = 0; i < n; i++) {
      let best = Number.POSITIVE_INFINITY;
      for (const [c, centre] of centres.entries()) {
        const square = distance(i, centre);
        if (square < best) [best, own[i]] = [square, c];
      }
    }
    if (step === steps) break;
    for (const [c, centre] of centres.entries()) {
      const members = [...own.keys()].filter((i) => own[i] === c);
      if (members.length === 0) continue;
      centre.fill(0);
      for (const i of members)
        for (let j = 0; j < d; j++) centre[j] = at(centre, j) + at(data, i * d + j) / members.length;
    }
  }
  const onehot = new Float64Array(n * k);
  for (const [i, c] of own.entries()) onehot[i * k + c] = 1;
  return { rows: n, columns: k, data: onehot };
}
