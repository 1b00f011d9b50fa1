/** Ridge regression on kernels of taps: left-out examples, and the weights of taps, against fits by hand. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { choleskySolve } from '../../src/solver/cholesky.js';
import {
  FeatureMatrix,
  type FoldLabels,
  fitDesign,
  fitFoldRidge,
  learnTapWeights,
  leaveOut,
  scoresOf,
  TapKernels,
} from '../../src/solver/index.js';
import { objectiveAt } from '../../src/solver/kernel-ridge/tap-weights.js';
import { testEngine } from '../support/run.js';

const [n, K] = [42, 3];
const labels = Int32Array.from({ length: n }, (_, i) => i % K);
const widths = [5, 60, 9];

function matrixOf(): FeatureMatrix {
  const random = new Random(7, 'kernel ridge');
  const blocks = widths.map((p, t) => ({
    name: `tap ${t}`,
    features: p,
    data: Float32Array.from(
      { length: p * n },
      (_, at) => random.normal() * 10 ** t + (t < 2 && labels[at % n] === Math.floor(at / n) % K ? 0.6 * 10 ** t : 0),
    ),
  }));
  return new FeatureMatrix(blocks, n);
}

const folds = [0, 1, 2, 3].map((f) => Array.from(labels.keys()).filter((i) => Math.floor(i / 3) % 4 === f));
const equal: FoldLabels = { labels, classes: K, weights: new Float64Array(n).fill(1), folds };
const unequal: FoldLabels = { ...equal, weights: Float64Array.from(labels, (c) => 0.5 + 0.5 * c) };

async function made() {
  const engine = await testEngine();
  const matrix = matrixOf();
  const design = await fitDesign(engine, matrix, { standardize: false });
  return {
    engine,
    kernels: await TapKernels.of(engine, design),
  };
}

/** The bordered system without some examples, solved by elimination. */
function byHand(
  kernel: Float64Array,
  { weights, classes }: FoldLabels,
  penalty: number,
  rows: number[],
  others: number[],
): number[][] {
  const m = rows.length;
  const scores = others.map(() => new Array<number>(classes).fill(0));
  for (let k = 0; k < classes; k++) {
    const y = Float64Array.from(rows, (i) => (labels[i] === k ? 1 : 0));
    const system = () =>
      Float64Array.from(
        { length: m * m },
        (_, at) =>
          (kernel[(rows[Math.floor(at / m)] as number) * n + (rows[at % m] as number)] as number) +
          (Math.floor(at / m) === at % m ? penalty / (weights[rows[at % m] as number] as number) : 0),
      );
    const [u, one] = [choleskySolve(system(), y), choleskySolve(system(), new Float64Array(m).fill(1))];
    const b = u.reduce((s, v) => s + v, 0) / one.reduce((s, v) => s + v, 0);
    for (const [o, i] of others.entries()) {
      let score = b;
      for (const [r, j] of rows.entries())
        score += (kernel[i * n + j] as number) * ((u[r] as number) - b * (one[r] as number));
      (scores[o] as number[])[k] = score;
    }
  }
  return scores;
}

describe('kernels of taps', () => {
  test('have a mean diagonal of one when centred, and sum with weights', async () => {
    const { kernels } = await made();
    for (const [t] of widths.entries()) {
      const w = Float64Array.from(widths, (_, i) => (i === t ? 1 : 0));
      const k = await kernels.sum(w);
      const mean = (values: Float64Array) => values.reduce((sum, v) => sum + v / values.length, 0);
      const diagonal = Float64Array.from({ length: n }, (_, i) => k[i * n + i] as number);
      expect(mean(diagonal) - mean(k)).toBeCloseTo(1, 5);
    }
    const [mixed, first, last] = await Promise.all(
      [
        [0.25, 0, 0.75],
        [1, 0, 0],
        [0, 0, 1],
      ].map((w) => kernels.sum(Float64Array.from(w))),
    );
    expect(mixed?.[5]).toBeCloseTo(0.25 * (first?.[5] as number) + 0.75 * (last?.[5] as number), 5);
  });

  test('among some examples are those rows and columns', async () => {
    const { kernels } = await made();
    const rows = [1, 4, 30];
    const some = kernels.among(rows);
    const w = Float64Array.from([0.2, 0.3, 0.5]);
    const [whole, cut] = [await kernels.sum(w), await some.sum(w)];
    expect(some.n).toBe(3);
    expect(() => kernels.among([4, 1])).toThrow('must rise');
    for (const [i, a] of rows.entries())
      for (const [j, b] of rows.entries()) expect(cut[i * 3 + j]).toBeCloseTo(whole[a * n + b] as number, 6);
  });
});

