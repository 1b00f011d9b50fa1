/**
 * A softmax classifier trained by mini-batches of Adam, as Head2Toe's authors train theirs. Of a batch of B examples it
 * minimises
 *
 *   1/128 sum_i [ CE(softmax(x_i W + b), y_i) + penalty sum_j ||W_j|| ],   W_j the row of feature j
 *
 * whatever B is, so that the smaller last batch counts less. Only the objective is written here: its gradient and the
 * step are the graph's. No proximal step: rows of W shrink and do not become zero.
 */
import type { Random } from '../../base/index.js';
import type { Engine, Program, Tensors } from '../../engine/index.js';
import {
  appendOptimiser,
  buildLoss,
  chain,
  float32,
  GraphBuilder,
  gradient,
  int64,
  lossNames,
  observe,
  prune,
  type Rates,
  scaleByAdam,
  scaleByLearningRate,
  sizeOf,
  type Tensor,
  type TrainingStep,
} from '../../graph/index.js';
import { countMacs } from '../../solver/index.js';

/** Examples of a batch; also what sums over a smaller batch are divided by. */
export const BATCH = 128;
/** TensorFlow's. */
const EPSILON = 1e-7;

export interface HeadSettings {
  readonly steps: number;
  /** At the first step; a half cosine takes it to zero. */
  readonly learningRate: number;
  /** Coefficient of the sum of the norms of W's rows; 0 leaves it out. */
  readonly penalty: number;
}

/** What is learned from: features example by example, and the classes of all of them. */
export interface HeadData {
  /** (n, p). */
  readonly x: Float32Array;
  /** (n), from 0 to K - 1. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

export interface HeadStart {
  /** W before the first step, (p, K); b starts from zero. */
  readonly weights: Float32Array;
  /** Rows to learn from, in the order in which every epoch takes them. */
  readonly rows: readonly number[];
}

export interface SoftmaxHead {
  /** (p, K). */
  readonly weights: Float32Array;
  /** (K). */
  readonly intercept: Float32Array;
}

/** Uniform weights by Glorot and Bengio's rule, (p, K). */
export function glorot(p: number, classes: number, random: Random): Float32Array {
  const limit = Math.sqrt(6 / (p + classes));
  return Float32Array.from({ length: p * classes }, () => limit * (2 * random.uniform() - 1));
}

interface Shape {
  readonly n: number;
  readonly p: number;
  readonly classes: number;
  readonly batch: number;
  readonly penalised: boolean;
}

interface Compiled {
  readonly program: Program;
  readonly step: TrainingStep;
}

/** Trains heads; steps of one shape are compiled once. Dispose of it when done. */
export class HeadTrainer {
  readonly #steps = new Map<string, Promise<Compiled>>();

  constructor(readonly engine: Engine) {}

  /** The head after the last step. */
  async train(
    { x, labels, classes }: HeadData,
    { weights, rows }: HeadStart,
    { steps, learningRate, penalty }: HeadSettings,
  ): Promise<SoftmaxHead> {
    const n = labels.length;
    const shape = { n, p: x.length / n, classes, penalised: penalty > 0 };
    const batches: { readonly compiled: Compiled; readonly feeds: Tensors }[] = [];
    for (let at = 0; at < rows.length; at += BATCH) {
      const own = rows.slice(at, at + BATCH);
      batches.push({
        compiled: await this.#step({ ...shape, batch: own.length }),
        feeds: { rows: int64(own), [lossNames.labels]: int64(own.map((i) => labels[i] as number)) },
      });
    }
    const [first] = batches;
    if (!first) throw new Error('no rows to learn from');
    const fixed = { x: float32([n, shape.p], x), ...(shape.penalised ? { penalty: scalar(penalty) } : {}) };
    const { state } = first.compiled.step;
    const blanks = () => Object.fromEntries(state.map(({ input, dims }) => [input, blank(dims)]));
    let now: Record<string, Tensor> = { ...blanks(), w: float32([shape.p, classes], weights.slice()) };
    let next: Record<string, Tensor> = blanks();
    for (let t = 0; t < steps; t++) {
      const { compiled, feeds } = batches[t % batches.length] as (typeof batches)[number];
      const rates: Rates = { learning_rate: learningRate * 0.5 * (1 + Math.cos((Math.PI * t) / steps)), step: t + 1 };
      const given = Object.fromEntries(compiled.step.scalars.map((name) => [name, scalar(rates[name] ?? 0)]));
      const into = Object.fromEntries(state.map(({ input, output }) => [output, next[input] as Tensor]));
      // Logits, and the gradient of W.
      countMacs(this.engine, 2 * BATCH * shape.p * classes);
      await compiled.program.run({ ...fixed, ...feeds, ...given, ...now }, undefined, into);
      [now, next] = [next, now];
    }
    return { weights: now.w?.data as Float32Array, intercept: now.b?.data as Float32Array };
  }

  async dispose(): Promise<void> {
    const steps = await Promise.all(this.#steps.values());
    this.#steps.clear();
    for (const { program } of steps) await program.dispose();
  }

  #step(shape: Shape): Promise<Compiled> {
    const key = JSON.stringify(shape);
    const step = this.#steps.get(key) ?? compileStep(this.engine, shape);
    this.#steps.set(key, step);
    return step;
  }
}

async function compileStep(engine: Engine, shape: Shape): Promise<Compiled> {
  const step = await headStep(engine, shape);
  const outputs = step.graph.outputs.filter(({ name }) => step.state.some(({ output }) => output === name));
  const graph = prune({ ...step.graph, outputs }, { inputs: true });
  return { program: await engine.compile(graph, { planMemory: false }), step };
}

/** One step on one batch: feeds x (n, p), rows and labels (batch), penalty, and the state. */
async function headStep(engine: Engine, { n, p, classes, batch, penalised }: Shape): Promise<TrainingStep> {
  const b = new GraphBuilder();
  const x = b.gather(b.input('x', 'float32', [n, p]), b.input('rows', 'int64', [batch]), 0);
  const [w, bias] = [b.input('w', 'float32', [p, classes]), b.input('b', 'float32', [1, classes])];
  b.output(b.add(b.matmul(x, w), bias), 'logits', 'float32', [batch, classes]);
  const l = new GraphBuilder(buildLoss(b.build(), { logits: 'logits', classes }), 'objective');
  const objective = penalised
    ? l.add(lossNames.loss, l.mul(l.input('penalty', 'float32', []), l.sum(rowNorms(l, w), [0])))
    : lossNames.loss;
  l.output(l.scale(objective, batch / BATCH), 'objective', 'float32', []);
  const graph = l.build();
  const observed = await observe(graph, engine, { [lossNames.labels]: [batch] });
  const differentiated = gradient(graph, { loss: 'objective', wrt: [w, bias], observed, keep: [] });
  const parameters = [
    { name: w, dims: [p, classes] },
    { name: bias, dims: [1, classes] },
  ];
  const adam = chain(scaleByAdam({ epsilon: EPSILON, epsilonHat: true }), scaleByLearningRate());
  return appendOptimiser(differentiated, parameters, adam);
}

/** A row of zeros has the slope zero, not 0 / 0. */
function rowNorms(b: GraphBuilder, w: string): string {
  return b.sqrt(b.binary('Max', b.sum(b.mul(w, w), [1]), b.scalar(1e-24)));
}

const scalar = (value: number) => float32([], [value]);
const blank = (dims: readonly number[]) => float32(dims, new Float32Array(sizeOf(dims)));
