/** The largest eigenvalues of a symmetric positive semidefinite matrix, by block subspace iteration. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { Random } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { products } from './products.js';

export interface TopEigen {
  /** Largest first. */
  readonly values: Float64Array;
  /** Orthonormal columns, (size, values.length). */
  readonly vectors: Float64Array;
  /** Mean of the eigenvalues that are left. */
  readonly rest: number;
}

/** @param most largest number of eigenvalues */
export async function topEigen(engine: Engine, matrix: Float64Array, size: number, most = 160): Promise<TopEigen> {
  const r = Math.min(most, size);
  const random = new Random(0, 'spectrum', size, r);
  let q: Float64Array = new Float64Array(size * r).map(() => random.normal());
  const multiply = await products(engine);
  const apply = (x: Float64Array) =>
    multiply({ rows: size, columns: size, data: matrix }, { rows: size, columns: r, data: x });
  for (let iteration = 0; iteration < 3; iteration++) q = await orthonormal(engine, await apply(q), size, r);
  const image = await apply(q);
  const small = new Matrix(await gramOf(engine, q, image, size, r));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(small, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, i) => i).sort((i, j) => realEigenvalues[j] - realEigenvalues[i]);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += matrix[i * size + i];
  const kept = order.filter((i) => realEigenvalues[i] > 1e-12 * trace);
  const rotation = new Float64Array(r * kept.length);
  for (const [e, i] of kept.entries()) {
    for (let k = 0; k < r; k++) rotation[k * kept.length + e] = eigenvectorMatrix.get(k, i);
  }
  const vectors = await multiply(
    { rows: size, columns: r, data: q },
    { rows: r, columns: kept.length, data: rotation },
  );
  const values = Float64Array.from(kept, (i) => realEigenvalues[i]);
  const rest = Math.max(0, trace - values.reduce((a, b) => a + b, 0)) / Math.max(1, size - kept.length);
  return { values, vectors, rest };
}

async function gramOf(engine: Engine, a: Float64Array, b: Float64Array, size: number, r: number): Promise<number[][]> {
  const multiply = await products(engine);
  const data = await multiply({ rows: size, columns: r, data: a }, { rows: size, columns: r, data: b }, true);
  return Array.from({ length: r }, (_, i) =>
    Array.from({ length: r }, (_, j) => 0.5 * (data[i * r + j] + data[j * r + i])),
  );
}

/** Orthonormal columns of the same span: Cholesky factors of x'x, twice; Gram-Schmidt where x lacks rank. */
async function orthonormal(engine: Engine, x: Float64Array, size: number, r: number): Promise<Float64Array> {
  let q = x;
  for (let pass = 0; pass < 2; pass++) {
    const inverse = inverseFactor(await gramOf(engine, q, q, size, r));
    if (!inverse) return gramSchmidt(x, size, r);
    const multiply = await products(engine);
    q = await multiply({ rows: size, columns: r, data: q }, { rows: r, columns: r, data: inverse });
  }
  return q;
}

/** Inverse of the transposed Cholesky factor, row-major; undefined when the matrix is close to singular. */
function inverseFactor(a: number[][]): Float64Array | undefined {
  const r = a.length;
  const l = new Float64Array(r * r);
  for (let j = 0; j < r; j++) {
    for (let i = j; i < r; i++) {
      let s = a[i][j];
      for (let k = 0; k < j; k++) s -= l[i * r + k] * l[j * r + k];
      if (i > j) l[i * r + j] = s / l[j * r + j];
      else if (s > 1e-10 * a[j][j]) l[j * r + j] = Math.sqrt(s);
      else return undefined;
    }
  }
  // Column by column: u = inverse of l', upper triangular.
  const u = new Float64Array(r * r);
  for (let j = 0; j < r; j++) {
    u[j * r + j] = 1 / l[j * r + j];
    for (let i = j - 1; i >= 0; i--) {
      let s = 0;
      for (let k = i + 1; k <= j; k++) s += l[k * r + i] * u[k * r + j];
      u[i * r + j] = -s / l[i * r + i];
    }
  }
  return u;
}

function gramSchmidt(x: Float64Array, size: number, r: number): Float64Array {
  const columns = Array.from({ length: r }, (_, j) => Float64Array.from({ length: size }, (_, i) => x[i * r + j]));
  for (const [j, column] of columns.entries()) {
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < j; k++) {
        const other = columns[k] as Float64Array;
        let dot = 0;
        for (let i = 0; i < size; i++) dot += column[i] * other[i];
        for (let i = 0; i < size; i++) column[i] -= dot * other[i];
      }
    }
    const norm = Math.sqrt(column.reduce((s, v) => s + v * v, 0));
    for (let i = 0; i < size; i++) column[i] = norm > 0 ? column[i] / norm : 0;
  }
  const result = new Float64Array(size * r);
  for (const [j, column] of columns.entries()) for (let i = 0; i < size; i++) result[i * r + j] = column[i];
  return result;
}
