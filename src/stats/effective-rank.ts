/**
 * Over how many directions values spread, from the eigenvalues of their covariance: 1 where they lie on a line, as many as there
 * are eigenvalues where all are equal. NaN where none is above 0; neither depends on the scale.
 */

/**
 * Exponential of the entropy of the singular values as shares of their sum (Roy and Vetterli, The effective rank, EUSIPCO 2007).
 * @param eigenvalues of the covariance: squares of singular values, to a factor
 */
export function effectiveRank(eigenvalues: ArrayLike<number>): number {
  const singular = Array.from(eigenvalues, (value) => Math.sqrt(Math.max(0, value)));
  const total = singular.reduce((sum, value) => sum + value, 0);
  const entropy = singular.reduce(
    (sum, value) => (value > 0 ? sum - (value / total) * Math.log(value / total) : sum),
    0,
  );
  return total > 0 ? Math.exp(entropy) : Number.NaN;
}

/**
 * Squared sum of the eigenvalues over the sum of their squares (Gao et al., A theory of multineuronal dimensionality, 2017). Squares
 * weigh the largest directions more than the effective rank does: it is never above it.
 */
export function participationRatio(eigenvalues: ArrayLike<number>): number {
  let [sum, squares] = [0, 0];
  for (const value of Array.from(eigenvalues)) {
    sum += Math.max(0, value);
    squares += Math.max(0, value) ** 2;
  }
  return sum > 0 ? sum ** 2 / squares : Number.NaN;
}
