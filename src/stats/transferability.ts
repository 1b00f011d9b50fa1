/**
 * Scores that say, without training, how well features suit labels, and how alike two sets of features are (debiased: see
 * cka.ts). Matrices are lists of n rows; labels are class numbers 0 ... C - 1.
 */
import { Matrix, pseudoInverse, SVD } from 'ml-matrix';

type Rows = readonly (readonly number[])[];

function centred(rows: Rows): Matrix {
  const matrix = new Matrix(rows.map((row) => [...row]));
  return matrix.subRowVector(matrix.mean('column'));
}

/**
 * H-score (Bao et al., 2019): tr(cov(F)^+ cov(E[F | y])), at most min(C - 1, D). Features that are fewer than directions make
 * it too high: singular values below 1e-12 of the largest are taken as none.
 */
export function hScore(features: Rows, labels: ArrayLike<number>): number {
  const f = centred(features);
  const n = features.length;
  const means = new Map<number, { sum: Float64Array; count: number }>();
  for (let i = 0; i < n; i++) {
    const own = means.get(labels[i]) ?? { sum: new Float64Array(f.columns), count: 0 };
    for (let j = 0; j < f.columns; j++) own.sum[j] += f.get(i, j);
    own.count++;
    means.set(labels[i], own);
  }
  const g = Matrix.zeros(n, f.columns);
  for (let i = 0; i < n; i++) {
    const own = means.get(labels[i]);
    if (own) for (let j = 0; j < f.columns; j++) g.set(i, j, own.sum[j] / own.count);
  }
  const covariance = (m: Matrix) => m.transpose().mmul(m).div(n);
  const within = covariance(f);
  return pseudoInverse(within, 1e-12 * within.norm())
    .mmul(covariance(g))
    .trace();
}

/**
 * LEEP (Nguyen et al., 2020): mean log likelihood of the labels under the empirical P(label | source class), averaged by what
 * the source model says.
 * @param source probabilities of the source model's classes, (n, Z)
 */
export function leep(source: Rows, labels: ArrayLike<number>): number {
  const Z = source[0]?.length ?? 0;
  const C = Math.max(...Array.from(labels)) + 1;
  const joint = Array.from({ length: C }, () => new Float64Array(Z));
  for (const [i, row] of source.entries()) for (let z = 0; z < Z; z++) joint[labels[i]][z] += row[z];
  const marginal = Float64Array.from({ length: Z }, (_, z) => joint.reduce((sum, row) => sum + row[z], 0));
  let sum = 0;
  for (const [i, row] of source.entries()) {
    let p = 0;
    for (let z = 0; z < Z; z++) if (marginal[z] > 0) p += (row[z] * joint[labels[i]][z]) / marginal[z];
    sum += Math.log(p);
  }
  return sum / source.length;
}

/** Negative conditional entropy -H(label | source class) (Tran et al., 2019), nats; never positive. */
export function negativeConditionalEntropy(source: ArrayLike<number>, labels: ArrayLike<number>): number {
  const n = labels.length;
  const [joint, marginal] = [new Map<string, number>(), new Map<number, number>()];
  for (let i = 0; i < n; i++) {
    const key = `${source[i]} ${labels[i]}`;
    joint.set(key, (joint.get(key) ?? 0) + 1);
    marginal.set(source[i], (marginal.get(source[i]) ?? 0) + 1);
  }
  let sum = 0;
  for (const [key, count] of joint)
    sum += (count / n) * Math.log(count / (marginal.get(Number(key.split(' ')[0])) ?? n));
  return sum;
}

/** Steps of the maximisation of evidence, and the relative change of alpha / beta below which it ends. */
const evidence = { steps: 11, change: 0.01 };

/**
 * LogME (You et al., 2021): mean over classes of the log evidence per example of a Bayesian linear regression of the class's
 * indicator on features, alpha and beta at their maximum by MacKay's iteration from 1 and 1, as published.
 */
export function logME(features: Rows, labels: ArrayLike<number>): number {
  const f = new Matrix(features.map((row) => [...row]));
  const [n, D] = [f.rows, f.columns];
  const svd = new SVD(f, { autoTranspose: true });
  const s = svd.diagonal.map((v) => v * v);
  const C = Math.max(...Array.from(labels)) + 1;
  let total = 0;
  for (let c = 0; c < C; c++) {
    const y = Float64Array.from({ length: n }, (_, i) => (labels[i] === c ? 1 : 0));
    const projected = s.map((_, k) => {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += svd.leftSingularVectors.get(i, k) * y[i];
      return sum * sum;
    });
    const outside = y.reduce((sum, v) => sum + v * v, 0) - projected.reduce((a, b) => a + b, 0);
    let [alpha, beta] = [1, 1];
    let [m2, residual] = [0, 0];
    for (let step = 0; step < evidence.steps; step++) {
      const ratio = alpha / beta;
      const gamma = s.reduce((sum, v) => sum + v / (v + ratio), 0);
      m2 = s.reduce((sum, v, k) => sum + (v * projected[k]) / (v + ratio) ** 2, 0);
      residual = s.reduce((sum, v, k) => sum + projected[k] / (1 + v / ratio) ** 2, outside);
      alpha = gamma / m2;
      beta = (n - gamma) / residual;
      if (Math.abs(alpha / beta - ratio) / ratio <= evidence.change) break;
    }
    const determinant = s.reduce((sum, v) => sum + Math.log(alpha + beta * v), (D - s.length) * Math.log(alpha));
    total +=
      (D / 2) * Math.log(alpha) +
      (n / 2) * Math.log(beta) -
      0.5 * determinant -
      (beta / 2) * residual -
      (alpha / 2) * m2 -
      (n / 2) * Math.log(2 * Math.PI);
  }
  return total / n / C;
}

/** Linear centred kernel alignment of two sets of features of the same examples (Kornblith et al., 2019b), 0 to 1. */
export function linearCKA(first: Rows, second: Rows): number {
  const [x, y] = [centred(first), centred(second)];
  const cross = (a: Matrix, b: Matrix) => a.transpose().mmul(b).norm() ** 2;
  return cross(x, y) / Math.sqrt(cross(x, x) * cross(y, y));
}
