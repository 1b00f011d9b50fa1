/** A pass over every feature, in memory or from disk: its correlations with one residual. */
import type { Engine } from '../../engine/index.js';
import { farFeatures } from '../design.js';
import { Passes } from '../passes.js';
import { type Floats, precisionOf } from '../programs.js';
import type { PathProblem } from './problem.js';

/**
 * Correlations of every feature with the residuals, in one pass over the matrix.
 * @param residual (n, K) over the training rows
 * @param into (p, K) correlations of every normalised feature with every class's residual, in its precision
 */
export async function correlateAll(
  engine: Engine,
  { design, classes: K }: Pick<PathProblem, 'design' | 'classes'>,
  residual: Float64Array,
  into: Floats,
): Promise<void> {
  into.set(await new Passes(engine, design, precisionOf(into), farFeatures(design)).adjoint(residual, K));
}
