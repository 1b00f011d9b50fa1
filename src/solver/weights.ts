/** Weights of examples in a loss. */
import { UserError } from '../base/index.js';

/** The given weights at mean one, or ones. @throws UserError on weights that are not positive, or not one per row */
export function meanOne(given: ArrayLike<number> | undefined, n: number): Float64Array {
  const weights = new Float64Array(n).fill(1);
  if (!given) return weights;
  if (given.length !== n) throw new UserError(`${given.length} example weights for ${n} training rows: give one each`);
  let total = 0;
  for (let i = 0; i < n; i++) {
    const w = given[i];
    if (!(w > 0 && Number.isFinite(w)))
      throw new UserError(`example weight ${w} at row ${i}: weights must be positive`);
    total += w;
  }
  for (let i = 0; i < n; i++) weights[i] = (given[i] * n) / total;
  return weights;
}
