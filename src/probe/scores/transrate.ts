/**
 * TransRate (Huang et al., ICML 2022): coding rate of the centred features less the mean coding rate of the classes,
 * R(Z) = ln det(I + Z'Z / (n epsilon)) / 2, nats.
 */
import { choleskyFactor, type Matrix, type Multiply } from '../../solver/index.js';
import { at, squareOf } from './coordinates.js';
import type { Grouped } from './scatter.js';

/** Distortion, of features as they are. */
export const EPSILON = 1e-4;

export async function transRate(multiply: Multiply, { z, labels, classes }: Grouped): Promise<number> {
  let within = 0;
  for (let k = 0; k < classes; k++) {
    const rows = [...labels.keys()].filter((i) => labels[i] === k);
    within += (await codingRate(multiply, take(z, rows))) / classes;
  }
  return (await codingRate(multiply, z)) - within;
}

async function codingRate(multiply: Multiply, z: Matrix): Promise<number> {
  const { rows: n, columns: r } = z;
  const size = Math.min(n, r);
  if (size === 0) return 0;
  const gram = await squareOf(multiply, n < r ? transposed(z) : z);
  for (let e = 0; e < gram.length; e++) gram[e] = at(gram, e) / (n * EPSILON) + (e % (size + 1) === 0 ? 1 : 0);
  choleskyFactor(gram, size);
  let sum = 0;
  for (let j = 0; j < size; j++) sum += Math.log(at(gram, j * (size + 1)));
  return sum;
}

export function take({ columns, data }: Matrix, rows: readonly number[]): Matrix {
  const own = new Float64Array(rows.length * columns);
  for (const [to, row] of rows.entries()) own.set(data.subarray(row * columns, (row + 1) * columns), to * columns);
  return { rows: rows.length, columns, data: own };
}

export function transposed({ rows, columns, data }: Matrix): Matrix {
  const turned = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = at(data, i * columns + j);
  return { rows: columns, columns: rows, data: turned };
}
