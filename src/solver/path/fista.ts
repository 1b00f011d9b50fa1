/** Accelerated proximal gradient as one graph. Shapes: A working features, n examples, K outputs. */
import { type Graph, GraphBuilder } from '../../ir/index.js';
import type { Loss, Scored } from '../losses/index.js';
import { floats, type Precision, tensor } from '../programs.js';

export interface FistaShape {
  loss: Loss;
  precision: Precision;
  /** Iterations in one run. */
  steps: number;
  /** Whether the penalty has an element-wise l1 part, and a group part. */
  l1: boolean;
  l2: boolean;
}

/** The iterate and the changes that led to it, as names of values. */
interface State {
  /** Weights w (A, K), intercept b (1, K) and scores z = xt w + b (n, K). */
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
 * from the extrapolated point to the new one, and the squared changes of w and of b. The second-order change comes from the
 * change of the scores: unlike a difference of losses it loses nothing to rounding. Lastly `ahead`, the weights of the last
 * extrapolated point, and `estimate` (1, 2) there: its loss, and the mean dual of its dual point (which is not feasible
 * where the penalty has both parts).
 */
export function fistaGraph(shape: FistaShape): Graph {
  const g = GraphBuilder.of(shape.precision);
  const fista = new FistaBuilder(g, shape);
  let state: State = stateOf((name) => g.input(name));
  const changes: string[] = [];
  for (let i = 0; i < shape.steps; i++) {
    const from = fista.extrapolate(state);
    const { scored, c } = fista.gradient(from);
    if (i === shape.steps - 1) {
      g.output(from.w, 'ahead');
      g.output(fista.estimate(scored, c), 'estimate');
    }
    const step = fista.step(from, scored.e, c);
    changes.push(fista.change(scored.p, step));
    state = fista.advance(state, from, step);
  }
  for (const [name, value] of Object.entries(state)) g.output(value, `${name}New`);
  g.output(g.concat(changes, 0), 'curvature');
  return g.build();
}

function stateOf(value: (name: string) => string): State {
  const [w, b, z, dw, db, dz, m] = ['w', 'b', 'z', 'dw', 'db', 'dz', 'm'].map(value);
  return { w, b, z, dw, db, dz, m };
}

/** Values of weights, intercept and scores at one point, or changes of them. */
type Point = Pick<State, 'w' | 'b' | 'z'>;

/** Where an iteration starts, and the momentum that led there. */
interface Extrapolated extends Point {
  readonly momentum: Point;
}

class FistaBuilder {
  readonly #g: GraphBuilder;
  readonly #loss: Loss;
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

  constructor(g: GraphBuilder, { loss, precision, l1, l2 }: FistaShape) {
    this.#g = g;
    this.#loss = loss;
    [this.#x, this.#xt, this.#y, this.#v, this.#step] = ['x', 'xt', 'y', 'v', 'step'].map((name) => g.input(name));
    this.#group = l2 ? g.input('group') : undefined;
    this.#element = l1 ? g.input('element') : undefined;
    this.#shares = g.transpose(this.#v, [1, 0]);
    this.#tiny = g.scalar(1e-30);
    this.#one = g.constant(tensor([1, 1], floats(precision, 1).fill(1)));
  }

  extrapolate({ w, b, z, dw, db, dz, m }: State): Extrapolated {
    const g = this.#g;
    const beta = g.div(m, g.add(m, g.scalar(3)));
    const [mw, mb, mz] = [dw, db, dz].map((change) => g.mul(beta, change));
    return {
      w: g.add(w, mw),
      b: g.add(b, mb),
      z: g.add(z, mz),
      momentum: { w: mw, b: mb, z: mz },
    };
  }

  /** Predictions and residuals, and the correlations c (A, K) of these. */
  gradient({ z }: Point): { scored: Scored; c: string } {
    const g = this.#g;
    const p = this.#loss.predict(g, z);
    const e = g.sub(this.#y, p);
    return { scored: { z, p, y: this.#y, e }, c: g.matmul(this.#x, g.mul(this.#v, e)) };
  }

  /** Changes of a proximal gradient step; the intercept's own step has length 1. */
  step({ w }: Point, e: string, c: string): Point {
    const g = this.#g;
    const target = g.add(w, g.mul(this.#step, c));
    const sw = g.sub(this.#shrink(target), w);
    const sb = g.matmul(this.#shares, e);
    return { w: sw, b: sb, z: g.add(g.matmul(this.#xt, sw), sb) };
  }

  /** The penalty's proximal operator: soft thresholds of elements, then of rows. */
  #shrink(w: string): string {
    const g = this.#g;
    let shrunk = w;
    if (this.#element) {
      const size = g.relu(g.sub(g.unary('Abs', w), this.#element));
      shrunk = g.mul(g.unary('Sign', w), size);
    }
    if (this.#group) {
      const norm = g.add(g.reduce('ReduceL2', shrunk, [1], true), this.#tiny);
      const keep = g.relu(g.sub(g.scalar(1), g.div(this.#group, norm)));
      shrunk = g.mul(shrunk, keep);
    }
    return shrunk;
  }

  /** Second-order change of the loss, squared changes of w and of b, (1, 3). */
  change(p: string, { w, b, z }: Point): string {
    const g = this.#g;
    const second = g.matmul(this.#shares, this.#loss.curvature(g, p, z));
    const square = (change: string) => g.reduce('ReduceSumSquare', change, [0, 1], true);
    return g.concat([second, square(w), square(b)], 1);
  }

  /** The next state; momentum starts anew when the step and the change that it makes point apart. */
  advance({ m }: State, { momentum, ...from }: Extrapolated, step: Point): State {
    const g = this.#g;
    const [w, b, z] = (['w', 'b', 'z'] as const).map((name) => g.add(from[name], step[name]));
    const [dw, db, dz] = (['w', 'b', 'z'] as const).map((name) => g.add(momentum[name], step[name]));
    const progress = g.sum(g.mul(step.w, dw), [0, 1], true);
    const count = g.where(g.binary('Less', progress, g.scalar(0)), g.scalar(0), g.add(m, g.scalar(1)));
    return { w, b, z, dw, db, dz, m: count };
  }

  /** Loss, and mean dual of (1 - a) y + a p, where a makes the correlations c (A, K) of its residual feasible. */
  estimate(scored: Scored, c: string): string {
    const g = this.#g;
    const mean = (values: string) => g.matmul(this.#shares, values);
    const loss = mean(this.#loss.losses(g, scored));
    return g.concat([loss, mean(this.#loss.duals(g, scored, this.#feasible(c)))], 1);
  }

  /** The share a of the residual with which no correlation exceeds its limit, (1, 1); 1 where two norms limit them. */
  #feasible(c: string): string {
    const g = this.#g;
    if (this.#group && this.#element) return this.#one;
    const norm = this.#group ? g.reduce('ReduceL2', c, [1], true) : g.reduce('ReduceMax', g.unary('Abs', c), [1], true);
    const limit = (this.#group ?? this.#element) as string;
    const ratio = g.reduce('ReduceMax', g.div(g.mul(norm, this.#step), limit), [0, 1], true);
    return g.binary('Min', this.#one, g.div(this.#one, g.add(ratio, this.#tiny)));
  }
}
