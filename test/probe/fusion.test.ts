/** Attention over layers: against PyTorch's published form, and what it reads of a store. */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { float32, int64, lossNames, type Tensor } from '../../src/graph/index.js';
import { foldFusion } from '../../src/probe/fusion/fold.js';
import { applyFusion } from '../../src/probe/fusion/head.js';
import { compileFusionStep } from '../../src/probe/fusion/network.js';
import { EPSILON, type FusionWeights, fusionParameters } from '../../src/probe/fusion/shape.js';
import { fusedTaps, layerTokens, readTokens } from '../../src/probe/fusion/tokens.js';
import { FusionTrainer, fusionRecipe, planOf } from '../../src/probe/fusion/trainer.js';
import { FeatureMatrix } from '../../src/solver/index.js';
import fixture from '../fixtures/probe/fusion.json' with { type: 'json' };
import { testEngine } from '../support/run.js';

const { n, k, D, K } = fixture;
const shape = { tokens: k, width: D, classes: K };
const x = Float32Array.from(fixture.x);

/** Vectors less their mean and over their standard deviation. */
function standardised(values: Float32Array): Float32Array {
  return values.map((v, at) => {
    const own = values.subarray(at - (at % D), at - (at % D) + D);
    const mean = own.reduce((sum, w) => sum + w / D, 0);
    const variance = own.reduce((sum, w) => sum + (w - mean) ** 2 / D, 0);
    return (v - mean) / Math.sqrt(variance + EPSILON);
  });
}

function expectNear(found: ArrayLike<number>, wanted: readonly number[], tolerance: number, what: string): void {
  expect(found.length, what).toBe(wanted.length);
  const worst = wanted.reduce((most, v, i) => Math.max(most, Math.abs(v - (found[i] as number))), 0);
  expect(worst, what).toBeLessThan(tolerance);
}

test('ten steps of AdamW are those of PyTorch, and so are the logits that the folded head gives', async () => {
  const engine = await testEngine();
  const { program, step } = await compileFusionStep(engine, { ...shape, batch: n, dropped: false });
  const start: Readonly<Record<string, readonly number[]>> = fixture.start;
  let state: Record<string, Tensor> = Object.fromEntries(
    step.state.map(({ input, dims, kind }) => {
      const values = kind === 'weight' ? start[input] : undefined;
      return [input, float32(dims, Float32Array.from(values ?? new Float32Array(dims.reduce((a, b) => a * b, 1))))];
    }),
  );
  const feeds = {
    x: float32([n, k, D], standardised(x)),
    [lossNames.labels]: int64(fixture.labels),
    [lossNames.weights]: float32([n], fixture.weights),
    learning_rate: float32([], [fixture.lr]),
    weight_decay: float32([], [fixture.wd]),
  };
  const losses: number[] = [];
  for (let t = 1; t <= fixture.losses.length; t++) {
    const found = await program.run({ ...feeds, ...state, step: float32([], [t]) });
    losses.push(Number(found[lossNames.loss]?.data[0]));
    state = Object.fromEntries(step.state.map(({ input, output }) => [input, found[output] as Tensor]));
  }
  expectNear(losses, fixture.losses, 1e-4, 'loss');
  const weights = Object.fromEntries(
    Object.keys(fusionParameters(shape)).map((name) => [name, state[name]?.data]),
  ) as FusionWeights;
  const end: Readonly<Record<string, readonly number[]>> = fixture.end;
  // What batch normalisation takes away again has no slope, and Adam makes steps of its rounding errors.
  const idle = ['value_shift', 'bo'];
  for (const [name, found] of Object.entries(weights)) {
    if (!idle.includes(name)) expectNear(found, end[name] ?? [], 2e-3, name);
  }
  // PyTorch's own weights, so that the head is compared alone.
  const theirs = Object.fromEntries(Object.entries(end).map(([name, v]) => [name, Float32Array.from(v)]));
  const moments = { mean: Float64Array.from(fixture.mean), variance: Float64Array.from(fixture.variance) };
  const matrices = foldFusion(shape, theirs as FusionWeights, moments);
  const { logits, mass } = await applyFusion(
    engine,
    shape,
    matrices,
    x,
    Array.from({ length: n }, (_, i) => i),
  );
  expectNear(logits, fixture.logits, 1e-5, 'logits');
  expect(mass.reduce((sum, v) => sum + v, 0)).toBeCloseTo(1, 9);
  await program.dispose();
});

