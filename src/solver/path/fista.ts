/** Accelerated proximal gradient as one graph. Shapes: A working features, n examples, K classes. */
import type { Graph } from '../../ir/index.js';
import { floats, MathBuilder, type Precision, tensor } from '../programs.js';

export interface FistaShape {
  precision: Precision;
  /** Iterations in one run. */
  steps: number;
  /** Whether the penalty has an element-wise l1 part, and a group part. */
  l1: boolean;
  l2: boolean;
}

/** The iterate and the changes that led to it, as names of values. */
interface State {
  /** Weights w (A, K), intercept b (1, K) and logits z = xt w + b (n, K). */
  w: string;
  b: string;
  z: string;
  dw: string;
  db: string;
  dz: string;
  /** Momentum count, (1, 1). */
  m: string;
}

/**
 * `steps` iterations of accelerated proximal gradient with gradient restart, all at one step size.
 *
 * Inputs: x (A, n) and xt (n, A), centred features; y (n, K), v (n, 1); the state w, b, z, dw, db, dz, m; step = 1 / L;
 * and (1, 1) each the thresholds group and element, which are lambda times the share of that norm times the step.
 *
 * Outputs: the new state (wNew ...), and per iteration `curvature` (steps, 3): twice the second-order change of the loss
 * from the extrapolated point to the new one, and the squared changes of w and of b. The second-order change is the
 * variance of the logits' change under the predicted probabilities: unlike a difference of losses it loses nothing to
 * rounding. Lastly `ahead`, the weights of the last extrapolated point, and `estimate` (1, 2) there: its loss, and the
 * mean entropy of its dual point (which is not feasible where the penalty has both parts).
 */
export function fistaGraph(shape: FistaShape): Graph {
  const g = new MathBuilder(shape.precision);
  const fista = new FistaBuilder(g, shape);
  let state: State = stateOf((name) => g.input(name));
  const changes: string[] = [];
  for (let i = 0; i < shape.steps; i++) {
    const from = fista.extrapolate(state);
    const { p, e, c } = fista.gradient(from);
    if (i === shape.steps - 1) {
      g.output(from.w, 'ahead');
      g.output(fista.estimate(p, e, c), 'estimate');
    }
    const step = fista.step(from, e, c);
    changes.push(fista.change(p, step));
    state = fista.advance(state, from, step);
  }
  for (const [name, value] of Object.entries(state)) g.output(value, `${name}New`);
  g.output(g.builder.op('Concat', changes, { axis: 0 }), 'curvature');
  return g.builder.build();
}

function stateOf(value: (name: string) => string): State {
  const [w, b, z, dw, db, dz, m] = ['w', 'b', 'z', 'dw', 'db', 'dz', 'm'].map(value);
  return { w, b, z, dw, db, dz, m };
}

/** Values of weights, intercept and logits at one point, or changes of them. */
type Point = Pick<State, 'w' | 'b' | 'z'>;

/** Where an iteration starts, and the momentum that led there. */
interface Extrapolated extends Point {
  readonly momentum: Point;
}

class FistaBuilder {
  readonly #g: MathBuilder;
  readonly #x: string;
  readonly #xt: string;
  readonly #y: string;
  readonly #v: string;
  /** v (1, n). */
  readonly #shares: string;
  readonly #step: string;
  /** Thresholds of the two norms, where the penalty has them. */
  readonly #group: string | undefined;
  readonly #element: string | undefined;
  readonly #tiny: string;
  readonly #one: string;

