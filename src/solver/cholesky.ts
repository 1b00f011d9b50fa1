/** Solves a x = y for one small symmetric positive definite matrix (row-major, overwritten by its factor). */
export function choleskySolve(a: Float64Array, y: Float64Array): Float64Array {
  const K = y.length;
  for (let j = 0; j < K; j++) {
    for (let i = j; i < K; i++) {
      let s = a[i * K + j] as number;
      for (let k = 0; k < j; k++) s -= (a[i * K + k] as number) * (a[j * K + k] as number);
      a[i * K + j] = i === j ? Math.sqrt(Math.max(s, 1e-300)) : s / (a[j * K + j] as number);
    }
  }
  const x = y.slice();
  for (let i = 0; i < K; i++) {
    for (let k = 0; k < i; k++) x[i] = (x[i] as number) - (a[i * K + k] as number) * (x[k] as number);
    x[i] = (x[i] as number) / (a[i * K + i] as number);
  }
  for (let i = K - 1; i >= 0; i--) {
    for (let k = i + 1; k < K; k++) x[i] = (x[i] as number) - (a[k * K + i] as number) * (x[k] as number);
    x[i] = (x[i] as number) / (a[i * K + i] as number);
  }
  return x;
}
