/** Ridge regression by the features: against the same problem by the examples, whose own tests solve it by hand. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  FeatureMatrix,
  FeatureRidge,
  type FoldLabels,
  fitDesign,
  fitFoldRidge,
  type LinearModel,
  leaveOut,
  predictLogits,
  products,
  scoresOf,
  weightedKernel,
} from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';

const [n, K] = [150, 3];
const widths = [5, 40, 23];
const random = new Random(3, 'feature ridge');
const labels = Int32Array.from({ length: n }, () => Math.floor(K * random.uniform()));
const blocks = widths.map((p, t) => ({
  name: `tap ${t}`,
  features: p,
  // Of other sizes, far from zero, one feature constant, and one twice.
  data: Float32Array.from({ length: p * n }, (_, at) => {
    const [j, i] = [Math.floor(at / n), at % n];
    return 10 ** t * (2 + (j === 1 ? 0 : random.normal() + (j % 4 === 0 && labels[i] === 1 ? 1 : 0)));
  }),
}));
const held = Array.from({ length: n }, (_, i) => i).filter((i) => i % 5 === 2);
const kinds: Record<string, Partial<FoldLabels>> = {
  'examples that count alike': {},
  'classes that count alike': { weights: Float64Array.from(labels, (c) => 0.5 + 0.7 * c) },
  'values in place of labels': { values: Float64Array.from({ length: n * K }, () => random.normal()) },
};

/** Twice the second block's first feature: the products lack rank. */
function matrixOf(): FeatureMatrix {
  const [first, second, third] = blocks as [(typeof blocks)[0], (typeof blocks)[0], (typeof blocks)[0]];
  const data = second.data.slice();
  data.copyWithin(3 * n, 0, n);
  return new FeatureMatrix([first, { ...second, data }, third], n);
}

async function both(given: Partial<FoldLabels>, standardize: boolean) {
  const engine = await testEngine();
  const matrix = matrixOf();
  const v = given.weights ?? new Float64Array(n).fill(1);
  const design = await fitDesign(engine, matrix, { standardize, weights: v });
  const examples: FoldLabels = { labels, classes: K, ...given, weights: design.weights, folds: [held] };
  // Tiles that do not divide 68 features, of which two are in memory at once.
  const ridge = await FeatureRidge.of(engine, design, examples, { edge: 16, memory: 3 * 4 * n * 16 });
  return { engine, matrix, design, examples, ridge, multiply: await products(engine) };
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a, (v, i) => Math.abs(v - (b[i] as number))).reduce((most, v) => Math.max(most, v), 0);

describe.each(Object.entries(kinds))('%s', (_, given) => {
  describe.each([false, true])('standardised: %s', (standardize) => {
    test.each([
      [[1 / 3, 1 / 3, 1 / 3], 1],
      [[0.7, 0, 0.3], 0.01],
    ])('taps weighed %j, penalty %d: held-out scores are those of the kernel', async (weights, penalty) => {
      const { engine, design, examples, ridge } = await both(given, standardize);
      const kernel = await weightedKernel(engine, design, Float64Array.from(weights));
      const fit = await fitFoldRidge(engine, kernel, examples, penalty);
      const [left] = (fit && (await leaveOut(engine, fit, examples))) ?? [];
      const found = await ridge.heldOut({ weights, penalty });
      expect(found).toHaveLength(held.length * K);
      expect(largest(found as Float64Array, scoresOf(left as NonNullable<typeof left>, examples))).toBeLessThan(1e-3);
    });

    test('the fit to all examples is theirs, to the precision of the features', async () => {
      const { engine, matrix, design, examples, ridge, multiply } = await both(given, standardize);
      const weights = [0.2, 0.5, 0.3];
      const fit = await ridge.fit({ weights, penalty: 0.1 });
      expect(fit?.residual).toBeLessThan(1e-6);
      const scores = await predictLogits(engine, fit?.model as LinearModel, matrix);
      const kernel = await weightedKernel(engine, design, Float64Array.from(weights));
      const { coefficients, intercept } = (await fitFoldRidge(engine, kernel, examples, 0.1)) as NonNullable<
        Awaited<ReturnType<typeof fitFoldRidge>>
      >;
      const expected = await multiply(
        { rows: n, columns: n, data: kernel },
        { rows: n, columns: K, data: coefficients },
      );
      // The kernel is not centred: what its scores differ by is one number a class.
      for (let k = 0; k < K; k++) {
        const [a, b] = [scores, expected].map((s) => Array.from({ length: n }, (_, i) => s[i * K + k] as number)) as [
          number[],
          number[],
        ];
        const shift = (a[0] as number) - (b[0] as number) - (intercept[k] as number);
        expect(
          largest(
            a,
            b.map((v) => v + (intercept[k] as number) + shift),
          ),
        ).toBeLessThan(1e-3);
      }
    });
  });
});

test('a penalty that rounding cannot tell from zero is refused where the products lack rank', async () => {
  const { ridge } = await both({}, false);
  expect(await ridge.heldOut({ weights: [1, 1, 1], penalty: 1e-12 })).toBeUndefined();
  expect(await ridge.fit({ weights: [1, 1, 1], penalty: 1e-12 })).toBeUndefined();
});

test('progress ends at the whole', async () => {
  const engine = await testEngine();
  const design = await fitDesign(engine, matrixOf(), { standardize: false });
  const shares: number[] = [];
  const examples = { labels, classes: K, weights: design.weights, folds: [held] };
  await FeatureRidge.of(engine, design, examples, { edge: 16, progress: (share) => shares.push(share) });
  expect(shares.at(-1)).toBe(1);
  expect([...shares].sort((a, b) => a - b)).toEqual(shares);
});
