/** Every method passes one suite; what is special about each follows. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  type Examples,
  methods,
  type ProbeRun,
  type ProbeTask,
  runProbes,
  selectMethods,
} from '../../src/probe/index.js';
import { FeatureMatrix } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';

const K = 3;
const sizes = [20, 30, 10];

/** Three taps: noise, a middle tap with most of the signal in a few features, a last layer with some of it. */
function examples(n: number, stream: string): Examples {
  const random = new Random(7, stream);
  const labels = Int32Array.from({ length: n }, (_, i) => i % K);
  const blocks = sizes.map((features, b) => {
    const data = new Float32Array(features * n);
    for (let j = 0; j < features; j++) {
      for (let i = 0; i < n; i++) {
        const own = labels[i] === j % K ? 1 : 0;
        const signal = b === 1 && j < 6 ? 2.5 * own : b === 2 && j < 3 ? 1.2 * own : 0;
        data[j * n + i] = Math.max(0, 1 + signal + random.normal());
      }
    }
    return { name: `tap${b}`, features, data };
  });
  return {
    matrix: new FeatureMatrix(blocks, n, { unitNorm: true }),
    labels,
    files: Array.from({ length: n }, (_, i) => `${stream}/${i}.png`),
    groups: Array.from({ length: n }, (_, i) => `${labels[i]}/${Math.floor(i / 6)}`),
    control: new FeatureMatrix(
      [{ name: 'features', features: 10, data: (blocks[2] as { data: Float32Array }).data }],
      n,
      {
        unitNorm: true,
      },
    ),
  };
}

function makeTask(): ProbeTask {
  return {
    train: examples(90, 'train'),
    test: examples(60, 'test'),
    classes: ['a', 'b', 'c'],
    taps: sizes.map((features, b) => ({
      alias: b === 2 ? 'features' : `s1.b${b}.act1`,
      name: `tap${b}`,
      features,
      macs: 100 * (b + 1),
      depth: (b + 1) / 3,
    })),
    source: { description: 'synthetic', model: { path: '', sha256: '', macs: 300, params: 10 } },
  };
}

const options = { folds: 3, lambdaCount: 8, lambdaRatio: 0.1, fractions: [0.05, 0.1, 0.5], l2: [1e-1, 1e-3, 1e-5] };

async function runOf(names: string, task = makeTask(), more = {}): Promise<ProbeRun> {
  return runProbes(await testEngine(), task, selectMethods(names), { ...options, ...more });
}

const names = methods.map((m) => m.name);
let run: ProbeRun;
let again: ProbeRun;
/** The same task with wrong test labels. */
let misled: ProbeRun;
beforeAll(async () => {
  const task = makeTask();
  const labels = task.test?.labels.map((c) => (c + 1) % K) as Int32Array;
  run = await runOf(names.join());
  again = await runOf(names.join());
  misled = await runOf(names.join(), { ...task, test: { ...(task.test as Examples), labels } });
}, 60_000);

describe.each(names)('method %s', (name) => {
  const of = (r: ProbeRun) => r.results.find(({ method }) => method.name === name);

  test('classifies better than chance, with probabilities that sum to one', () => {
    const p = of(run)?.probabilities as Float64Array;
    expect(of(run)?.test?.accuracy).toBeGreaterThan(name === 'random-k' ? 0.34 : 0.5);
    for (let i = 0; i < 60; i++) {
      expect((p[i * K] as number) + (p[i * K + 1] as number) + (p[i * K + 2] as number)).toBeCloseTo(1, 6);
    }
  });

  test('converges, and reports what it tuned by the folds', () => {
    const fit = of(run)?.fit;
    expect(fit?.converged).toBe(true);
    expect(fit?.path.every((point) => point.converged)).toBe(true);
    if (name !== 'oracle' && name !== 'head2toe-faithful') expect(fit?.validation?.folds).toHaveLength(3);
  });

  test('gives the same bytes for the same seed', () => {
    expect(of(again)?.probabilities).toEqual(of(run)?.probabilities);
  });

  test(name === 'oracle' ? 'says that it uses test labels' : 'never sees test labels', () => {
    if (name === 'oracle') {
      expect(of(run)?.method.peeks).toBe(true);
      expect(of(run)?.fit.notes.join()).toContain('test accuracy');
    } else {
      expect(of(misled)?.probabilities).toEqual(of(run)?.probabilities);
      expect(of(misled)?.method.peeks).toBeUndefined();
    }
  });
});

