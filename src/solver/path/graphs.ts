/** The graphs that the group-lasso solver runs. Shapes: A working features, n examples, K outputs. */
import { type Graph, GraphBuilder } from '../../ir/index.js';
import type { Loss } from '../losses/index.js';
import type { Precision } from '../programs.js';

/** How the correlations of one feature with the K residual columns are reduced. */
export type CorrelationNorm = 'l2' | 'max' | 'none';

export interface CorrelationShape {
  precision: Precision;
  norm: CorrelationNorm;
  classes: number;
}

/**
 * Correlations of features with m residuals at once: x (A, n), r (n, m K), scale (A, 1).
 * Gives c (A, m), the norm of every feature's K correlations, or (A, m, K) when no norm is asked for.
 */
export function correlationGraph({ precision, norm, classes }: CorrelationShape): Graph {
  const g = GraphBuilder.of(precision);
  const [x, r, scale] = ['x', 'r', 'scale'].map((name) => g.input(name));
  const c = g.reshape(g.matmul(x, r), [0, -1, classes]);
  if (norm === 'none') {
    g.output(g.mul(c, g.op('Unsqueeze', [scale, g.ints([2])])), 'c');
  } else {
    const reduced = norm === 'l2' ? g.reduce('ReduceL2', c, [2]) : g.reduce('ReduceMax', g.unary('Abs', c), [2]);
    g.output(g.mul(reduced, scale), 'c');
  }
  return g.build();
}

/** Scores z = xt w, with xt (n, A) and w (A, K). */
export function forwardGraph(precision: Precision): Graph {
  const g = GraphBuilder.of(precision);
  g.output(g.matmul(g.input('xt'), g.input('w')), 'z');
  return g.build();
}

/**
 * Everything that the certificate needs of scores z (n, K) and intercept b (1, K), in float64: targets y (n, K), v (n, 1)
 * example weights that sum to one. Gives the residual r = v (y - p), each example's loss and dual, and what the intercept's
 * equations consist of: totals (1, K) of v p, and the loss's moments.
 */
export function certificateGraph(loss: Loss, stored: Precision): Graph {
  const g = GraphBuilder.of('float64');
  const raw = g.input('z', stored);
  const [b, y, v] = ['b', 'y', 'v'].map((name) => g.input(name));
  const z = g.add(stored === 'float64' ? raw : g.cast(raw, 'float64'), b);
  const { p, losses, duals } = loss.precisely(g, z, y);
  const weighted = g.mul(p, v);
  g.output(g.sub(g.mul(y, v), weighted), 'r');
  g.output(losses, 'losses');
  g.output(duals, 'duals');
  g.output(g.sum(weighted, [0], true), 'totals');
  g.output(loss.moments(g, p, weighted), 'moments');
  return g.build();
}
