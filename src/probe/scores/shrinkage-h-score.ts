/**
 * H-score (Bao et al., ICIP 2019) with the covariance of Ledoit and Wolf (2004), as Ibrahim, Ponomareva and Mazumder (2022)
 * have it: (1 - alpha) tr(cov_alpha(f)^-1 cov(E[f | y])).
 */
import type { Multiply } from '../../solver/index.js';
import { at, squareOf } from './coordinates.js';
import { type Grouped, shrunk, solveRows, traceOf } from './scatter.js';

export async function shrinkageHScore(multiply: Multiply, { z, means, counts, width }: Grouped): Promise<number> {
  const [n, r] = [z.rows, z.columns];
  const scatter = (await squareOf(multiply, z)).map((v) => v / n);
  const trace = traceOf(scatter, r);
  if (!(trace > 0)) return Number.NaN;
  const alpha = shrinkageOf(z.data, scatter, { n, r, width });
  const solved = solveRows(shrunk(scatter, r, alpha, trace / width), means);
  if (!solved) return Number.NaN;
  let sum = 0;
  for (let e = 0; e < solved.data.length; e++) {
    sum += (at(counts, Math.floor(e / r)) * at(solved.data, e) * at(means.data, e)) / (n - 1);
  }
  return (1 - alpha) * sum;
}

/** Ledoit and Wolf's share of the identity, from centred rows (n, r) of `width` features. */
export function shrinkageOf(
  z: Float64Array,
  scatter: Float64Array,
  { n, r, width }: { n: number; r: number; width: number },
): number {
  const mu = traceOf(scatter, r) / width;
  let fourth = 0;
  for (let i = 0; i < n; i++) {
    let norm = 0;
    for (let j = 0; j < r; j++) norm += at(z, i * r + j) ** 2;
    fourth += norm ** 2;
  }
  const squares = scatter.reduce((sum, v) => sum + v * v, 0);
  const beta = (fourth / n - squares) / (width * n);
  const delta = (squares - width * mu ** 2) / width;
  return beta <= 0 || delta <= 0 ? 0 : Math.min(beta, delta) / delta;
}
