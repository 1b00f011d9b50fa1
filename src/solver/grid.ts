/** Checks on grids of penalties. */
import { UserError } from '../base/index.js';

/** @throws UserError when the grid is empty or a value is not positive */
export function positiveGrid(lambdas: ArrayLike<number>): Float64Array {
  if (lambdas.length === 0) throw new UserError('the lambda grid is empty: give at least one value');
  const grid = Float64Array.from(lambdas);
  const bad = grid.find((lambda) => !(lambda > 0 && Number.isFinite(lambda)));
  if (bad !== undefined) throw new UserError(`lambda ${bad} in the grid: every lambda must be positive`);
  return grid;
}
