/** The published logistic regression, and probes at a depth: what each reads, and what the penalty multiplies. */
import { describe, expect, test } from 'vitest';
import { tapAtDepth } from '../../src/probe/methods/at-depth.js';
import { kornblithPenalties } from '../../src/probe/methods/logistic.js';
import { fitDesign, fitLogistic, foldNormalisation } from '../../src/solver/index.js';
import { testEngine } from '../support/run.js';
import { K, makeTask, runOf } from './support/synthetic.js';

describe('logistic', () => {
  test('tries 45 penalties on one split, takes the most accurate, and refits it on all training rows', async () => {
    const task = makeTask();
    const run = await runOf('logistic', task);
    const fit = run.results[0]?.fit;
    expect(fit?.grid.map((row) => row.settings.lambda)).toEqual([...kornblithPenalties]);
    const best = Math.max(...(fit?.grid.map((row) => row.accuracy) ?? []));
    expect(fit?.validation?.accuracy).toBe(best);
    expect(fit?.grid.every((row) => row.answers.labels.length === run.folds[0]?.validation.length)).toBe(true);
    // The same lambda of the sum of losses, on more rows.
    const lambda = fit?.tuned.lambda as number;
    const engine = await testEngine();
    const { matrix, labels } = task.train;
    const last = matrix.select(Int32Array.from({ length: 10 }, (_, j) => 50 + j));
    const design = await fitDesign(engine, last, { standardize: false });
    const direct = await (await fitLogistic(engine, design, labels, { lambdas: [lambda], classes: K })).model(0);
    const found = fit?.model && foldNormalisation(fit.model).weights;
    foldNormalisation(direct).weights.forEach((w, i) => {
      expect(found?.[i]).toBeCloseTo(w, 3);
    });
  });

  test('says where features were normalised that the protocol takes as they are', async () => {
    const note = 'the published protocol takes them as they are, --normalise none';
    const notes = async (normalisation: 'none' | 'unit') =>
      (await runOf('logistic', makeTask(), { normalisation })).results[0]?.fit.notes.join(' ');
    expect(await notes('unit')).toContain(note);
    expect(await notes('none')).not.toContain(note);
  });
});

describe('a probe at a depth', () => {
  const taps = [0.1, 0.3, 0.55, 0.8, 1].map((depth, i) => ({
    alias: i === 4 ? 'features' : `s${i}`,
    name: `s${i}`,
    features: 1,
    depth,
  }));
  test('reads the tap that is nearest, never the last layer', () => {
    expect([0.25, 0.5, 0.75, 1].map((share) => taps[tapAtDepth(taps, share)]?.alias)).toEqual(['s1', 's2', 's3', 's3']);
    expect(tapAtDepth(taps.slice(4), 0.25)).toBe(0);
  });
  test('says which one it was', async () => {
    const run = await runOf('linear-half,linear-three-quarters');
    expect(run.results.map((r) => r.fit.notes[0])).toEqual([
      expect.stringMatching(/^reads /),
      expect.stringMatching(/^reads /),
    ]);
    for (const { fit, task } of run.results) {
      const blocks = new Set(Array.from(fit.model?.indices ?? [], (j) => task.train.matrix.locate(j).block));
      expect(blocks.size).toBe(1);
    }
  });
});