describe.each([
  ['equal', equal],
  ['unequal', unequal],
] as const)('ridge regression with %s weights', (_, examples) => {
  test.each([1e-3, 0.1, 10])('scores of a fold are those of a fit without it, penalty %s', async (penalty) => {
    const { engine, kernels } = await made();
    const kernel = await kernels.sum(Float64Array.from([0.5, 0.3, 0.2]));
    const fit = await fitFoldRidge(engine, kernel, examples, penalty);
    if (!fit) throw new Error('indefinite');
    for (const left of (await leaveOut(engine, fit, examples)) ?? []) {
      const rest = Array.from(labels.keys()).filter((i) => !left.rows.includes(i));
      const expected = byHand(kernel, examples, penalty, rest, [...left.rows]).flat();
      for (const [at, score] of scoresOf(left, examples).entries())
        expect(score).toBeCloseTo(expected[at] as number, 8);
    }
  });

  test('the gradient of the left-out loss is that of differences', async () => {
    const { engine, kernels } = await made();
    const at = Float64Array.from([-0.5, -1.5, -1, Math.log(0.2), Math.log(0.3)]);
    const value = async (x: Float64Array) => (await objectiveAt(engine, { kernels, examples }, x))?.objective as number;
    const { gradient } = (await objectiveAt(engine, { kernels, examples }, at)) as { gradient: Float64Array };
    for (let i = 0; i < at.length; i++) {
      const [up, down] = [1e-2, -1e-2].map((d) => at.map((v, j) => (i === j ? v + d : v)));
      const slope = ((await value(up as Float64Array)) - (await value(down as Float64Array))) / 2e-2;
      expect(Math.abs(slope - (gradient[i] as number))).toBeLessThan(1e-3 * Math.abs(slope) + 2e-5);
    }
  });
});

describe('learned weights', () => {
  const learn = async (strength: number, stops: number[]) => {
    const { engine, kernels } = await made();
    const options = { strength, stops, rate: 0.2, penalty: 0.1, temperature: 0.3 };
    const found = await learnTapWeights(engine, { kernels, examples: equal }, options);
    const objectives: number[] = [];
    for (const { weights, penalty, temperature } of found) {
      const at = Float64Array.from([...weights, penalty, temperature], Math.log);
      objectives.push((await objectiveAt(engine, { kernels, examples: equal }, at))?.objective as number);
    }
    return { found, objectives };
  };

  test('leave out the tap of noise, the more the weaker the prior', async () => {
    const [free, held] = [await learn(0.01, [40]), await learn(10, [40])];
    const [own] = free.found;
    expect(own?.weights.reduce((s, w) => s + w, 0)).toBeCloseTo(1, 12);
    expect(own?.weights[2]).toBeLessThan(0.1);
    expect(held.found[0]?.weights[2]).toBeGreaterThan(own?.weights[2] as number);
    expect(free.objectives[0]).toBeLessThan(held.objectives[0] as number);
  });

  test('score other examples after every stop as a fit with those weights does', async () => {
    const { engine, kernels } = await made();
    const [rows, others] = [[...labels.keys()].filter((i) => i % 5 > 0), [...labels.keys()].filter((i) => i % 5 === 0)];
    const place = new Map(rows.map((row, i) => [row, i]));
    const learned = {
      ...unequal,
      labels: rows.map((row) => labels[row] as number),
      weights: rows.map((row) => unequal.weights[row] as number),
      folds: [1, 2, 3, 4].map((f) => rows.filter((i) => i % 5 === f).map((i) => place.get(i) as number)),
    };
    const options = { strength: 0.01, stops: [2, 5], rate: 0.2, penalty: 0.1, temperature: 0.3 };
    const on = { kernels: kernels.among(rows), examples: learned };
    const between = kernels.between(others, rows);
    const found = await learnTapWeights(engine, { ...on, others: between }, options);
    const plain = await learnTapWeights(engine, on, options);
    for (const [i, { scores, ...weights }] of found.entries()) {
      expect(weights).toEqual(plain[i]);
      const fit = await fitFoldRidge(engine, await kernels.sum(weights.weights), unequal, weights.penalty);
      const [left] = (fit && (await leaveOut(engine, fit, { ...unequal, folds: [others] }))) ?? [];
      if (!left) throw new Error('indefinite');
      for (const [at, score] of scoresOf(left, unequal).entries()) expect(scores?.[at]).toBeCloseTo(score, 4);
    }
  });

  test('after more steps fit better, and those of a stop are those of a descent that ends there', async () => {
    const { found, objectives } = await learn(0.01, [2, 8, 20]);
    expect(objectives).toEqual([...objectives].sort((a, b) => b - a));
    expect((await learn(0.01, [8])).found[0]).toEqual(found[1]);
  });
});