describe('head2toe', () => {
  test('finds the features that carry the signal, and says where they are', async () => {
    const run = await runOf('head2toe', makeTask(), { fractions: [0.1] });
    const [result] = run.results;
    const selection = result?.fit.selection;
    expect(selection?.features).toHaveLength(6);
    const planted = Array.from(selection?.features ?? []).filter((j) => j >= 20 && j < 26);
    expect(planted.length).toBeGreaterThanOrEqual(5);
    expect(selection?.stability).toBeGreaterThan(0.5);
    for (const j of planted) expect(selection?.frequency?.[j]).toBeGreaterThan(0.3);
  });

  test('ranks the support first, then by nearness to entering', async () => {
    const run = await runOf('head2toe', makeTask(), { fractions: [0.5] });
    const { order, scores, support } = run.results[0]?.fit.selection?.ranking ?? {};
    const inOrder = Array.from(order ?? [], (j) => scores?.[j] as number);
    expect(inOrder.indexOf(0)).toBe(support);
    expect(inOrder.slice(0, support)).toEqual([...inOrder.slice(0, support)].sort((a, b) => b - a));
    expect(new Set(order).size).toBe(60);
  });

  test('needs the network only up to the deepest tap that it reads', async () => {
    const run = await runOf('head2toe', makeTask(), { fractions: [0.05] });
    expect(run.results[0]?.network).toMatchObject({ deepestTap: 's1.b1.act1', macs: 200, depth: 2 / 3 });
    expect(run.results[0]?.network?.macsShare).toBeCloseTo(2 / 3);
  });

  test('baselines keep as many features as it does', async () => {
    const run = await runOf('random-k,head2toe,f-test-k');
    const counts = run.results.map((r) => r.used);
    expect(run.results[0]?.method.name).toBe('head2toe');
    expect(new Set(counts).size).toBe(1);
  });

  test('does not renormalise after selecting: one feature of a tap keeps its magnitude', async () => {
    const run = await runOf('head2toe', makeTask(), { fractions: [1 / 60] });
    const [result] = run.results;
    expect(result?.used).toBe(1);
    // A renormalised single feature would be 0 or 1, and every probability one of two vectors.
    const p = result?.probabilities as Float64Array;
    const first = Array.from({ length: 60 }, (_, i) => (p[i * K] as number).toFixed(9));
    expect(new Set(first).size).toBeGreaterThan(20);
  });
});

describe('single taps and windows', () => {
  test('measure each tap alone and added, and the ranking in windows', async () => {
    const run = await runOf('head2toe', makeTask(), { perTap: true, rankWindows: true });
    expect(run.taps?.map((t) => t.alias)).toEqual(['s1.b0.act1', 's1.b1.act1', 'features']);
    expect(run.taps?.[1]?.alone).toBeGreaterThan(run.taps?.[0]?.alone as number);
    expect(run.windows?.[0]?.test).toBeGreaterThan(run.windows?.at(-1)?.test as number);
  });
});

describe('what is wrong with a request is said in one sentence', () => {
  const changed = (change: (task: ProbeTask) => ProbeTask) => runOf('linear', change(makeTask()));
  const train = (task: ProbeTask, more: Partial<Examples>) => ({ ...task, train: { ...task.train, ...more } });

  test('labels that do not match the rows', async () => {
    await expect(changed((t) => train(t, { labels: new Int32Array(5) }))).rejects.toThrow(
      '5 training labels for 90 rows',
    );
  });
  test('one class', async () => {
    await expect(changed((t) => train(t, { labels: new Int32Array(90) }))).rejects.toThrow("all of class 'a'");
  });
  test('a label that is no class', async () => {
    await expect(changed((t) => train(t, { labels: t.train.labels.map((c) => c + 1) }))).rejects.toThrow('label 3');
  });
  test('groups that do not cover', async () => {
    await expect(changed((t) => train(t, { groups: ['a'] }))).rejects.toThrow('1 groups for 90');
  });
  test('fewer groups than folds', async () => {
    const groups = Array.from({ length: 90 }, (_, i) => String(i % 2));
    await expect(changed((t) => train(t, { groups }))).rejects.toThrow('3 folds need at least 3 groups');
  });
  test('a class in the test set only', async () => {
    const task = makeTask();
    const two = task.train.labels.map((c) => c % 2);
    await expect(changed((t) => train(t, { labels: two }))).rejects.toThrow(
      "class 'c' has test examples but no training",
    );
  });
  test('NaN features, with tap, feature and row', async () => {
    const task = makeTask();
    const data = task.train.matrix.blocks[1]?.data as Float32Array;
    data[4 * 90 + 7] = Number.NaN;
    await expect(runOf('all-l2', task)).rejects.toThrow(/tap1, feature 4.*NaN in row 7/);
  });
  test('infinite test features', async () => {
    const task = makeTask();
    const data = task.test?.matrix.blocks[0]?.data as Float32Array;
    data[2 * 60 + 1] = Number.POSITIVE_INFINITY;
    await expect(runOf('linear', task)).rejects.toThrow(/tap0, feature 2.*Infinity in row 1/);
  });
  test.each([
    [{ fractions: [1.5] }, 'keep fraction 1.5'],
    [{ fractions: [0] }, 'keep fraction 0'],
    [{ lambdaRatio: 0 }, 'lambda ratio 0'],
    [{ lambdaRatios: [0.1, 0.5] }, 'must fall'],
    [{ l2: [-1] }, 'l2 penalty -1'],
    [{ folds: 1 }, '1 folds'],
    [{ tolerance: 0 }, 'tolerance 0'],
  ])('%j', async (more, message) => {
    await expect(runOf('linear', makeTask(), more)).rejects.toThrow(message);
  });
  test('test features of another width', async () => {
    const task = makeTask();
    const matrix = new FeatureMatrix([{ name: 'x', features: 1, data: new Float32Array(60) }], 60);
    await expect(runOf('linear', { ...task, test: { ...(task.test as Examples), matrix } })).rejects.toThrow(
      'training features have 60 columns and the test features 1',
    );
  });
  test('an unknown method, with the name that was meant', () => {
    expect(() => selectMethods('head2tow')).toThrow("did you mean 'head2toe'?");
  });
  test('control without a second backbone', async () => {
    const task = makeTask();
    await expect(runOf('control', { ...task, train: { ...task.train, control: undefined } })).rejects.toThrow(
      '--control',
    );
  });
});
