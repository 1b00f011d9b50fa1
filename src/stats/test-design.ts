/** How test examples were drawn, and how they are averaged: what the error of a mean over them follows from. */
import { UserError } from '../base/index.js';

/** How test examples were drawn. */
export interface Sampling {
  /** Cluster of every example, by any name: tracks, patients, authors. Every example is its own by default. */
  readonly clusters?: readonly (string | number)[] | undefined;
  /** Class of every example, where the mean of the classes' means is the figure. */
  readonly strata?: ArrayLike<number> | undefined;
}

export interface MeanError {
  readonly mean: number;
  /** Variance of the mean over the drawing of clusters, never below that of as many independent examples. */
  readonly variance: number;
  /** Each cluster's part in the error, (clusters); their squares add up to the variance over clusters. */
  readonly influence: Float64Array;
  /** Degrees of freedom of `variance`. */
  readonly df: number;
}

/** The examples of one stratum that belong to one cluster. */
interface Part {
  readonly cluster: number;
  readonly members: number[];
}

/**
 * The mean of n values, or of their strata's means, with its cluster-robust error: the regression on the strata's
 * indicators with the bias-reduced variance CR2 and its degrees of freedom (Bell and McCaffrey, 2002; Pustejovsky and
 * Tipton, 2018), here in closed form. Within clusters values correlate by an intraclass correlation estimated from them
 * (one-way analysis of variance), which the degrees of freedom follow.
 */
export class TestDesign {
  /** Number of clusters. */
  readonly clusters: number;
  /** Equal clusters that would weigh like these: 1 / sum of squared weights. */
  readonly equalClusters: number;
  readonly clustered: boolean;
  readonly stratified: boolean;
  readonly #strata: readonly (readonly Part[])[];

