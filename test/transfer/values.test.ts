/** Training on real values and on several labels: what is learned, scored, exported, resumed and refused. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readModelFile, writeModel } from '../../src/graph/index.js';
import { doneCells, readRecord, type TaskRecord } from '../../src/record/index.js';
import { withValues } from '../../src/transfer/images.js';
import {
  type LabelledImages,
  mergeOptions,
  metadataKeys,
  type TrainRequest,
  train as trainOn,
} from '../../src/transfer/index.js';
import { constantLoss, scalingOf, standardised } from '../../src/transfer/objective.js';
import { writeValuedData } from '../study/support/valued.js';
import { toehold } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder } from '../support/tiny.js';
import { bars, request, smallNet } from './support.js';

const folder = temporaryFolder('toehold training on values ');
const at = (name: string) => join(folder, name);
beforeAll(() => writeValuedData(folder, 54, 24), 60_000);

const settings = ['--preprocess', 'cifar', '--batch', '18', '--epochs', '12', '--lr', '0.02', '--quiet', '--json'];
const train = (table: string, target: string, output: string, ...more: string[]) =>
  toehold(
    'train',
    at('model.onnx'),
    at(`pictures/${table}.csv`),
    '--target',
    target,
    '-o',
    at(output),
    ...settings,
    ...more,
  );
const rowsOf = async (output: string) =>
  (await readFile(join(at(output), 'predictions.csv'), 'utf8'))
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));

describe('real values', () => {
  test('are learned in their own units; the score is that of the predictions', async () => {
    const { code, stdout, stderr } = await train('amounts', 'regression', 'amounts');
    expect(code, stderr).toBe(0);
    const { test: score, train: learned, failedToTrain, epochs } = JSON.parse(stdout);
    expect(failedToTrain).toBe(false);
    expect(score).toMatchObject({ n: 24, outputs: [{}, {}] });
    expect(score.r2).toBeGreaterThan(0.5);
    expect(score.interval[0]).toBeLessThan(score.r2);
    // Losses are in variances: of the mean they are 1.
    expect(epochs[0].loss).toBeGreaterThan(0.5);
    expect(epochs[0].loss).toBeLessThan(1.6);
    expect(learned).toEqual({ loss: epochs.at(-1).loss });
    const rows = await rowsOf('amounts');
    expect(rows).toHaveLength(48);
    const mae = rows.reduce((sum, [, , truth, said]) => sum + Math.abs(Number(truth) - Number(said)) / 48, 0);
    expect(score.mae).toBeCloseTo(mae, 9);
  }, 60_000);

  test('stand in the record, in the model file and on the page', async () => {
    const record = await readRecord(at('amounts'));
    const [task] = record.tasks as [TaskRecord];
    expect(task.target).toMatchObject({ kind: 'regression', outputs: ['value 1', 'value 2'], metric: 'R²' });
    const [cell] = doneCells(task);
    const { test: score } = JSON.parse(await readFile(join(at('amounts'), 'result.json'), 'utf8'));
    expect(cell).toMatchObject({ score: score.r2, values: { mae: score.mae, rmse: score.rmse } });
    const { metadata, outputs } = await readModelFile(join(at('amounts'), 'model.onnx'));
    expect(outputs.map(({ name }) => name)).toEqual(['predictions']);
    expect(JSON.parse(metadata.get(metadataKeys.values) as string)).toEqual(['value 1', 'value 2']);
    expect(JSON.parse(metadata.get(metadataKeys.training) as string).test).toEqual({ r2: score.r2, n: 24 });
    const page = await readFile(join(at('amounts'), 'report.html'), 'utf8');
    const text = page.replace(/<(script|style)[\s\S]*?<\/\1>/g, '').replace(/<[^>]+>/g, '\n');
    expect(text).toContain('R²');
    expect(text).not.toMatch(/accura|classes/i);
  });

  test('are compared with those of another run example by example', async () => {
    const { code, stderr } = await train('amounts', 'regression', 'seeded', '--seed', '1');
    expect(code, stderr).toBe(0);
    const compared = await toehold('report', at('amounts'), at('seeded'), '-o', at('compared'), '--json');
    expect(JSON.parse(compared.stdout)).toMatchObject({ tasks: 1, paired: 1, notes: [] });
    const scores = await Promise.all(
      ['amounts', 'seeded'].map(
        async (name) => doneCells((await readRecord(at(name))).tasks[0] as TaskRecord)[0]?.score,
      ),
    );
    const [, row = ''] = (await readFile(join(at('compared'), 'tables', 'differences.csv'), 'utf8')).split('\n');
    const difference = Math.abs((scores[0] as number) - (scores[1] as number));
    expect(Math.abs(Number(row.split(',')[6]))).toBeCloseTo(difference, 9);
  }, 60_000);

  test('are what export and predict say', async () => {
    const made = await toehold('export', at('amounts'), '-o', at('amounts.onnx'));
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toContain('output values');
    const said = await toehold('predict', at('amounts.onnx'), at('pictures/test5.png'), '--json');
    const rows = (await rowsOf('amounts')).slice(10, 12);
    expect(JSON.parse(said.stdout).predictions[0].values).toEqual(
      rows.map(([, name, , value]) => ({ name, value: expect.closeTo(Number(value), 3) })),
    );
    const page = await toehold('export', at('amounts'), '--format', 'web', '-o', at('site'));
    expect([page.code, page.stderr]).toEqual([2, expect.stringContaining('a page shows classes')]);
  });
});

describe('several labels', () => {
  test('have scores of each, and probabilities that export and predict give', async () => {
    const { code, stdout, stderr } = await train('names', 'multilabel', 'names', '--evaluate-every', '6');
    expect(code, stderr).toBe(0);
    const { test: score, epochs } = JSON.parse(stdout);
    expect(score.labels).toHaveLength(2);
    expect(score.mAP).toBeGreaterThan(0.5);
    // The test set was watched, and the last epoch's is the result.
    expect(epochs.at(-1).watched).toBe(score.mAP);
    expect(epochs.filter((e: { watched?: number }) => e.watched !== undefined)).toHaveLength(2);
    const rows = await rowsOf('names');
    for (const [, , , said] of rows) expect(Math.abs(Number(said) - 0.5)).toBeLessThan(0.5);
    await toehold('export', at('names'), '-o', at('names.onnx'));
    const said = await toehold('predict', at('names.onnx'), at('pictures/test2.png'), '--json');
    const { ranking } = JSON.parse(said.stdout).predictions[0];
    for (const [, name, , value] of rows.slice(4, 6))
      expect(ranking.find((r: { class: string }) => r.class === name).probability).toBeCloseTo(Number(value), 4);
  }, 60_000);
});

/** The bars as a value and a half of it, or as two labels. */
function barsOf(target: 'regression' | 'multilabel'): Partial<TrainRequest> {
  const values = (n: number, seed: number) =>
    Float64Array.from(
      [...bars(n, seed).labels].flatMap((c) =>
        target === 'regression' ? [100 + 10 * c, 5 * c] : [c > 1 ? 1 : 0, c % 2],
      ),
    );
  return {
    target,
    model: smallNet({ outputs: 2 }),
    classes: ['first', 'second'],
    train: withValues(bars(64, 1), values(64, 1), 2),
    options: mergeOptions(undefined, { epochs: 3, batch: 16, learningRate: target === 'regression' ? 0.003 : 0.05 }),
  };
}

