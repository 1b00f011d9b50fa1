/** The graphs that the group-lasso solver runs. Shapes: A working features, n examples, K classes. */
import type { Graph } from '../../ir/index.js';
import { MathBuilder, type Precision } from '../programs.js';

/** How the correlations of one feature with the K residual columns are reduced. */
export type CorrelationNorm = 'l2' | 'max' | 'none';

/**
 * Correlations of features with m residuals at once: x (A, n) as stored, r (n, m K), scale (A, 1).
 * Gives c (A, m), the norm of every feature's K correlations, or (A, m, K) when no norm is asked for.
 */
export function correlationGraph(
  stored: Precision,
  precision: Precision,
  norm: CorrelationNorm,
  classes: number,
): Graph {
  const g = new MathBuilder(precision);
  const x = g.builder.input('x', stored);
  const [r, scale] = [g.input('r'), g.input('scale')];
  const wide = stored === precision ? x : g.builder.op('Cast', [x], { to: precision === 'float64' ? 11 : 1 });
  const c = g.builder.op('Reshape', [g.op('MatMul', [wide, r]), g.builder.ints([0, -1, classes])]);
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

/** xt (n, A) from x (A, n). */
export function transposeGraph(precision: Precision): Graph {
  const g = new MathBuilder(precision);
  g.output(g.op('Transpose', [g.input('x')], { perm: [1, 0] }), 'xt');
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
  const [b, y, v] = ['b', 'y', 'v'].map((name) => g.input(name)) as [string, string, string];
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

export interface FistaShape {
  precision: Precision;
  /** Iterations in one run. */
  steps: number;
  /** Groups of several features: their numbers come in as an input. */
  grouped: boolean;
  /** Whether the penalty has an element-wise l1 part, and a group part. */
  l1: boolean;
  l2: boolean;
}

/**
 * `steps` iterations of accelerated proximal gradient with gradient restart, all at one step size.
 *
 * Inputs: x (A, n) and xt (n, A), centred features; y (n, K), v (n, 1); the iterate w (A, K), b (1, K), z = xt w + b
 * and its predecessor w0, b0, z0; momentum t; step = 1 / L; thresholds group (G, 1) and element (A, 1), which are
 * lambda times the weights times the step; segment (A, 1) group numbers and zeros (G, 1) when grouped.
 *
 * Outputs: the new pair of iterates, t, and per iteration (steps, 3): Bregman distance of the loss from the
 * extrapolated point to the new one, squared change of w and of b. The distance is written so that nothing cancels in
 * float32: with d the change of the logits and u = d - sum_k p_k d_k it is log(1 + sum_k p_k (exp(u_k) - 1 - u_k)),
 * of which the sum itself is an upper bound.
 */
export function fistaGraph({ precision, steps, grouped, l1, l2 }: FistaShape): Graph {
  const g = new MathBuilder(precision);
  const [x, xt, y, v, step] = ['x', 'xt', 'y', 'v', 'step'].map((name) => g.input(name)) as [
    string,
    string,
    string,
    string,
    string,
  ];
  let [w, w0, b, b0] = ['w', 'w0', 'b', 'b0'].map((name) => g.input(name)) as [string, string, string, string];
  let [z, z0, t] = ['z', 'z0', 't'].map((name) => g.input(name)) as [string, string, string];
  const groupThreshold = l2 ? g.input('group') : '';
  const elementThreshold = l1 ? g.input('element') : '';
  const segment = grouped && l2 ? g.builder.input('segment', 'int64') : '';
  const zeros = grouped && l2 ? g.input('zeros') : '';
  const one = g.number(1);
  const half = g.number(0.5);
  const four = g.number(4);
  const tiny = g.number(1e-30);
  const small = g.number(precision === 'float32' ? 0.03 : 1e-4);
  const nought = g.number(0);
  const rows: string[] = [];
  for (let i = 0; i < steps; i++) {
    const root = g.op('Sqrt', [g.op('Add', [one, g.op('Mul', [four, g.op('Mul', [t, t])])])]);
    const next = g.op('Mul', [half, g.op('Add', [one, root])]);
    const beta = g.op('Div', [g.op('Sub', [t, one]), next]);
    const ahead = (now: string, before: string) => g.op('Add', [now, g.op('Mul', [beta, g.op('Sub', [now, before])])]);
    const [wv, bv, zv] = [ahead(w, w0), ahead(b, b0), ahead(z, z0)];
    const p = g.op('Softmax', [zv], { axis: 1 });
    const r = g.op('Mul', [v, g.op('Sub', [y, p])]);
    const target = g.op('Add', [wv, g.op('Mul', [step, g.op('MatMul', [x, r])])]);
    let shrunk = target;
    if (l1) {
      shrunk = g.op('Mul', [
        g.op('Sign', [target]),
        g.op('Relu', [g.op('Sub', [g.op('Abs', [target]), elementThreshold])]),
      ]);
    }
    if (l2) {
      let norm: string;
      if (grouped) {
        const squares = g.reduce('ReduceSumSquare', shrunk, [1]);
        const added = g.builder.op('ScatterElements', [zeros, segment, squares], { axis: 0, reduction: 'add' });
        norm = g.op('Sqrt', [added]);
      } else {
        norm = g.reduce('ReduceL2', shrunk, [1]);
      }
      let keep = g.op('Relu', [g.op('Sub', [one, g.op('Div', [groupThreshold, g.op('Max', [norm, tiny])])])]);
      if (grouped) keep = g.op('GatherElements', [keep, segment], { axis: 0 });
      shrunk = g.op('Mul', [shrunk, keep]);
    }
    const bn = g.op('Add', [bv, g.reduce('ReduceSum', r, [0])]);
    const dw = g.op('Sub', [shrunk, wv]);
    const db = g.op('Sub', [bn, bv]);
    const dz = g.op('Add', [g.op('MatMul', [xt, dw]), db]);
    const zn = g.op('Add', [zv, dz]);
    const u = g.op('Sub', [dz, g.reduce('ReduceSum', g.op('Mul', [p, dz]), [1])]);
    const series = g.op('Mul', [g.op('Mul', [u, u]), g.op('Add', [half, g.op('Mul', [u, g.number(1 / 6)])])]);
    const direct = g.op('Sub', [g.op('Sub', [g.op('Exp', [u]), one]), u]);
    const distance = g.op('Where', [g.op('Less', [g.op('Abs', [u]), small]), series, direct]);
    const bregman = g.op('MatMul', [
      g.op('Transpose', [v], { perm: [1, 0] }),
      g.reduce('ReduceSum', g.op('Mul', [p, distance]), [1]),
    ]);
    const inner = (a: string, c: string) => g.reduce('ReduceSum', g.op('Mul', [a, c]), [0, 1]);
    rows.push(g.builder.op('Concat', [bregman, inner(dw, dw), inner(db, db)], { axis: 1 }));
    const progress = g.op('Add', [inner(dw, g.op('Sub', [shrunk, w])), inner(db, g.op('Sub', [bn, b]))]);
    t = g.op('Where', [g.op('Less', [progress, nought]), g.op('Reshape', [one, g.builder.ints([1, 1])]), next]);
    [w0, b0, z0, w, b, z] = [w, b, z, shrunk, bn, zn];
  }
  for (const [value, name] of [
    [w, 'wNew'],
    [w0, 'w0New'],
    [b, 'bNew'],
    [b0, 'b0New'],
    [z, 'zNew'],
    [z0, 'z0New'],
    [t, 'tNew'],
    [g.builder.op('Concat', rows, { axis: 0 }), 'curvature'],
  ] as [string, string][]) {
    g.output(value, name);
  }
  return g.builder.build();
}
