/** Probes of more examples than kernels and folds are for: parts that weights are learned on, one part held out. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { Memo, type MethodContext } from '../../src/probe/context.js';
import { subsetOf } from '../../src/probe/fitting/subset.js';
import { probeDefaults } from '../../src/probe/index.js';
import { Designs } from '../../src/probe/tuning/grams.js';
import { FeatureMatrix } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';
import {
  counts,
  inputs,
  K,
  labelled,
  makeTask,
  resultOf,
  runOf,
  scored,
  type TestedTask,
} from './support/synthetic.js';

const many = { manyExamples: 60 };
const ridges = ['all-ridge', 'tap-ridge', 'stack', 'auto'];

/** The task with 40 features of noise more in its first tap: more features than examples. */
function wide(): TestedTask {
  const task = makeTask();
  const widened = (n: number, stream: string) => {
    const given = inputs(n, stream);
    const random = new Random(1, 'noise', stream);
    const [first, ...rest] = given.matrix.blocks;
    const noise = Float32Array.from({ length: 40 * n }, () => random.normal());
    const data = new Float32Array([...(first?.data ?? []), ...noise]);
    const blocks = [{ name: 'tap0', features: 60, data }, ...rest];
    return { ...given, matrix: new FeatureMatrix(blocks, n, { unitNorm: true }) };
  };
  const [first, ...taps] = task.taps as [TestedTask['taps'][0], ...TestedTask['taps']];
  return {
    ...task,
    train: { ...labelled(counts.train, 'train'), ...widened(counts.train, 'train') },
    test: widened(counts.test, 'test'),
    taps: [{ ...first, features: 60 }, ...taps],
  };
}

describe.each([
  ['by features, fewer than the examples', makeTask],
  ['by a kernel, more than the examples', wide],
])('%s', (_, task) => {
  test.each(ridges)('%s classifies as well as with folds', async (id) => {
    const [few, more] = [await runOf(id, task()), await runOf(id, task(), many)];
    const [a, b] = [few, more].map((run) => scored(run, id).cell.score as number) as [number, number];
    expect(b).toBeGreaterThan(0.5);
    expect(Math.abs(a - b)).toBeLessThan(0.12);
    expect(more.folds).toHaveLength(1);
    expect(more.warnings.join()).toMatch(
      /of 90 training examples 3\d are held out once to compare settings, in place of 3 folds/,
    );
  });
});

test('what weights are learned on for a fold has none of its validation rows', async () => {
  const task = makeTask();
  const run = await runOf('tap-ridge', task, many);
  const held = run.folds[0]?.validation as number[];
  const { train } = task;
  const shuffled = { ...train, labels: train.labels.map((c, i) => (held.includes(i) ? (c + 1) % K : c)) };
  // Wrong labels of the rows held out change what they are judged by, not what is said of them.
  const scores = async (given: typeof train) => {
    const { fit } = resultOf(await runOf('tap-ridge', { ...task, train: given, validation: held }, many), 'tap-ridge');
    const row = fit.grid.find(({ settings }) => settings.multiple === 1);
    return row?.answers.logits;
  };
  const said = await scores(train);
  expect(said).toHaveLength(held.length * K);
  expect(await scores(shuffled)).toEqual(said);
});

test('the same seed gives the same probe', async () => {
  const [a, b] = [await runOf('tap-ridge', makeTask(), many), await runOf('tap-ridge', makeTask(), many)];
  expect(resultOf(a, 'tap-ridge').fit.model).toEqual(resultOf(b, 'tap-ridge').fit.model);
});

describe('a part of the examples', () => {
  const n = 300;
  const context = async (groups?: readonly string[]): Promise<MethodContext> => {
    const engine = await testEngine();
    const train = { ...labelled(n, 'part'), groups };
    const designs = new Designs(engine, false);
    return {
      engine,
      train,
      taps: makeTask().taps,
      classes: K,
      folds: [],
      options: probeDefaults,
      designs,
      memo: new Memo(),
      progress: () => undefined,
    };
  };
  const rows = Array.from({ length: 240 }, (_, i) => i);

  test('has about as many as asked for, all of the rows given, as many of every class', async () => {
    const { train } = subsetOf(await context(), rows, 60, 'a');
    expect(train.labels).toHaveLength(60);
    expect([0, 1, 2].map((c) => train.labels.filter((l) => l === c).length)).toEqual([20, 20, 20]);
    expect(new Set(train.files).size).toBe(60);
    expect(train.files.every((file) => Number(/(\d+)\.png/.exec(file)?.[1]) < 240)).toBe(true);
  });

  test('keeps groups together, and has folds among its own rows', async () => {
    const groups = Array.from({ length: n }, (_, i) => `${Math.floor(i / 6)}`);
    const { train, folds } = subsetOf(await context(groups), rows, 60, 'a');
    const sizes = new Map<string, number>();
    for (const group of train.groups ?? []) sizes.set(group, (sizes.get(group) ?? 0) + 1);
    expect([...sizes.values()].every((size) => size === 6)).toBe(true);
    expect(folds.flatMap(({ validation }) => validation).sort((a, b) => a - b)).toEqual([...train.labels.keys()]);
  });

  test('has its values, normalised as in the whole', async () => {
    const own = await context();
    const { train } = subsetOf(own, rows, 60, 'a');
    const at = train.files.map((file) => own.train.files.indexOf(file));
    const [whole, part] = [own.train.matrix, train.matrix];
    const values = new Float32Array(n);
    const mine = new Float32Array(60);
    for (const j of [0, 25, 55]) {
      await whole.gather([j], values);
      await part.gather([j], mine);
      expect([...mine]).toEqual(at.map((i) => values[i]));
      const { block } = whole.locate(j);
      const [s, t] = [await whole.rowScale(block), await part.rowScale(block)];
      expect([...t]).toEqual(at.map((i) => s[i]));
    }
  });

  test('is all of them where there are no more, and another for another stream', async () => {
    const own = await context();
    expect(subsetOf(own, rows, 200, 'a').train.labels).toHaveLength(240);
    expect(subsetOf(own, rows, 60, 'b').train.files).not.toEqual(subsetOf(own, rows, 60, 'a').train.files);
  });
});

test('penalties are tried from the strongest until two in a row are no better, and the chosen probe is the same', async () => {
  const validation = Array.from({ length: counts.train }, (_, i) => i).filter((i) => i % 4 === 3);
  const l2 = [10, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
  const given = { l2, choose: 'log-loss' as const };
  const task = { ...makeTask(), validation };
  const [whole, cut] = await Promise.all([runOf('all-l2', task, given), runOf('all-l2', task, { ...given, ...many })]);
  const [all, tried] = [whole, cut].map((run) => resultOf(run, 'all-l2').fit.grid.map((row) => row.settings.l2));
  expect(all).toEqual(l2);
  expect(tried).toEqual(l2.slice(0, tried?.length));
  expect(tried?.length).toBeLessThan(l2.length);
  const { fit } = resultOf(cut, 'all-l2');
  expect(tried?.at(-3)).toBe(fit.tuned.l2);
  expect(resultOf(whole, 'all-l2').fit.tuned).toEqual(fit.tuned);
  const [a, b] = [whole, cut].map((run) => scored(run, 'all-l2').predictions?.probabilities as Float64Array);
  expect(Math.max(...(a as Float64Array).map((v, i) => Math.abs(v - (b?.[i] as number))))).toBeLessThan(1e-3);
});