test('training lowers the loss, under noise and dropout too, and one seed gives one result', async () => {
  const engine = await testEngine();
  const trainer = new FusionTrainer(engine, shape);
  // One vector of each example points to its class.
  const random = new Random(4);
  const labels = Array.from({ length: 60 }, (_, i) => i % K);
  const data = {
    x: Float32Array.from({ length: 60 * k * D }, (_, at) => {
      const [vector, place] = [Math.floor(at / D) % k, at % D];
      return 0.3 * random.normal() + (vector === 3 && place === labels[Math.floor(at / (k * D))] ? 1 : 0);
    }),
    labels,
    weights: new Float64Array(60).fill(1),
  };
  const rows = [...labels.keys()];
  const settings = { learningRate: 1e-2, weightDecay: 1e-3, dropout: 0.3 };
  const recipe = { epochs: 2, steps: 80, jitter: 0.05 };
  const run = (seed: number) => trainer.train(data, rows, settings, recipe, [seed]);
  const [first, again, other] = [await run(1), await run(1), await run(2)];
  const mean = (values: Float64Array) => values.reduce((sum, v) => sum + v, 0) / values.length;
  expect(mean(first.losses.subarray(-20))).toBeLessThan(0.8 * mean(first.losses.subarray(0, 20)));
  expect(again.losses).toEqual(first.losses);
  expect(other.losses).not.toEqual(first.losses);
  await trainer.dispose();
});

test('batches are five to an epoch, at most 2,048; runs have 40 epochs and never fewer than 1,000 steps', () => {
  expect(planOf(1000, fusionRecipe)).toEqual({ batch: 200, perEpoch: 5, total: 1000 });
  expect(planOf(200_000, fusionRecipe)).toEqual({ batch: 2048, perEpoch: 97, total: 3880 });
  expect(planOf(7, fusionRecipe).batch).toBe(2);
});

test('a token apart is a vector, and all cells of a grid are one; each has norm one and is padded', async () => {
  const pieces = [{ channels: 2, prefix: 1, grid: [1, 2] as const, features: 6 }];
  const taps = [
    { alias: 'block01.out', name: 'a', features: 6, pieces },
    { alias: 'features', name: 'b', features: 3 },
    { alias: 'logits', name: 'c', features: 9 },
  ];
  const layers = layerTokens(taps, [0, 6, 9, 18]);
  expect(layers.tokens.map(({ name, features }) => [name, [...features]])).toEqual([
    ['block01.out (token 0)', [0, 3]],
    ['block01.out', [1, 2, 4, 5]],
    ['features', [6, 7, 8]],
  ]);
  // One example: channel 0 is 3 at the token, 1 and 1 on the grid; channel 1 is 4, and 1 and 1; the last layer is zero.
  const blocks = [
    { name: 'a', features: 6, data: Float32Array.of(3, 1, 1, 4, 1, 1) },
    { name: 'b', features: 3, data: new Float32Array(3) },
    { name: 'c', features: 9, data: new Float32Array(9).fill(7) },
  ];
  const read = await readTokens(new FeatureMatrix(blocks, 1), layers);
  expectNear(read, [0.6, 0.8, 0, 0, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0], 1e-6, 'vectors');
});

test('of many taps it reads ln2 of all blocks but the first, else the outputs of the blocks; and the last layer', () => {
  const aliases = (...names: string[]) => names.map((alias) => ({ alias, name: alias, features: 2 }));
  const read = (...names: string[]) => fusedTaps(aliases(...names)).map((t) => names[t]);
  const block = (b: number) => ['ln2', 'hidden', 'out'].map((module) => `block0${b}.${module}`);
  expect(read(...block(1), ...block(2), ...block(3), 'features', 'logits')).toEqual([
    'block02.ln2',
    'block03.ln2',
    'features',
  ]);
  expect(read('s1.b0.act1', 's1.b0.sum', 's1.b1.sum', 'features')).toEqual(['s1.b0.sum', 's1.b1.sum', 'features']);
  expect(read('block01.ln2@gap', 'block01.ln2@std', 'block02.ln2@gap', 'features')).toEqual([
    'block02.ln2@gap',
    'features',
  ]);
  expect(read('conv1', 'conv2', 'logits')).toEqual(['conv1', 'conv2']);
});