describe.each(['regression', 'multilabel'] as const)('a run of %s that is stopped', (target) => {
  test('goes on from its checkpoint to the same bytes', async () => {
    const engine = await testEngine();
    const straight = await trainOn(engine, request(barsOf(target)));
    expect(straight.failedToTrain).toBe(false);
    const stop = new AbortController();
    const stopped = { ...request(barsOf(target)), checkpoint: at(`${target}.safetensors`) };
    const first = trainOn(engine, {
      ...stopped,
      signal: stop.signal,
      onStep: ({ step, accuracy }) => {
        expect(accuracy).toBeUndefined();
        if (step === 5) stop.abort();
      },
    });
    await expect(first).rejects.toThrow('training stopped after step 5 of 12');
    const second = await trainOn(engine, stopped);
    expect(Buffer.from(writeModel(second.model)).equals(Buffer.from(writeModel(straight.model)))).toBe(true);
  });

  test('does not take up that of other values', async () => {
    const engine = await testEngine();
    const { train: images } = barsOf(target);
    const other = withValues(
      images as LabelledImages,
      (images?.values as Float64Array).map((v) => 1 - v),
      2,
    );
    const asked = { ...request({ ...barsOf(target), train: other }), checkpoint: at(`${target}.safetensors`) };
    await expect(trainOn(engine, asked)).rejects.toThrow('checkpoint of another run');
  });
});

describe('units of values', () => {
  test('do not change what is learned: values times a thousand give predictions times a thousand', async () => {
    const engine = await testEngine();
    const said = async (factor: number) => {
      const { train: images, ...rest } = barsOf('regression');
      const values = (images?.values as Float64Array).map((v) => factor * v);
      const result = await trainOn(
        engine,
        request({ ...rest, train: withValues(images as LabelledImages, values, 2) }),
      );
      return result.predictions?.kind === 'values' ? Array.from(result.predictions.values) : [];
    };
    const [small, large] = [await said(1), await said(1000)];
    expect(small).toHaveLength(80);
    for (const [i, value] of large.entries()) expect(value / 1000).toBeCloseTo(small[i] as number, 2);
  });

  test('standard deviations, of a constant value 1; the loss of the mean', () => {
    const values = Float64Array.of(1, 7, 3, 7, 5, 7, 7, 7);
    const scaling = scalingOf(values, 2);
    expect(scaling).toEqual({ mean: Float64Array.of(4, 7), deviation: Float64Array.of(Math.sqrt(5), 1) });
    const { values: z } = standardised({ ...bars(4, 1), values }, scaling);
    expect(Array.from(z ?? [], (v) => v * Math.sqrt(5))).toEqual(
      [-3, 0, -1, 0, 1, 0, 3, 0].map((v) => expect.closeTo(v, 9)),
    );
    expect(constantLoss(z ?? values, { target: 'regression', classes: 2 })).toBeCloseTo(0.5, 12);
    const half = constantLoss(Float64Array.of(1, 1, 0, 1), { target: 'multilabel', classes: 2 });
    expect(half).toBeCloseTo(Math.LN2 / 2, 12);
  });
});

describe('what is refused', () => {
  test('labels that are no numbers, before anything is trained', async () => {
    const { code, stderr } = await train('names', 'regression', 'refused');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/the label '.*' is not a number/)]);
  });
  test('label smoothing', async () => {
    const { code, stderr } = await train('amounts', 'regression', 'smooth', '--label-smoothing', '0.1');
    expect([code, stderr]).toEqual([2, expect.stringContaining('label smoothing is for classes')]);
  });
  test('another target in the folder of a finished run', async () => {
    const { code, stderr } = await train('names', 'class', 'names');
    expect([code, stderr]).toEqual([2, expect.stringContaining('is the result of another run')]);
  });
});
