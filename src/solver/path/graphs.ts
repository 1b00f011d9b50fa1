/** The graphs that the group-lasso solver runs. Shapes: A working features, n examples, K classes. */
import type { Graph } from '../../ir/index.js';
import { floats, MathBuilder, type Precision, tensor } from '../programs.js';

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
 * and the changes that led to it, dw, db, dz; momentum count m (1, 1); step = 1 / L; the thresholds group (G, 1) and
 * element (A, 1), which are lambda times the weights times the step; segment (A, 1) group numbers and zeros (G, 1)
 * when grouped.
 *
 * Outputs: the new state, and per iteration (steps, 3): twice the second-order change of the loss from the
 * extrapolated point to the new one, and the squared changes of w and of b. The second-order change is the variance of
 * the logits' change under the predicted probabilities: unlike a difference of losses it loses nothing to rounding.
 * Lastly `estimate` (1, 3) at the last extrapolated point: its loss, the mean entropy of its dual point, and the share
 * a by which that point was shrunk (norms of groups of several features are left to the caller: a is 1 then).
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
  let [w, dw, b, db] = ['w', 'dw', 'b', 'db'].map((name) => g.input(name)) as [string, string, string, string];
  let [z, dz, m] = ['z', 'dz', 'm'].map((name) => g.input(name)) as [string, string, string];
  const groupThreshold = l2 ? g.input('group') : '';
  const elementThreshold = l1 ? g.input('element') : '';
  const segment = grouped && l2 ? g.builder.input('segment', 'int64') : '';
  const zeros = grouped && l2 ? g.input('zeros') : '';
  const one = g.number(1);
  const three = g.number(3);
  const tiny = g.number(1e-30);
  const nought = g.number(0);
  const none = g.builder.constant(tensor([1, 1], floats(precision, 1)));
  const shares = g.op('Transpose', [v], { perm: [1, 0] });
  const soft = (value: string, threshold: string) =>
    g.op('Mul', [g.op('Sign', [value]), g.op('Relu', [g.op('Sub', [g.op('Abs', [value]), threshold])])]);
  const rows: string[] = [];
  for (let i = 0; i < steps; i++) {
    const beta = g.op('Div', [m, g.op('Add', [m, three])]);
    const [mw, mb, mz] = [dw, db, dz].map((change) => g.op('Mul', [beta, change])) as [string, string, string];
    const [wv, bv, zv] = [g.op('Add', [w, mw]), g.op('Add', [b, mb]), g.op('Add', [z, mz])];
    const p = g.op('Softmax', [zv], { axis: 1 });
    const e = g.op('Sub', [y, p]);
    const c = g.op('MatMul', [x, g.op('Mul', [v, e])]);
    const target = g.op('Add', [wv, g.op('Mul', [step, c])]);
    let shrunk = l1 ? soft(target, elementThreshold) : target;
    if (l2) {
      let norm: string;
      if (grouped) {
        const squares = g.reduce('ReduceSumSquare', shrunk, [1]);
        const added = g.builder.op('ScatterElements', [zeros, segment, squares], { axis: 0, reduction: 'add' });
        norm = g.op('Sqrt', [added]);
      } else {
        norm = g.reduce('ReduceL2', shrunk, [1]);
      }
      let keep = g.op('Relu', [g.op('Sub', [one, g.op('Div', [groupThreshold, g.op('Add', [norm, tiny])])])]);
      if (grouped) keep = g.op('GatherElements', [keep, segment], { axis: 0 });
      shrunk = g.op('Mul', [shrunk, keep]);
    }
    const sw = g.op('Sub', [shrunk, wv]);
    const sb = g.op('MatMul', [shares, e]);
    const sz = g.op('Add', [g.op('MatMul', [xt, sw]), sb]);
    const expected = g.op('Mul', [p, sz]);
    const mean = g.reduce('ReduceSum', expected, [1]);
    const variance = g.op('Sub', [g.reduce('ReduceSum', g.op('Mul', [expected, sz]), [1]), g.op('Mul', [mean, mean])]);
    const square = (change: string) => g.reduce('ReduceSumSquare', change, [0, 1]);
    rows.push(g.builder.op('Concat', [g.op('MatMul', [shares, variance]), square(sw), square(sb)], { axis: 1 }));
    if (i === steps - 1) {
      g.output(
        dualEstimate(g, { y, p, e, c, shares, step, groupThreshold, elementThreshold, grouped, l1, l2 }),
        'estimate',
      );
      g.output(wv, 'ahead');
    }
    [w, b, z] = [shrunk, g.op('Add', [bv, sb]), g.op('Add', [zv, sz])];
    [dw, db, dz] = [g.op('Add', [mw, sw]), g.op('Add', [mb, sb]), g.op('Add', [mz, sz])];
    const progress = g.reduce('ReduceSum', g.op('Mul', [sw, dw]), [0, 1]);
    m = g.op('Where', [g.op('Less', [progress, nought]), none, g.op('Add', [m, one])]);
  }
  for (const [value, name] of [
    [w, 'wNew'],
    [dw, 'dwNew'],
    [b, 'bNew'],
    [db, 'dbNew'],
    [z, 'zNew'],
    [dz, 'dzNew'],
    [m, 'mNew'],
    [g.builder.op('Concat', rows, { axis: 0 }), 'curvature'],
  ] as [string, string][]) {
    g.output(value, name);
  }
  return g.builder.build();
}

interface EstimateInputs {
  y: string;
  p: string;
  e: string;
  c: string;
  shares: string;
  step: string;
  groupThreshold: string;
  elementThreshold: string;
  grouped: boolean;
  l1: boolean;
  l2: boolean;
}

/** Loss, mean entropy of (1 - a) y + a p, and a, for correlations c (A, K) of the residual. */
function dualEstimate(g: MathBuilder, o: EstimateInputs): string {
  const tiny = g.number(1e-30);
  const one = g.builder.constant(tensor([1, 1], floats(g.precision, 1).fill(1)));
  let a = one;
  if (!o.grouped && o.l1 !== o.l2) {
    const norm = o.l2 ? g.reduce('ReduceL2', o.c, [1]) : g.reduce('ReduceMax', g.op('Abs', [o.c]), [1]);
    const limit = o.l2 ? o.groupThreshold : o.elementThreshold;
    const ratio = g.reduce('ReduceMax', g.op('Div', [g.op('Mul', [norm, o.step]), limit]), [0, 1]);
    a = g.op('Min', [one, g.op('Div', [one, g.op('Add', [ratio, tiny])])]);
  }
  const sum = (values: string) => g.op('MatMul', [o.shares, g.reduce('ReduceSum', values, [1])]);
  const loss = g.op('Neg', [sum(g.op('Mul', [o.y, g.op('Log', [g.op('Add', [o.p, tiny])])]))]);
  const q = g.op('Sub', [o.y, g.op('Mul', [a, o.e])]);
  const entropy = g.op('Neg', [sum(g.op('Mul', [q, g.op('Log', [g.op('Add', [g.op('Relu', [q]), tiny])])]))]);
  return g.builder.op('Concat', [loss, entropy, a], { axis: 1 });
}
