/** The graphs that the group-lasso solver runs. Shapes: A working features, n examples, K classes. */
import type { Graph } from '../../ir/index.js';
import { MathBuilder, type Precision } from '../programs.js';

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
  const g = new MathBuilder(precision);
  const x = g.builder.input('x', stored);
  const [r, scale] = [g.input('r'), g.input('scale')];
  const wide = stored === precision ? x : g.builder.op('Cast', [x], { to: precision === 'float64' ? 11 : 1 });
  const values = centred ? g.op('Sub', [g.op('Mul', [wide, g.input('s')]), g.input('mean')]) : wide;
  const c = g.builder.op('Reshape', [g.op('MatMul', [values, r]), g.builder.ints([0, -1, classes])]);
  if (norm === 'none') {
    g.output(g.op('Mul', [c, g.builder.op('Unsqueeze', [scale, g.builder.ints([2])])]), 'c');
  } else {
    const reduced =
      norm === 'l2' ? g.reduce('ReduceL2', c, [2], false) : g.reduce('ReduceMax', g.op('Abs', [c]), [2], false);
    g.output(g.op('Mul', [reduced, scale]), 'c');
  }
  return g.builder.build();
}

/** Logits z = xt w, with xt (n, A) and w (A, K). */
export function forwardGraph(precision: Precision): Graph {
  const g = new MathBuilder(precision);
  g.output(g.op('MatMul', [g.input('xt'), g.input('w')]), 'z');
  return g.builder.build();
}

/**
 * Everything that the certificate needs of logits z (n, K) and intercept b (1, K), in float64: y (n, K) one-hot labels,
 * v (n, 1) example weights that sum to one. Gives the residual r = v (y - p), each example's loss and entropy, and the
 * class totals (1, K) and second moments (K, K) of the probabilities.
 */
export function softmaxGraph(stored: Precision): Graph {
  const g = new MathBuilder('float64');
  const raw = g.builder.input('z', stored);
  const [b, y, v] = ['b', 'y', 'v'].map((name) => g.input(name));
  const z = g.op('Add', [stored === 'float64' ? raw : g.builder.op('Cast', [raw], { to: 11 }), b]);
  const shifted = g.op('Sub', [z, g.reduce('ReduceMax', z, [1])]);
  const e = g.op('Exp', [shifted]);
  const total = g.reduce('ReduceSum', e, [1]);
  const p = g.op('Div', [e, total]);
  const logTotal = g.op('Log', [total]);
  const weighted = g.op('Mul', [p, v]);
  g.output(g.op('Sub', [g.op('Mul', [y, v]), weighted]), 'r');
  g.output(g.op('Sub', [logTotal, g.reduce('ReduceSum', g.op('Mul', [shifted, y]), [1])]), 'loss');
  g.output(g.op('Sub', [logTotal, g.reduce('ReduceSum', g.op('Mul', [shifted, p]), [1])]), 'entropy');
  g.output(g.reduce('ReduceSum', weighted, [0]), 'totals');
  g.output(g.op('MatMul', [g.op('Transpose', [weighted], { perm: [1, 0] }), p]), 'moments');
  return g.builder.build();
}
