/**
 * The largest eigenvalues of a symmetric positive semidefinite matrix, of any rank: by a whole eigendecomposition where
 * the matrix is small, by block subspace iteration where it is not.
 */
import { Random } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { choleskyFactor, inverseTransposed } from '../cholesky.js';
import { type Eigen, symmetricEigen } from '../eigen.js';
import { type Matrix, products } from '../products.js';
import { sum } from '../vectors.js';

export interface TopEigen extends Eigen {
  /** Mean of the eigenvalues that are left. */
  readonly rest: number;
  /** Whether those together are rounding of zero: the matrix has no more rank than there are values. */
  readonly complete: boolean;
}

/** Eigenvalues below this share of the largest are rounding of zero. */
const ZERO = 3e-14;
/** The same of all of them together, as a share of the trace. */
const COMPLETE = 1e-12;
const ITERATIONS = 3;

/**
 * @param matrix row-major (size, size)
 * @param most largest number of eigenvalues
 */
export async function topEigen(engine: Engine, matrix: Float64Array, size: number, most = 160): Promise<TopEigen> {
  const { values, vectors } =
    size <= most ? symmetricEigen(matrix, size) : await subspaceEigen(engine, matrix, size, most);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += matrix[i * size + i];
  let kept = 0;
  while (kept < values.length && values[kept] > ZERO * values[0]) kept++;
  const columns = new Float64Array(size * kept);
  for (let i = 0; i < size; i++) {
    columns.set(vectors.subarray(i * values.length, i * values.length + kept), i * kept);
  }
  const found = values.slice(0, kept);
  const left = Math.max(0, trace - sum(found));
  return { values: found, vectors: columns, rest: left / Math.max(1, size - kept), complete: left <= COMPLETE * trace };
}

/** Rayleigh-Ritz on a subspace that has been multiplied by the matrix a few times. */
async function subspaceEigen(engine: Engine, data: Float64Array, size: number, most: number): Promise<Eigen> {
  const multiply = await products(engine);
  const matrix: Matrix = { rows: size, columns: size, data };
  const random = new Random(0, 'spectrum', size, most);
  let q: Matrix = { rows: size, columns: most, data: new Float64Array(size * most).map(() => random.normal()) };
  const image = async (): Promise<Matrix> => ({ ...q, data: await multiply(matrix, q) });
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    q = await orthonormal(engine, await image());
    if (q.columns === 0) return { values: new Float64Array(0), vectors: new Float64Array(0) };
  }
  const { columns } = q;
  const { values, vectors } = symmetricEigen(await multiply(q, await image(), true), columns);
  return { values, vectors: await multiply(q, { rows: columns, columns, data: vectors }) };
}

/**
 * Orthonormal columns of the same span, fewer where x lacks rank: by Cholesky factors of x'x, twice; where x is too near
 * to losing rank for that, column by column.
 */
async function orthonormal(engine: Engine, x: Matrix): Promise<Matrix> {
  const multiply = await products(engine);
  const { rows, columns } = x;
  let q = x.data;
  for (let pass = 0; pass < 2; pass++) {
    const l = await multiply({ rows, columns, data: q }, { rows, columns, data: q }, true);
    if (!choleskyFactor(l, columns, 1e-10)) return gramSchmidt(x);
    q = await multiply({ rows, columns, data: q }, { rows: columns, columns, data: inverseTransposed(l, columns) });
  }
  return { rows, columns, data: q };
}

/** A column is in the span of those before it when no more than this share of it is left outside. */
const DEPENDENT = 1e-12;

/**
 * Gram-Schmidt, each column projected until its norm stays (Kahan and Parlett: twice is enough). What is left of a column
 * in the span of the others is rounding noise, which no projection makes orthogonal: it is dropped.
 */
function gramSchmidt({ rows, columns, data }: Matrix): Matrix {
  const kept: Float64Array[] = [];
  for (let j = 0; j < columns; j++) {
    const column = Float64Array.from({ length: rows }, (_, i) => data[i * columns + j]);
    const whole = norm(column);
    for (let left = whole, before = Number.POSITIVE_INFINITY; left > DEPENDENT * whole && left < 0.5 * before; ) {
      for (const other of kept) {
        let dot = 0;
        for (let i = 0; i < rows; i++) dot += column[i] * other[i];
        for (let i = 0; i < rows; i++) column[i] -= dot * other[i];
      }
      [before, left] = [left, norm(column)];
    }
    const left = norm(column);
    if (left > DEPENDENT * whole) kept.push(column.map((v) => v / left));
  }
  const result = new Float64Array(rows * kept.length);
  for (const [e, column] of kept.entries()) for (let i = 0; i < rows; i++) result[i * kept.length + e] = column[i];
  return { rows, columns: kept.length, data: result };
}

function norm(x: Float64Array): number {
  let square = 0;
  for (let i = 0; i < x.length; i++) square += x[i] * x[i];
  return Math.sqrt(square);
}
