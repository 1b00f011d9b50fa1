/**
 * Agreement of two taps on who is near whom: the share of an example's k nearest neighbours in one that are among its k
 * nearest in the other, mean over examples (mutual k-nearest neighbours; Huh et al., The Platonic Representation Hypothesis,
 * ICML 2024). Near is by cosine, as there. Where several examples are equally far the k nearest are not one set, and the
 * agreement is the expected one if each tap drew among them: k / (n - 1), chance, of a tap that tells nothing apart.
 */
import type { Matrix, Multiply } from '../../solver/index.js';
import { at } from './coordinates.js';
import { transposed } from './transrate.js';

/** Cosines that differ by less are equal: rounding, of features that are the same. */
const SAME = 1e-9;
/** Rows of cosines that are held at once. */
const ROWS = 512;

/** Of each example, who may be among its k nearest, and with which probability. */
export interface Neighbours {
  readonly k: number;
  /** Where the neighbours of each example begin, and the end, (n + 1). */
  readonly starts: Int32Array;
  readonly examples: Int32Array;
  /** Of each of them, above 0; they sum to k for an example. */
  readonly chances: Float64Array;
}

/** Agreement of taps that have nothing to do with each other. */
export const chanceAgreement = (k: number, n: number): number => k / (n - 1);

/** @param z features, (n, r), not centred; n > k */
export async function nearestNeighbours(multiply: Multiply, z: Matrix, k: number): Promise<Neighbours> {
  const n = z.rows;
  const unit = unitRows(z);
  const columns = transposed(unit);
  const starts = new Int32Array(n + 1);
  const examples: number[] = [];
  const chances: number[] = [];
  for (let first = 0; first < n; first += ROWS) {
    const rows = Math.min(ROWS, n - first);
    const own = { rows, columns: z.columns, data: unit.data.subarray(first * z.columns, (first + rows) * z.columns) };
    const cosines = z.columns > 0 ? await multiply(own, columns) : new Float64Array(rows * n);
    for (let i = 0; i < rows; i++) {
      const row = cosines.subarray(i * n, (i + 1) * n);
      row[first + i] = Number.NEGATIVE_INFINITY;
      const last = largest(row, k);
      const nearer = row.reduce((count, v) => count + Number(v > last + SAME), 0);
      const tied = row.reduce((count, v) => count + Number(Math.abs(v - last) <= SAME), 0);
      for (let j = 0; j < n; j++) {
        const value = at(row, j);
        if (value < last - SAME) continue;
        examples.push(j);
        chances.push(value > last + SAME ? 1 : (k - nearer) / tied);
      }
      starts[first + i + 1] = examples.length;
    }
  }
  return { k, starts, examples: Int32Array.from(examples), chances: Float64Array.from(chances) };
}

/** Rows divided by their norms; a row of zeros stays one, as far from every other as from one at a right angle. */
function unitRows({ rows, columns, data }: Matrix): Matrix {
  const unit = data.slice();
  for (let i = 0; i < rows; i++) {
    const row = unit.subarray(i * columns, (i + 1) * columns);
    const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    if (norm > 0) for (let j = 0; j < columns; j++) row[j] = at(row, j) / norm;
  }
  return { rows, columns, data: unit };
}

/** The k-th largest of some values, from 1. */
function largest(values: Float64Array, k: number): number {
  // Ascending: the first is the least of the k largest so far.
  const top = new Float64Array(k).fill(Number.NEGATIVE_INFINITY);
  for (const value of values) {
    if (!(value > at(top, 0))) continue;
    let place = 0;
    for (; place + 1 < k && at(top, place + 1) < value; place++) top[place] = at(top, place + 1);
    top[place] = value;
  }
  return at(top, 0);
}

/** Between all taps, (taps, taps). A tap with ties agrees with itself by less than 1. */
export function neighbourAgreements(taps: readonly Neighbours[]): number[][] {
  const shares = taps.map(() => taps.map(() => 0));
  for (const [a, one] of taps.entries()) {
    const n = one.starts.length - 1;
    const chances = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const [from, to] = [one.starts[i] as number, one.starts[i + 1] as number];
      for (let e = from; e < to; e++) chances[one.examples[e] as number] = at(one.chances, e);
      for (let b = a; b < taps.length; b++) {
        const other = taps[b] as Neighbours;
        let shared = 0;
        for (let e = other.starts[i] as number; e < (other.starts[i + 1] as number); e++) {
          shared += at(chances, other.examples[e] as number) * at(other.chances, e);
        }
        (shares[a] as number[])[b] = ((shares[a] as number[])[b] as number) + shared;
      }
      for (let e = from; e < to; e++) chances[one.examples[e] as number] = 0;
    }
  }
  return taps.map(({ k, starts }, a) =>
    taps.map((_, b) => ((shares[Math.min(a, b)] as number[])[Math.max(a, b)] as number) / (k * (starts.length - 1))),
  );
}
