/**
 * Head2Toe as its paper trains it, for comparison with the certified path: Adam with cosine decay, the l2,1 norm as one
 * more term of the loss (no proximal step, so no exact zeros), mini-batches of 128 in a fixed order, Glorot-uniform
 * start; then a fresh head without penalty on the top features. Two things are not taken over: features are not
 * normalised again after selection, and the order of batches comes from the seed.
 */
import { Random, UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import { float32, int64, type Tensor } from '../../ir/index.js';
import { shapes } from '../../record/index.js';
import { type FeatureMatrix, type LinearModel, MathBuilder, programFor, tensor } from '../../solver/index.js';
import { predictLinear } from '../fitting/l2.js';
import type { FaithfulOptions } from '../options.js';
import { rankBy } from '../ranking.js';
import { jaccard, keepCount, topFeatures } from '../selection.js';
import { head2toeOf } from './head2toe.js';
import type { Fit, ProbeMethod } from './method.js';

const BATCH = 128;
/** Values of X that are copied example by example; beyond this the recipe is not for this machine. */
const LARGEST = 2 ** 29;

/** One step of Adam on the softmax head. The denominator is the full batch also for the last, smaller one. */
function stepGraph() {
  const g = new MathBuilder('float32');
  const names = ['x', 'y', 'w', 'b', 'mw', 'vw', 'mb', 'vb', 'rate', 'penalty', 'c1', 'c2'] as const;
  const input = Object.fromEntries(names.map((name) => [name, g.input(name)])) as Record<
    (typeof names)[number],
    string
  >;
  const rows = g.builder.input('rows', 'int64');
  const x = g.op('Gather', [input.x, rows], { axis: 0 });
  const y = g.op('Gather', [input.y, rows], { axis: 0 });
  const p = g.op('Softmax', [g.op('Add', [g.op('MatMul', [x, input.w]), input.b])], { axis: 1 });
  const d = g.op('Mul', [g.op('Sub', [p, y]), g.number(1 / BATCH)]);
  const norms = g.reduce('ReduceL2', input.w, [1]);
  const shrink = g.op('Div', [g.op('Mul', [input.w, input.penalty]), g.op('Max', [norms, g.number(1e-12)])]);
  const gradients = {
    w: g.op('Add', [g.op('Gemm', [x, d], { transA: 1 }), shrink]),
    b: g.reduce('ReduceSum', d, [0]),
  };
  for (const name of ['w', 'b'] as const) {
    const gradient = gradients[name];
    const mix = (old: string, next: string, share: number) =>
      g.op('Add', [g.op('Mul', [old, g.number(share)]), g.op('Mul', [next, g.number(1 - share)])]);
    const m = mix(input[`m${name}`], gradient, 0.9);
    const v = mix(input[`v${name}`], g.op('Mul', [gradient, gradient]), 0.999);
    const root = g.op('Add', [g.op('Sqrt', [g.op('Mul', [v, input.c2])]), g.number(1e-7)]);
    const move = g.op('Div', [g.op('Mul', [g.op('Mul', [m, input.c1]), input.rate]), root]);
    g.output(g.op('Sub', [input[name], move]), `${name}Next`);
    g.output(m, `m${name}Next`);
    g.output(v, `v${name}Next`);
  }
  return g.builder.build();
}

interface Head {
  /** (p, K) and (K). */
  readonly weights: Float32Array;
  readonly intercept: Float32Array;
}

interface Lesson {
  /** (n, p), row-major. */
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly classes: number;
  readonly settings: Pick<FaithfulOptions, 'steps' | 'learningRate'>;
  /** Coefficient of the sum of row norms. */
  readonly penalty: number;
  readonly random: Random;
}

/** Trains a head by the recipe. */
async function train(engine: Engine, { x, labels, classes, settings, penalty, random }: Lesson): Promise<Head> {
  const { steps, learningRate } = settings;
  const n = labels.length;
  const p = x.length / n;
  const program = await programFor(engine, 'faithful step', stepGraph);
  const limit = Math.sqrt(6 / (p + classes));
  const w = Float32Array.from({ length: p * classes }, () => limit * (2 * random.uniform() - 1));
  const y = new Float32Array(n * classes);
  for (const [i, c] of labels.entries()) y[i * classes + c] = 1;
  const order = random.permutation(n);
  const batches: Tensor[] = [];
  for (let at = 0; at < n; at += BATCH) batches.push(int64(order.slice(at, at + BATCH)));
  const sizes = {
    w: [p, classes],
    mw: [p, classes],
    vw: [p, classes],
    b: [1, classes],
    mb: [1, classes],
    vb: [1, classes],
  };
  const blank = (): Record<string, Tensor> =>
    Object.fromEntries(
      Object.entries(sizes).map(([name, dims]) => [
        name,
        tensor(dims, new Float32Array((dims[0] as number) * (dims[1] as number))),
      ]),
    );
  let [now, next] = [blank(), blank()];
  now.w = tensor([p, classes], w);
  const scalar = (v: number) => float32([], [v]);
  const fixed = { x: tensor([n, p], x), y: tensor([n, classes], y) };
  for (let step = 0; step < steps; step++) {
    const rows = batches[step % batches.length] as Tensor;
    const rate = learningRate * 0.5 * (1 + Math.cos((Math.PI * step) / steps));
    await program.run(
      {
        ...fixed,
        ...now,
        rows,
        rate: scalar(rate),
        penalty: scalar((penalty * (rows.dims[0] as number)) / BATCH),
        c1: scalar(1 / (1 - 0.9 ** (step + 1))),
        c2: scalar(1 / (1 - 0.999 ** (step + 1))),
      },
      undefined,
      Object.fromEntries(Object.entries(next).map(([name, t]) => [`${name}Next`, t])),
    );
    [now, next] = [next, now];
  }
  return { weights: now.w?.data as Float32Array, intercept: now.b?.data as Float32Array };
}

/** Row-scaled features example by example, (n, p). */
async function byExample(matrix: FeatureMatrix): Promise<Float32Array> {
  const { rows: n, features: p } = matrix;
  if (n * p > LARGEST) {
    throw new UserError(
      `the paper's recipe needs all ${n} x ${p} features in memory at once: use fewer taps or head2toe`,
    );
  }
  const x = new Float32Array(n * p);
  for await (const chunk of matrix.chunks()) {
    const s = await matrix.rowScale(chunk.block);
    for (let k = 0; k < chunk.count; k++) {
      for (let i = 0; i < n; i++) {
        x[i * p + chunk.first + k] =
          (chunk.data[k * n + i] as number) * (s[i] as number) + (matrix.shift[chunk.first + k] as number);
      }
    }
  }
  return x;
}

export const faithful: ProbeMethod = {
  card: {
    id: 'head2toe-faithful',
    label: 'Head2Toe, as published',
    plain: 'Head2Toe by its published recipe',
    advice: 'select features by the published recipe',
    title: "Head2Toe by the paper's own recipe (Adam, no exact zeros)",
    reads: 'all layers',
    role: 'baseline',
    simplicity: 2,
    light: '#4a4fa0',
    dark: '#a3a8f2',
    shape: shapes.cross,
  },
  seconds: 70,
  options: ['path', 'fractions'],
  fit: async (context): Promise<Fit> => {
    const { engine, train: examples, classes, options, designs } = context;
    const { matrix, labels } = examples;
    const settings = options.faithful;
    if (designs.standardize) {
      throw new UserError('head2toe-faithful works on unit-norm features as its paper does: use --normalise unit');
    }
    // As many features as the certified selection; a single keep fraction leaves nothing to follow.
    const [only, ...others] = options.fractions;
    const certified =
      only !== undefined && others.length === 0 ? undefined : (await head2toeOf(context)).selection?.features;
    const k = certified?.length ?? keepCount(only as number, matrix.features);
    context.progress('scores');
    const all = await byExample(matrix);
    const lesson = { labels, classes, settings };
    const random = (stage: number) => new Random(options.seed, 'faithful', stage);
    const stage1 = await train(engine, { ...lesson, x: all, penalty: settings.lambda, random: random(1) });
    const scores = Float64Array.from({ length: matrix.features }, (_, j) =>
      Math.hypot(...stage1.weights.subarray(j * classes, (j + 1) * classes)),
    );
    const ranking = { scores, order: rankBy(scores) };
    const features = topFeatures(ranking, k);
    context.progress('head');
    const some = await byExample(matrix.select(features));
    const head = await train(engine, { ...lesson, x: some, penalty: 0, random: random(2) });
    const model: LinearModel = {
      classes,
      features: matrix.features,
      indices: features,
      weights: Float64Array.from(head.weights),
      intercept: Float64Array.from(head.intercept),
      mean: new Float64Array(k),
      scale: new Float64Array(k).fill(1),
    };
    const notes = [
      `${settings.steps} steps of Adam at ${settings.learningRate}: no stopping rule and no certificate; ${scores.filter((s) => s === 0).length} of ${matrix.features} features have a score of exactly zero`,
    ];
    if (certified) {
      notes.push(
        `shares ${(100 * jaccard(features, certified)).toFixed(0)} % of its features with the certified selection of as many (Jaccard index)`,
      );
    }
    return {
      predict: (inputs) => predictLinear(engine, model, inputs.matrix),
      model,
      tuned: {
        lambda: settings.lambda,
        steps: settings.steps,
        learningRate: settings.learningRate,
        keepFraction: k / matrix.features,
        ...(certified ? { overlap: jaccard(features, certified) } : {}),
      },
      grid: [],
      path: [],
      selection: { features, ranking },
      converged: true,
      notes,
    };
  },
};
