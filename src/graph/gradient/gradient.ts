/** From a graph with a loss to one that an engine runs: reverse mode, then a lowering of the composites it wrote. */
import type { Graph } from '../../ir/index.js';
import { lowerBlocked } from './lower/blocked.js';
import { lowerStandard } from './lower/standard.js';
import { type DifferentiateOptions, differentiate } from './reverse.js';

export interface GradientOptions extends DifferentiateOptions {
  /** Width of the blocked layout to write for (see Engine.blockWidth); 0, the default, gives standard operators only. */
  block?: number;
}

/**
 * Forward pass, loss and gradients in one graph.
 *
 * Inputs: those of `graph` that are still used, and every name of `wrt`. Outputs: the loss, the kept outputs, and
 * `gradientName(w)` for each w of `wrt`. Nothing is computed that these do not need: the backward pass stops at the
 * lowest trainable weight. Shapes are fixed to the observed ones.
 * @throws UserError when an operator between loss and weights has no rule (operator and node named), when the loss is
 *   not a scalar or does not depend on one of `wrt`.
 */
export function gradient(graph: Graph, { block = 0, ...options }: GradientOptions): Graph {
  const differentiated = differentiate(graph, options);
  return block > 0 ? lowerBlocked(differentiated, block) : lowerStandard(differentiated);
}
