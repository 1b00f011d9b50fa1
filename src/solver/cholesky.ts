/** Cholesky factors of small symmetric positive definite matrices, row-major. */

/**
 * Writes L, with a = L L', over the lower triangle of a (size, size).
 * @returns false when a pivot is at most `floor` times its diagonal element; such a pivot is raised to 1e-300
 */
export function choleskyFactor(a: Float64Array, size: number, floor = 0): boolean {
  let definite = true;
  for (let j = 0; j < size; j++) {
    const least = floor * a[j * size + j];
    for (let i = j; i < size; i++) {
      const s = a[i * size + j] - rowProduct(a, i * size, a, j * size, j);
      if (i === j && !(s > least)) definite = false;
      a[i * size + j] = i === j ? Math.sqrt(Math.max(s, 1e-300)) : s / a[j * size + j];
    }
  }
  return definite;
}

/** Sum of a[x + k] b[y + k] over k < count. Four sums, since one would wait for itself. */
function rowProduct(a: Float64Array, x: number, b: Float64Array, y: number, count: number): number {
  let [s, t, u, v] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < count; k += 4) {
    s += a[x + k] * b[y + k];
    t += a[x + k + 1] * b[y + k + 1];
    u += a[x + k + 2] * b[y + k + 2];
    v += a[x + k + 3] * b[y + k + 3];
  }
  for (; k < count; k++) s += a[x + k] * b[y + k];
  return s + t + (u + v);
}

/** Solves L L' x = y, L as choleskyFactor leaves it; x takes the place of y (size). */
export function solveFactored(l: Float64Array, x: Float64Array): void {
  const size = x.length;
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i] -= l[i * size + k] * x[k];
    x[i] /= l[i * size + i];
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i] -= l[k * size + i] * x[k];
    x[i] /= l[i * size + i];
  }
}

/** Solves a x = y (size); a is overwritten by its factor. */
export function choleskySolve(a: Float64Array, y: Float64Array): Float64Array {
  const x = y.slice();
  choleskyFactor(a, x.length);
  solveFactored(a, x);
  return x;
}

/** Inverse of L', upper triangular, of a factor L (size, size). */
export function inverseTransposed(l: Float64Array, size: number): Float64Array {
  const u = new Float64Array(size * size);
  for (let j = 0; j < size; j++) {
    const row = j * size;
    u[row + j] = 1 / l[row + j];
    for (let i = j + 1; i < size; i++) {
      u[row + i] = -rowProduct(l, i * size + j, u, row + j, i - j) / l[i * size + i];
    }
  }
  return u;
}

/** Least pivot, as a share of the largest, that is not rounding. */
const LEAST_PIVOT = 1e-13;

/**
 * L, (size, rank), with a = L L' up to rounding, of a symmetric matrix that may lack rank (size, size): the largest pivot
 * first, and no more columns than a has directions.
 */
export function choleskyPivoted(a: Float64Array, size: number): { rows: number; columns: number; data: Float64Array } {
  const left = Float64Array.from({ length: size }, (_, i) => a[i * size + i]);
  const least = LEAST_PIVOT * left.reduce((most, v) => Math.max(most, v), 0);
  // Row by row of L', so that what a column is taken from lies together.
  const columns: Float64Array[] = [];
  while (columns.length < size) {
    const pivot = left.reduce((best, v, i) => (v > left[best] ? i : best), 0);
    if (!(left[pivot] > least)) break;
    const column = a.slice(pivot * size, (pivot + 1) * size);
    for (const other of columns) {
      const factor = other[pivot];
      if (factor !== 0) for (let i = 0; i < size; i++) column[i] -= factor * other[i];
    }
    const root = Math.sqrt(left[pivot]);
    for (let i = 0; i < size; i++) {
      column[i] /= root;
      left[i] -= column[i] ** 2;
    }
    left[pivot] = 0;
    columns.push(column);
  }
  const rank = columns.length;
  const data = new Float64Array(size * rank);
  for (const [j, column] of columns.entries()) for (let i = 0; i < size; i++) data[i * rank + j] = column[i];
  return { rows: size, columns: rank, data };
}
