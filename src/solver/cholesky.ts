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
      let s = a[i * size + j];
      for (let k = 0; k < j; k++) s -= a[i * size + k] * a[j * size + k];
      if (i === j && !(s > least)) definite = false;
      a[i * size + j] = i === j ? Math.sqrt(Math.max(s, 1e-300)) : s / a[j * size + j];
    }
  }
  return definite;
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
    u[j * size + j] = 1 / l[j * size + j];
    for (let i = j - 1; i >= 0; i--) {
      let s = 0;
      for (let k = i + 1; k <= j; k++) s += l[k * size + i] * u[k * size + j];
      u[i * size + j] = -s / l[i * size + i];
    }
  }
  return u;
}
