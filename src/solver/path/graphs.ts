/** The graphs that the group-lasso solver runs. Shapes: A working features, n examples, K classes. */
import { type Graph, GraphBuilder } from '../../ir/index.js';
import type { Precision } from '../programs.js';

/** How the correlations of one feature with the K residual columns are reduced. */
export type CorrelationNorm = 'l2' | 'max' | 'none';

export interface CorrelationShape {
  /** Precision of the features, and of the products. */
  stored: Precision;
  precision: Precision;
  norm: CorrelationNorm;
  classes: number;
  /** Whether rows are scaled and features centred in the graph: s (1, n) and mean (A, 1) come in too. */
  centred: boolean;
}

/**
 * Correlations of features with m residuals at once: x (A, n) as stored, r (n, m K), scale (A, 1).
 * Gives c (A, m), the norm of every feature's K correlations, or (A, m, K) when no norm is asked for.
 */
export function correlationGraph({ stored, precision, norm, classes, centred }: CorrelationShape): Graph {
  const g = GraphBuilder.of(precision);
  const x = g.input('x', stored);
  const [r, scale] = [g.input('r'), g.input('scale')];
  const wide = stored === precision ? x : g.cast(x, precision);
  const values = centred ? g.sub(g.mul(wide, g.input('s')), g.input('mean')) : wide;
  const c = g.reshape(g.matmul(values, r), [0, -1, classes]);
  if (norm === 'none') {
    g.output(g.mul(c, g.op('Unsqueeze', [scale, g.ints([2])])), 'c');
  } else {
    const reduced = norm === 'l2' ? g.reduce('ReduceL2', c, [2]) : g.reduce('ReduceMax', g.unary('Abs', c), [2]);
    g.output(g.mul(reduced, scale), 'c');
  }
  return g.build();
}

/** Logits z = xt w, with xt (n, A) and w (A, K). */
export function forwardGraph(precision: Precision): Graph {
  const g = GraphBuilder.of(precision);
  g.output(g.matmul(g.input('xt'), g.input('w')), 'z');
  return g.build();
}

/**
 * Everything that the certificate needs of logits z (n, K) and intercept b (1, K), in float64: y (n, K) one-hot labels,
 * v (n, 1) example weights that sum to one. Gives the residual r = v (y - p), each example's loss and entropy, and the
 * class totals (1, K) and second moments (K, K) of the probabilities.
 */
export function softmaxGraph(stored: Precision): Graph {
  const g = GraphBuilder.of('float64');
  const raw = g.input('z', stored);
  const [b, y, v] = ['b', 'y', 'v'].map((name) => g.input(name));
  const z = g.add(stored === 'float64' ? raw : g.cast(raw, 'float64'), b);
  const shifted = g.sub(z, g.reduce('ReduceMax', z, [1], true));
  const e = g.unary('Exp', shifted);
  const total = g.sum(e, [1], true);
  const p = g.div(e, total);
  const logTotal = g.unary('Log', total);
  const weighted = g.mul(p, v);
  g.output(g.sub(g.mul(y, v), weighted), 'r');
  g.output(g.sub(logTotal, g.sum(g.mul(shifted, y), [1], true)), 'loss');
  g.output(g.sub(logTotal, g.sum(g.mul(shifted, p), [1], true)), 'entropy');
  g.output(g.sum(weighted, [0], true), 'totals');
  g.output(g.matmul(g.transpose(weighted, [1, 0]), p), 'moments');
  return g.build();
}
