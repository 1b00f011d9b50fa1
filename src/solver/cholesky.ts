/** Solves a x = y for one small symmetric positive definite matrix (row-major, overwritten by its factor). */
export function choleskySolve(a: Float64Array, y: Float64Array): Float64Array {
  const K = y.length;
  for (let j = 0; j < K; j++) {
    for (let i = j; i < K; i++) {
      let s = a[i * K + j];
      for (let k = 0; k < j; k++) s -= a[i * K + k] * a[j * K + k];
      a[i * K + j] = i === j ? Math.sqrt(Math.max(s, 1e-300)) : s / a[j * K + j];
    }
  }
  const x = y.slice();
  for (let i = 0; i < K; i++) {
    for (let k = 0; k < i; k++) x[i] -= a[i * K + k] * x[k];
    x[i] /= a[i * K + i];
  }
  for (let i = K - 1; i >= 0; i--) {
    for (let k = i + 1; k < K; k++) x[i] -= a[k * K + i] * x[k];
    x[i] /= a[i * K + i];
  }
  return x;
}
