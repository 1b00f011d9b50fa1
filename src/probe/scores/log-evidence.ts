/**
 * LogME (You et al., ICML 2021; the fixed point of You et al., JMLR 2022): mean over classes of the log evidence per example of a
 * Bayesian linear regression, without intercept, of the class's indicator on the features, alpha and beta where they are
 * most likely.
 */
import { type Matrix, type Multiply, spectrumOf } from '../../solver/index.js';
import { at, squareOf } from './coordinates.js';

const iteration = { steps: 11, change: 1e-3, floor: 1e-5 };
/** Eigenvalues below this share of the largest are rounding. */
const NONE = 1e-13;

/**
 * @param z features, (n, r), not centred
 * @param targets (n, columns), one regression each: indicators of classes, or any values
 * @param width number of features, p
 */
export async function logEvidence(multiply: Multiply, z: Matrix, targets: Matrix, width: number): Promise<number> {
  const [n, C] = [z.rows, targets.columns];
  if (z.columns === 0) return Number.NaN;
  const projected = await multiply(targets, z, true);
  const { values, rows } = spectrumOf(await squareOf(multiply, z), z.columns, projected);
  const rank = values.filter((v) => v > NONE * at(values, 0)).length;
  const sigma = values.subarray(0, rank);
  let total = 0;
  for (let c = 0; c < C; c++) {
    const squares = sigma.map((s, k) => at(rows, c * z.columns + k) ** 2 / s);
    let norm = 0;
    for (let i = 0; i < n; i++) norm += at(targets.data, i * C + c) ** 2;
    const outside = Math.max(0, norm - squares.reduce((sum, v) => sum + v, 0));
    total += evidenceOf(sigma, squares, { outside, n, width });
  }
  return total / n / C;
}

/** @param squares squared projections of the target on the left singular vectors */
function evidenceOf(
  sigma: Float64Array,
  squares: Float64Array,
  { outside, n, width }: { outside: number; n: number; width: number },
): number {
  let [alpha, beta, m2, residual] = [1, 1, 0, 0];
  for (let step = 0; step < iteration.steps; step++) {
    const ratio = alpha / beta;
    let gamma = 0;
    [m2, residual] = [0, outside];
    for (const [k, s] of sigma.entries()) {
      gamma += s / (s + ratio);
      m2 += (s * at(squares, k)) / (s + ratio) ** 2;
      residual += at(squares, k) / (1 + s / ratio) ** 2;
    }
    alpha = gamma / (m2 + iteration.floor);
    beta = (n - gamma) / (residual + iteration.floor);
    if (Math.abs(alpha / beta - ratio) / ratio <= iteration.change) break;
  }
  const determinant = sigma.reduce(
    (sum, s) => sum + Math.log(alpha + beta * s),
    (width - sigma.length) * Math.log(alpha),
  );
  return (
    (width / 2) * Math.log(alpha) +
    (n / 2) * Math.log(beta) -
    determinant / 2 -
    (beta / 2) * residual -
    (alpha / 2) * m2 -
    (n / 2) * Math.log(2 * Math.PI)
  );
}