  constructor(g: MathBuilder, { precision, l1, l2 }: FistaShape) {
    this.#g = g;
    [this.#x, this.#xt, this.#y, this.#v, this.#step] = ['x', 'xt', 'y', 'v', 'step'].map((name) => g.input(name));
    this.#group = l2 ? g.input('group') : undefined;
    this.#element = l1 ? g.input('element') : undefined;
    this.#shares = g.op('Transpose', [this.#v], { perm: [1, 0] });
    this.#tiny = g.number(1e-30);
    this.#one = g.builder.constant(tensor([1, 1], floats(precision, 1).fill(1)));
  }

  extrapolate({ w, b, z, dw, db, dz, m }: State): Extrapolated {
    const g = this.#g;
    const beta = g.op('Div', [m, g.op('Add', [m, g.number(3)])]);
    const [mw, mb, mz] = [dw, db, dz].map((change) => g.op('Mul', [beta, change]));
    return {
      w: g.op('Add', [w, mw]),
      b: g.op('Add', [b, mb]),
      z: g.op('Add', [z, mz]),
      momentum: { w: mw, b: mb, z: mz },
    };
  }

  /** Probabilities p (n, K), residual e = y - p, and its correlations c (A, K). */
  gradient({ z }: Point): { p: string; e: string; c: string } {
    const g = this.#g;
    const p = g.op('Softmax', [z], { axis: 1 });
    const e = g.op('Sub', [this.#y, p]);
    return { p, e, c: g.op('MatMul', [this.#x, g.op('Mul', [this.#v, e])]) };
  }

  /** Changes of a proximal gradient step; the intercept's own step has length 1. */
  step({ w }: Point, e: string, c: string): Point {
    const g = this.#g;
    const target = g.op('Add', [w, g.op('Mul', [this.#step, c])]);
    const sw = g.op('Sub', [this.#shrink(target), w]);
    const sb = g.op('MatMul', [this.#shares, e]);
    return { w: sw, b: sb, z: g.op('Add', [g.op('MatMul', [this.#xt, sw]), sb]) };
  }

  /** The penalty's proximal operator: soft thresholds of elements, then of rows. */
  #shrink(w: string): string {
    const g = this.#g;
    let shrunk = w;
    if (this.#element) {
      const size = g.op('Relu', [g.op('Sub', [g.op('Abs', [w]), this.#element])]);
      shrunk = g.op('Mul', [g.op('Sign', [w]), size]);
    }
    if (this.#group) {
      const norm = g.op('Add', [g.reduce('ReduceL2', shrunk, [1]), this.#tiny]);
      const keep = g.op('Relu', [g.op('Sub', [g.number(1), g.op('Div', [this.#group, norm])])]);
      shrunk = g.op('Mul', [shrunk, keep]);
    }
    return shrunk;
  }

  /** Second-order change of the loss, squared changes of w and of b, (1, 3). */
  change(p: string, { w, b, z }: Point): string {
    const g = this.#g;
    const expected = g.op('Mul', [p, z]);
    const mean = g.reduce('ReduceSum', expected, [1]);
    const variance = g.op('Sub', [g.reduce('ReduceSum', g.op('Mul', [expected, z]), [1]), g.op('Mul', [mean, mean])]);
    const square = (change: string) => g.reduce('ReduceSumSquare', change, [0, 1]);
    return g.builder.op('Concat', [g.op('MatMul', [this.#shares, variance]), square(w), square(b)], { axis: 1 });
  }

  /** The next state; momentum starts anew when the step and the change that it makes point apart. */
  advance({ m }: State, { momentum, ...from }: Extrapolated, step: Point): State {
    const g = this.#g;
    const [w, b, z] = (['w', 'b', 'z'] as const).map((name) => g.op('Add', [from[name], step[name]]));
    const [dw, db, dz] = (['w', 'b', 'z'] as const).map((name) => g.op('Add', [momentum[name], step[name]]));
    const progress = g.reduce('ReduceSum', g.op('Mul', [step.w, dw]), [0, 1]);
    const none = g.builder.constant(tensor([1, 1], floats(g.precision, 1)));
    const count = g.op('Where', [g.op('Less', [progress, g.number(0)]), none, g.op('Add', [m, g.number(1)])]);
    return { w, b, z, dw, db, dz, m: count };
  }

  /** Loss, and mean entropy of (1 - a) y + a p, where a makes the correlations c (A, K) of its residual feasible. */
  estimate(p: string, e: string, c: string): string {
    const g = this.#g;
    const mean = (values: string) => g.op('MatMul', [this.#shares, g.reduce('ReduceSum', values, [1])]);
    const loss = g.op('Neg', [mean(g.op('Mul', [this.#y, g.op('Log', [g.op('Add', [p, this.#tiny])])]))]);
    const q = g.op('Sub', [this.#y, g.op('Mul', [this.#feasible(c), e])]);
    const log = g.op('Log', [g.op('Add', [g.op('Relu', [q]), this.#tiny])]);
    return g.builder.op('Concat', [loss, g.op('Neg', [mean(g.op('Mul', [q, log]))])], { axis: 1 });
  }

  /** The share a of the residual with which no correlation exceeds its limit, (1, 1); 1 where two norms limit them. */
  #feasible(c: string): string {
    const g = this.#g;
    if (this.#group && this.#element) return this.#one;
    const norm = this.#group ? g.reduce('ReduceL2', c, [1]) : g.reduce('ReduceMax', g.op('Abs', [c]), [1]);
    const limit = (this.#group ?? this.#element) as string;
    const ratio = g.reduce('ReduceMax', g.op('Div', [g.op('Mul', [norm, this.#step]), limit]), [0, 1]);
    return g.op('Min', [this.#one, g.op('Div', [this.#one, g.op('Add', [ratio, this.#tiny])])]);
  }
}