  /** @throws UserError unless each of the n examples has its cluster and its class */
  constructor(
    readonly n: number,
    { clusters, strata }: Sampling = {},
  ) {
    for (const [what, list] of [
      ['groups', clusters],
      ['classes', strata],
    ] as const) {
      if (list && list.length !== n)
        throw new UserError(`${list.length} ${what} for ${n} test examples: give each one`);
    }
    const numbers = new Map<string | number, number>();
    const byStratum = new Map<number, Map<number, Part>>();
    for (let i = 0; i < n; i++) {
      const name = clusters ? clusters[i] : i;
      const cluster = numbers.get(name) ?? numbers.size;
      numbers.set(name, cluster);
      const parts = entry(byStratum, strata ? strata[i] : 0, () => new Map<number, Part>());
      entry(parts, cluster, () => ({ cluster, members: [] })).members.push(i);
    }
    this.clusters = numbers.size;
    this.clustered = this.clusters < n;
    this.stratified = byStratum.size > 1;
    this.#strata = [...byStratum.values()].map((parts) => [...parts.values()]);
    const totals = new Float64Array(this.clusters);
    for (const parts of this.#strata) {
      const weight = 1 / (this.#strata.length * sizeOf(parts));
      for (const { cluster, members } of parts) totals[cluster] += weight * members.length;
    }
    this.equalClusters = 1 / totals.reduce((sum, w) => sum + w * w, 0);
  }

  /** The mean of the examples' values, each stratum and cluster with its weight. */
  mean(values: ArrayLike<number>): number {
    const means = this.#strata.map((parts) => meanOf(parts, values));
    return means.reduce((sum, v) => sum + v, 0) / means.length;
  }

  /** Clusters that values >= 0 are spread over, as many equal ones: (sum of sums)^2 / sum of squared sums. */
  spreadOver(values: ArrayLike<number>): number {
    const sums = new Float64Array(this.clusters);
    for (const parts of this.#strata) {
      const weight = 1 / (this.#strata.length * sizeOf(parts));
      for (const { cluster, members } of parts) for (const i of members) sums[cluster] += weight * values[i];
    }
    const squares = sumOfSquares(sums);
    return squares > 0 ? sums.reduce((sum, v) => sum + v, 0) ** 2 / squares : 0;
  }

  /** The standard error of the examples' mean, with its degrees of freedom and what each cluster adds to it. */
  errorOf(values: ArrayLike<number>): MeanError {
    const mean = this.mean(values);
    const correlation = this.clustered ? this.#intraclassCorrelation(values) : 0;
    const influence = new Float64Array(this.clusters);
    /** Variance and degrees of freedom of every stratum; strata of one cluster share the last. */
    const found: { variance: number; df: number }[] = [];
    let [alone, aloneVariance, independent] = [0, 0, 0];
    for (const parts of this.#strata) {
      const size = sizeOf(parts);
      const weight = 1 / (this.#strata.length * size);
      const own = meanOf(parts, values);
      let variance = 0;
      for (const { cluster, members } of parts) {
        let sum = 0;
        let squares = 0;
        for (const i of members) {
          sum += values[i] - own;
          squares += (values[i] - own) ** 2;
        }
        independent += size > 1 ? (weight ** 2 * squares * size) / (size - 1) : 0;
        // A stratum that is one cluster has no spread of its own: its distance from the whole stands in (Lumley, 2010).
        const part =
          parts.length > 1 ? (weight * sum) / Math.sqrt(1 - members.length / size) : weight * size * (own - mean);
        influence[cluster] += part;
        variance += part ** 2;
      }
      if (parts.length > 1) found.push({ variance, df: bellMcCaffrey(parts, size, correlation) });
      else {
        alone++;
        aloneVariance += variance;
      }
    }
    if (alone > 0) found.push({ variance: aloneVariance, df: Math.max(1, alone - 1) });
    return {
      mean,
      variance: Math.max(independent, sumOfSquares(influence)),
      influence,
      df: Math.max(1, Math.min(this.clusters - 1, satterthwaite(found))),
    };
  }

  /** Share of the variance around the strata's means that lies between clusters, in [0, 1] (one-way analysis of variance). */
  #intraclassCorrelation(values: ArrayLike<number>): number {
    let [between, within, clusters, squares] = [0, 0, 0, 0];
    for (const parts of this.#strata) {
      const [own, size] = [meanOf(parts, values), sizeOf(parts)];
      clusters += parts.length - 1;
      squares += size;
      for (const { members } of parts) {
        const mine = members.reduce((sum, i) => sum + values[i], 0) / members.length;
        between += members.length * (mine - own) ** 2;
        for (const i of members) within += (values[i] - mine) ** 2;
        squares -= members.length ** 2 / size;
      }
    }
    const free = this.n - clusters - this.#strata.length;
    if (clusters === 0 || free === 0) return 0;
    const typical = squares / clusters;
    const [over, inside] = [between / clusters, within / free];
    const all = over + (typical - 1) * inside;
    return all > 0 ? Math.max(0, (over - inside) / all) : 0;
  }
}

/**
 * Degrees of freedom of CR2 for a mean of clusters of unequal sizes whose members correlate by rho: tr(M)^2 / tr(M^2), M the
 * covariance of the adjusted cluster sums (Bell and McCaffrey, 2002, with the working covariance of Imbens and Kolesar, 2016).
 */
function bellMcCaffrey(parts: readonly Part[], size: number, rho: number): number {
  let [total, p, q, r] = [0, 0, 0, 0];
  const terms = parts.map(({ members: { length: n } }) => {
    const [w, v] = [n / size, n * (1 + (n - 1) * rho)];
    const d = 1 / (1 - w);
    total += v;
    p += d * w * w;
    q += d * v * v;
    r += d * w * v;
    return { w, v, d };
  });
  let trace = 0;
  let square = 2 * p * q + (total * p) ** 2 + 2 * r * r - 4 * total * p * r;
  for (const { w, v, d } of terms) {
    const off = w * w * total - 2 * w * v;
    trace += d * (v + off);
    square += d * d * ((v + off) ** 2 - off ** 2);
  }
  return trace ** 2 / square;
}

/** Degrees of freedom of a sum of independent variance estimates (Satterthwaite, 1946). */
export function satterthwaite(parts: readonly { readonly variance: number; readonly df: number }[]): number {
  const total = parts.reduce((sum, { variance }) => sum + variance, 0);
  const spread = parts.reduce((sum, { variance, df }) => sum + (variance > 0 ? variance ** 2 / df : 0), 0);
  return spread > 0 ? total ** 2 / spread : Number.POSITIVE_INFINITY;
}

export const sumOfSquares = (values: Float64Array): number => values.reduce((sum, v) => sum + v * v, 0);

/** Standard error of the mean of `values` over examples that come in clusters. */
export function standardErrorOf(values: ArrayLike<number>, sampling: Sampling = {}): number {
  return Math.sqrt(new TestDesign(values.length, sampling).errorOf(values).variance);
}

const sizeOf = (parts: readonly Part[]): number => parts.reduce((sum, { members }) => sum + members.length, 0);

function meanOf(parts: readonly Part[], values: ArrayLike<number>): number {
  let sum = 0;
  for (const { members } of parts) for (const i of members) sum += values[i];
  return sum / sizeOf(parts);
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}
