/**
 * Likeness of two representations of the same examples: linear centred kernel alignment with the unbiased estimator of the
 * Hilbert-Schmidt independence criterion (Song et al., 2012; Kornblith et al., 2019; Nguyen et al., 2021). About 0 for
 * unrelated ones whatever their widths (it may be slightly below), 1 for equal ones up to rotation and scale.
 */

/** Inner products of all pairs of examples, (n, n), with a zero diagonal. @param features (n, p), row-major */
export function linearKernel(features: ArrayLike<number>, n: number): Float64Array {
  const p = features.length / n;
  if (!Number.isInteger(p)) throw new Error(`${features.length} values are no rows of ${n} examples`);
  const centred = Float64Array.from(features);
  for (let j = 0; j < p; j++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += centred[i * p + j] / n;
    for (let i = 0; i < n; i++) centred[i * p + j] -= mean;
  }
  const kernel = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      let sum = 0;
      for (let j = 0; j < p; j++) sum += centred[i * p + j] * centred[k * p + j];
      kernel[i * n + k] = sum;
      kernel[k * n + i] = sum;
    }
  }
  return kernel;
}

/** Unbiased HSIC of two kernels with zero diagonals, (n, n), n >= 4 (Song et al., 2012, equation 5). */
export function unbiasedHsic(k: Float64Array, l: Float64Array): number {
  const n = Math.round(Math.sqrt(k.length));
  if (n < 4 || l.length !== k.length)
    throw new Error(`HSIC of ${k.length} and ${l.length} entries: needs the same n >= 4`);
  let [trace, sumK, sumL, cross] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    let [rowK, rowL] = [0, 0];
    for (let j = 0; j < n; j++) {
      const [a, b] = [k[i * n + j], l[i * n + j]];
      trace += a * b;
      rowK += a;
      rowL += b;
    }
    sumK += rowK;
    sumL += rowL;
    cross += rowK * rowL;
  }
  return (trace + (sumK * sumL) / ((n - 1) * (n - 2)) - (2 / (n - 2)) * cross) / (n * (n - 3));
}

/** Debiased linear CKA of two kernels of `linearKernel`. */
export function debiasedCka(k: Float64Array, l: Float64Array): number {
  return unbiasedHsic(k, l) / Math.sqrt(unbiasedHsic(k, k) * unbiasedHsic(l, l));
}
