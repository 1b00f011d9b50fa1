/** What auto and stack choose from: they say what takes no part, and why, and try nothing that does not fit in memory. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { Memo, type MethodContext } from '../../src/probe/context.js';
import { candidatesOf } from '../../src/probe/fitting/candidates.js';
import { probeDefaults } from '../../src/probe/index.js';
import { allL2 } from '../../src/probe/methods/all-l2.js';
import { Designs } from '../../src/probe/tuning/grams.js';
import { FeatureMatrix, kernelFits, l2Fits } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';
import { inputs, K, labelled, makeTask, resultOf, runOf, scored } from './support/synthetic.js';

/** The task with so many features of noise in its first tap. */
function noisy(features: number) {
  const task = makeTask();
  const random = new Random(1, 'noise');
  const widened = (n: number, stream: string) => {
    const given = inputs(n, stream);
    const data = Float32Array.from({ length: features * n }, () => random.uniform());
    const blocks = [{ name: 'tap0', features, data }, ...given.matrix.blocks.slice(1)];
    return { ...given, matrix: new FeatureMatrix(blocks, n, { unitNorm: true }) };
  };
  const [first, ...taps] = task.taps as [(typeof task.taps)[0], ...typeof task.taps];
  return {
    ...task,
    train: { ...labelled(90, 'train'), ...widened(90, 'train') },
    test: widened(60, 'test'),
    taps: [{ ...first, features }, ...taps],
  };
}

const leftOut = /^leaves out all-l2: on 90 training examples with 50041 features it takes long/;

describe('of very many features', () => {
  test('logistic regression on all takes no part, and stack and auto say so once', { timeout: 120_000 }, async () => {
    const run = await runOf('stack,auto', noisy(50_001), { leaveOut: 0, repetitions: 0 });
    for (const id of ['stack', 'auto']) {
      const { notes } = scored(run, id).cell;
      expect(notes.filter((note) => leftOut.test(note))).toHaveLength(1);
      expect(Object.keys(resultOf(run, 'stack').fit.tuned)).not.toContain('all-l2');
    }
    expect(scored(run, 'auto').cell.notes.join()).toMatch(
      /takes [\w-]+: linear [\d.e-]+, all-ridge [\d.e-]+, tap-ridge/,
    );
  });

  test('up to these it does, and nothing is said', async () => {
    const run = await runOf('auto', makeTask(), { leaveOut: 0, repetitions: 0 });
    const { notes } = scored(run, 'auto').cell;
    expect(notes.join()).toMatch(/takes [\w-]+: linear [\d.e-]+, all-l2 [\d.e-]+, all-ridge/);
    expect(notes.join()).not.toContain('leaves out');
  });
});

describe('of more examples and features than fit', () => {
  const n = 11_190;
  const features = 24_001;
  const own = 4;

  /** The first tap is read for its statistics, and never held. */
  async function context(): Promise<MethodContext> {
    const engine = await testEngine();
    const labels = Int32Array.from({ length: n }, (_, i) => i % K);
    const random = new Random(2, 'last tap');
    const data = Float32Array.from({ length: own * n }, (_, at) => random.normal() + (labels[at % n] as number));
    const read = async (_: number, count: number, into: Float32Array) => {
      if (count * n * 4 > 1e8) throw new Error('features are held that do not fit');
      into.fill(1);
    };
    const blocks = [
      { name: 'tap0', features, read },
      { name: 'tap1', features: own, data },
    ];
    const matrix = new FeatureMatrix(blocks, n, { memory: 1e6 });
    const rows = Array.from(labels.keys());
    const [first, second] = makeTask().taps as [MethodContext['taps'][0], MethodContext['taps'][0]];
    return {
      engine,
      train: { matrix, labels, files: rows.map(String), groups: undefined },
      taps: [
        { ...first, features },
        { ...second, features: own },
      ],
      classes: K,
      folds: [{ train: rows.filter((i) => i % 5 !== 0), validation: rows.filter((i) => i % 5 === 0) }],
      options: { ...probeDefaults, l2: [1e-2] },
      designs: new Designs(engine, false),
      memo: new Memo(),
      progress: () => undefined,
    };
  }

  test('the last layer is all that is tried, and a sentence says why', { timeout: 120_000 }, async () => {
    expect([kernelFits(n), l2Fits(n, features), l2Fits(n, 24_000)]).toEqual([false, false, true]);
    const { candidates, notes } = await candidatesOf(await context());
    expect(candidates.map(({ method }) => method.card.id)).toEqual(['linear']);
    expect(notes).toEqual([
      `leaves out all-l2, all-ridge and tap-ridge: ${n} training examples with ${features + own} features do not fit in memory; take fewer taps, a coarser pooling (at most 24000 features), or fewer examples`,
    ]);
  });

  test('all-l2 by itself is refused in one sentence, before anything is read', async () => {
    await expect(allL2.fit(await context())).rejects.toThrow(
      `logistic regression on ${n} training examples with ${features + own} features does not fit in memory: take fewer taps`,
    );
  });
});
