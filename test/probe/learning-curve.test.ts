/** What the examples that folds leave out add: against fits without one fold and without two, one by one. */
import { expect, test } from 'vitest';
import { Memo, type MethodContext } from '../../src/probe/context.js';
import { gainOfAll } from '../../src/probe/fitting/learning-curve.js';
import { probeDefaults } from '../../src/probe/index.js';
import { tuningFolds } from '../../src/probe/tuning/folds.js';
import { Designs } from '../../src/probe/tuning/grams.js';
import { fitDesign, fitFoldRidge, products, weightedKernel } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';
import { K, makeTask, resultOf, runOf } from './support/synthetic.js';

async function contextOf(folds = 5): Promise<MethodContext> {
  const engine = await testEngine();
  const task = makeTask();
  const options = { ...probeDefaults, folds };
  return {
    engine,
    train: { ...task.train, groups: undefined },
    taps: task.taps,
    classes: K,
    folds: tuningFolds({ ...task, train: { ...task.train, groups: undefined } }, options, []),
    options,
    designs: new Designs(engine, false),
    memo: new Memo(),
    progress: () => undefined,
  };
}

/** Share of `tested` that a fit to the other examples gets right, at this penalty. */
async function accuracyWithout(context: MethodContext, out: readonly number[], penalty: number): Promise<number> {
  const { engine, train } = context;
  const n = train.matrix.rows;
  const rows = Array.from({ length: n }, (_, i) => i).filter((i) => !out.includes(i));
  // Scaled on all rows, as taps are made to count alike before any fold.
  const design = await fitDesign(engine, train.matrix, { standardize: false });
  const kernel = await weightedKernel(engine, design, new Float64Array(3).fill(1 / 3));
  const cut = (a: readonly number[], b: readonly number[]) =>
    Float64Array.from(
      { length: a.length * b.length },
      (_, at) => kernel[(a[Math.floor(at / b.length)] as number) * n + (b[at % b.length] as number)] as number,
    );
  const multiply = await products(engine);
  const examples = {
    labels: rows.map((i) => train.labels[i] as number),
    classes: K,
    weights: rows.map(() => 1),
    folds: [],
  };
  const fit = await fitFoldRidge(engine, cut(rows, rows), examples, penalty);
  if (!fit) throw new Error('indefinite');
  const scores = await multiply(
    { rows: out.length, columns: rows.length, data: cut(out, rows) },
    { rows: rows.length, columns: K, data: fit.coefficients },
  );
  const right = out.filter((row, i) => {
    const own = [0, 1, 2].map((k) => (scores[i * K + k] as number) + (fit.intercept[k] as number));
    return own.indexOf(Math.max(...own)) === train.labels[row];
  });
  return right.length / out.length;
}

test.each([3, 5])('%d folds: the slope between one and two of them left out, to none', async (k) => {
  const context = await contextOf(k);
  const gain = await gainOfAll(context);
  const { grid, tuned } = resultOf(
    await runOf('all-ridge', { ...makeTask(), train: context.train }, { folds: k }),
    'all-ridge',
  ).fit;
  expect(grid.length).toBeGreaterThan(5);
  const penalty = tuned.penalty as number;
  const held = context.folds.map(({ validation }) => validation);
  const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const one = mean(await Promise.all(held.map((rows) => accuracyWithout(context, rows, penalty))));
  const pairs = held.flatMap((a, f) => held.slice(f + 1).map((b) => [...a, ...b]));
  const two = mean(await Promise.all(pairs.map((rows) => accuracyWithout(context, rows, penalty))));
  const [full, less, least] = [1 / k, 1 / (k - 1), 1 / (k - 2)];
  const expected = Math.max(0, ((one - two) / (least - less)) * (less - full));
  expect(one).not.toBe(two);
  expect(gain?.accuracy).toBeCloseTo(expected, 10);
});

test('of one part held out nothing is foretold', async () => {
  const context = await contextOf();
  expect(await gainOfAll({ ...context, folds: context.folds.slice(0, 1) })).toBeUndefined();
  expect(await gainOfAll({ ...context, options: { ...context.options, manyExamples: 20 } })).toBeUndefined();
});

test('auto counts it in what it expects, and says so', async () => {
  const run = await runOf('auto,stack');
  const { fit } = resultOf(run, 'auto');
  const note = fit.notes.find((text) => text.includes('for the examples that folds leave out'));
  const points = Number(/counts ([\d.]+) points/.exec(note ?? '')?.[1]);
  expect(points).toBeGreaterThan(0);
  const without = fit.notes.some((text) => text.startsWith('takes stack'))
    ? resultOf(run, 'stack').fit.estimate?.accuracy
    : undefined;
  if (without !== undefined) expect(fit.estimate?.accuracy ?? 0).toBeLessThanOrEqual(without + points / 100 + 1e-3);
});
