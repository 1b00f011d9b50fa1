/** Attention over layers and over positions: against PyTorch's published form, and what it reads of a store. */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { float32, int64, lossNames, type Tensor } from '../../src/graph/index.js';
import { efficientProbing } from '../../src/probe/attention/efficient-probing.js';
import { applyAttention } from '../../src/probe/attention/head.js';
import { layerFusion } from '../../src/probe/attention/layer-fusion.js';
import { type AttentionNetwork, compileStep } from '../../src/probe/attention/network.js';
import { EPSILON } from '../../src/probe/attention/shape.js';
import { readTokens, type TokenRows } from '../../src/probe/attention/token-rows.js';
import { fusedTaps, layerTokens, positionTokens } from '../../src/probe/attention/tokens.js';
import { AttentionTrainer, attentionRecipe, planOf } from '../../src/probe/attention/trainer.js';
import { FeatureMatrix } from '../../src/solver/index.js';
import probing from '../fixtures/probe/efficient-probing.json' with { type: 'json' };
import fixture from '../fixtures/probe/fusion.json' with { type: 'json' };
import { testEngine } from '../support/run.js';

const { n, k, D, K } = fixture;
const shape = { tokens: k, width: D, classes: K };
const x = Float32Array.from(fixture.x);

/** Examples of k vectors of D values. */
const rowsOf = (values: Float32Array): TokenRows => ({
  tokens: k,
  width: D,
  fill: (row, into, at) => into.set(values.subarray(row * k * D, (row + 1) * k * D), at),
  close: () => undefined,
});

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

/** Learned arrays of which batch normalisation takes everything away have no slope, and Adam makes steps of rounding errors. */
const networks: readonly { name: string; network: AttentionNetwork; wanted: Fixture; idle: readonly string[] }[] = [
  { name: 'attentive layer fusion', network: layerFusion(shape), wanted: fixture, idle: ['value_shift', 'bo'] },
  { name: 'efficient probing', network: efficientProbing(shape, 3), wanted: probing, idle: [] },
];
type Fixture = Pick<typeof fixture, 'lr' | 'wd' | 'labels' | 'weights' | 'losses' | 'mean' | 'variance' | 'logits'> & {
  readonly start: object;
  readonly end: object;
};

test.each(networks)(
  '$name: ten steps of AdamW are those of PyTorch, and so are the logits of the folded head',
  async ({ network, wanted, idle }) => {
    const engine = await testEngine();
    const { program, step } = await compileStep(engine, network, n, false);
    const start = wanted.start as Readonly<Record<string, readonly number[]>>;
    let state: Record<string, Tensor> = Object.fromEntries(
      step.state.map(({ input, dims, kind }) => {
        const values = kind === 'weight' ? start[input] : undefined;
        return [input, float32(dims, Float32Array.from(values ?? new Float32Array(dims.reduce((a, b) => a * b, 1))))];
      }),
    );
    const feeds = {
      x: float32([n, k, D], standardised(x)),
      [lossNames.labels]: int64(wanted.labels),
      [lossNames.weights]: float32([n], wanted.weights),
      learning_rate: float32([], [wanted.lr]),
      weight_decay: float32([], [wanted.wd]),
    };
    const losses: number[] = [];
    for (let t = 1; t <= wanted.losses.length; t++) {
      const found = await program.run({ ...feeds, ...state, step: float32([], [t]) });
      losses.push(Number(found[lossNames.loss]?.data[0]));
      state = Object.fromEntries(step.state.map(({ input, output }) => [input, found[output] as Tensor]));
    }
    expectNear(losses, wanted.losses, 1e-4, 'loss');
    const end = wanted.end as Readonly<Record<string, readonly number[]>>;
    for (const name of Object.keys(network.parameters)) {
      const found = state[name]?.data as Float32Array;
      if (!idle.includes(name)) expectNear(found, end[name] ?? [], 2e-3, name);
    }
    // PyTorch's own weights, so that the head is compared alone.
    const theirs = Object.fromEntries(Object.entries(end).map(([name, v]) => [name, Float32Array.from(v)]));
    const moments = { mean: Float64Array.from(wanted.mean), variance: Float64Array.from(wanted.variance) };
    const rows = Array.from({ length: n }, (_, i) => i);
    const { logits, mass } = await applyAttention(engine, network.fold(theirs, moments), rowsOf(x), rows);
    expectNear(logits, wanted.logits, 1e-5, 'logits');
    expect(mass.reduce((sum, v) => sum + v, 0)).toBeCloseTo(1, 9);
    await program.dispose();
  },
);

test.each(networks)(
  '$name: training lowers the loss, under noise and dropout too, and one seed gives one result',
  async ({ network }) => {
    const engine = await testEngine();
    const trainer = new AttentionTrainer(engine, network);
    // One vector of each example points to its class.
    const random = new Random(4);
    const labels = Array.from({ length: 60 }, (_, i) => i % K);
    const data = {
      x: rowsOf(
        Float32Array.from({ length: 60 * k * D }, (_, at) => {
          const [vector, place] = [Math.floor(at / D) % k, at % D];
          return 0.3 * random.normal() + (vector === 3 && place === labels[Math.floor(at / (k * D))] ? 1 : 0);
        }),
      ),
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
  },
);

test('batches are five to an epoch, at most 2,048; runs have 40 epochs and never fewer than 1,000 steps', () => {
  expect(planOf(1000, attentionRecipe)).toEqual({ batch: 200, perEpoch: 5, total: 1000 });
  expect(planOf(200_000, attentionRecipe)).toEqual({ batch: 2048, perEpoch: 97, total: 3880 });
  expect(planOf(7, attentionRecipe).batch).toBe(2);
  // 197 positions of 768 values: 600 MB.
  expect(planOf(200_000, attentionRecipe, 197 * 768).batch).toBe(887);
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
  for (const memory of [1e6, 0]) {
    const rows = await readTokens(new FeatureMatrix(blocks, 1), layers, memory);
    const read = new Float32Array(13);
    rows.fill(0, read, 1);
    expectNear(read.subarray(1), [0.6, 0.8, 0, 0, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0], 1e-6, `vectors in ${memory} bytes`);
    rows.close();
  }
});

test('positions of the deepest layer that has any, at its finest pooling; a layer that has none is named with what to do', () => {
  const piece = (cells: number) => [
    { pool: '', channels: 2, prefix: 1, grid: [1, cells] as const, features: 2 + 2 * cells },
  ];
  const taps = [
    { alias: 'early', name: 'a', features: 12, depth: 0.1, pieces: piece(5) },
    { alias: 'late@target:4', name: 'b', features: 4, depth: 0.9, pieces: piece(1) },
    { alias: 'late@tokens', name: 'b', features: 8, depth: 0.9, pieces: piece(3) },
    { alias: 'logits', name: 'c', features: 9, depth: 1 },
  ];
  const { tokens, width, features } = positionTokens(taps, [0, 12, 16, 24, 33]);
  expect(width).toBe(2);
  expect(tokens.map(({ name, features }) => [name, [...features]])).toEqual([
    ['late@tokens (token 0)', [16, 20]],
    ['late@tokens (place 0)', [17, 21]],
    ['late@tokens (place 1)', [18, 22]],
    ['late@tokens (place 2)', [19, 23]],
  ]);
  expect([...features]).toEqual([16, 17, 18, 19, 20, 21, 22, 23]);
  expect(() => positionTokens(taps.slice(3), [0, 9])).toThrow('extract MODEL DATA --tokens TAP');
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
