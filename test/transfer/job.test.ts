import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parsePreprocess } from '../../src/data/index.js';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import { architectureOf, readModelFile, writeModel } from '../../src/graph/index.js';
import { doneCells, readRecord, type TaskRecord } from '../../src/record/index.js';
import { type FigureSpec, figuresOf, renderSvg } from '../../src/report/index.js';
import {
  type ClassTest,
  type LabelledImages,
  metadataKeys,
  runTrainJob,
  type TrainJob,
  type TrainSummary,
} from '../../src/transfer/index.js';
import { testEngine } from '../support/run.js';
import { bars, classes, side, smallNet } from './support.js';

let engine: Engine;
let folder: string;
type ClassJob = TrainJob & { target?: undefined };
let job: ClassJob;

async function writeImages(source: LabelledImages, root: string): Promise<void> {
  const pixels = new Uint8Array(side * side * 3);
  for (const [i, label] of source.labels.entries()) {
    await source.read([i], pixels);
    const path = join(root, classes[label] as string);
    await mkdir(path, { recursive: true });
    const raw = { width: side, height: side, channels: 3 } as const;
    await sharp(Uint8Array.from(pixels), { raw })
      .png()
      .toFile(join(path, `${i}.png`));
  }
}

beforeAll(async () => {
  engine = await testEngine();
  folder = await mkdtemp(join(tmpdir(), 'toehold-job-'));
  await writeImages(bars(64, 1), join(folder, 'data', 'train'));
  await writeImages(bars(40, 2), join(folder, 'data', 'test'));
  await writeFile(join(folder, 'net.onnx'), writeModel(smallNet({ outputs: 7 })));
  job = {
    model: join(folder, 'net.onnx'),
    data: join(folder, 'data'),
    out: join(folder, 'out'),
    treatment: { name: 'finetune' },
    preprocess: 'half',
    size: [side, side],
    options: { epochs: 3, batch: 16, learningRate: 0.05 },
  };
});
afterAll(() => rm(folder, { recursive: true }));

/** What a model file says of its training. */
async function cardOf(path: string): Promise<Record<string, unknown>> {
  return JSON.parse((await readModelFile(path)).metadata.get(metadataKeys.training) as string);
}

/** The rows of predictions.csv; no cell of these tests holds a comma. */
async function predictionsOf(path: string | null): Promise<Record<string, string>[]> {
  const [header = '', ...lines] = (await readFile(path ?? '', 'utf8')).trim().split('\n');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [header.split(',')[i] ?? '', cell])));
}

/** Runs a job and returns its summary with all that it said. */
async function run(more: Partial<ClassJob>, on = engine): Promise<TrainSummary<ClassTest> & { notes: string[] }> {
  const notes: string[] = [];
  const summary = await runTrainJob(on, { ...job, ...more }, { say: (s) => notes.push(s) });
  return { ...summary, notes };
}

describe('a training job', () => {
  test('leaves a model, its preprocessing, predictions, a log and the result, and no checkpoint', async () => {
    const summary = await runTrainJob(engine, job);
    expect((await readdir(job.out)).sort()).toEqual([
      'log.jsonl',
      'model.onnx',
      'model.preprocess.json',
      'predictions.csv',
      'record.json',
      'result.json',
    ]);
    expect(summary).toMatchObject({ treatment: 'finetune', layers: null, seed: 0, steps: 12, failedToTrain: false });
    expect(summary.plan).toEqual({ layers: 4, copied: 3, frozen: 0 });
    expect(summary.test?.accuracy).toBeGreaterThan(0.8);
    expect(summary.test?.interval[0]).toBeLessThan(summary.test?.accuracy as number);
    expect((await readModelFile(summary.model)).metadata.has('toehold.preprocess')).toBe(true);
  });

  test('its record has the score and the epochs of the result, and a page that draws them', async () => {
    const summary = await run({});
    const record = await readRecord(job.out);
    const [cell] = doneCells(record.tasks[0] as TaskRecord);
    expect(cell).toMatchObject({ method: 'finetune', score: summary.test?.accuracy, interval: summary.test?.interval });
    expect(cell?.epochs).toEqual(summary.epochs);
    expect(record.answer.headline).toMatch(/^On data, fine-tuning scores .*; it ran alone\.$/);
    const { figures, broken } = figuresOf(record);
    expect(broken).toEqual([]);
    const training = figures.find((f) => f.group === 'training');
    expect(training?.section).toBe('first');
    expect(training?.table.rows.map((row) => row[3])).toEqual(summary.epochs.map((e) => e.loss));
    await renderSvg(training?.spec as FigureSpec);
  });

  test('what it wrote is true: labels are those of the folders, the accuracy is that of the model in the file', async () => {
    const summary = await run({});
    const rows = await predictionsOf(summary.predictions);
    expect(rows.map((r) => r.file)).toEqual(
      classes.toSorted().flatMap((c) => rows.map((r) => r.file ?? '').filter((file) => file.startsWith(`test/${c}/`))),
    );
    const correct = rows.map((row) => {
      const truth = row.file?.split('/')[1];
      expect(row.class).toBe(truth);
      expect(classes.toSorted()[Number(row.label)]).toBe(truth);
      expect(row.correct).toBe(row.predicted_class === truth ? '1' : '0');
      return row.predicted_class === truth;
    });
    const accuracy = correct.filter(Boolean).length / 40;
    expect(summary.test).toMatchObject({ accuracy, n: 40 });
    // The exported model on the same files, with labels that nothing of ours has read.
    const model = await readModelFile(summary.model);
    expect(JSON.parse(model.metadata.get(metadataKeys.classes) as string)).toEqual(classes.toSorted());
    const program = await engine.compile(model);
    const preprocess = parsePreprocess(JSON.parse(model.metadata.get(metadataKeys.preprocess) as string), 'the model');
    let right = 0;
    for (const { file = '' } of rows) {
      const pixels = await sharp(join(job.data, file)).removeAlpha().raw().toBuffer();
      const data = Float32Array.from({ length: 3 * side * side }, (_, k) => {
        const c = Math.floor(k / side ** 2);
        const v = (pixels[(k % side ** 2) * 3 + c] as number) * preprocess.scale;
        return (v - preprocess.mean[c as 0]) / preprocess.std[c as 0];
      });
      const { logits } = await program.run({ image: { type: 'float32', dims: [1, 3, side, side], data } });
      const scores = [...(logits?.data as Float32Array)];
      if (classes.toSorted()[scores.indexOf(Math.max(...scores))] === file.split('/')[1]) right++;
    }
    await program.dispose();
    expect(right / 40).toBe(accuracy);
    expect(await cardOf(summary.model)).toEqual({
      treatment: 'finetune',
      layers: 4,
      copied: 3,
      frozen: 0,
      seed: 0,
      steps: 12,
      test: { accuracy, n: 40 },
    });
    for (const value of model.metadata.values()) expect(value).not.toContain(folder);
  });

  test('run again returns the result; with other settings or threads it is refused', async () => {
    let steps = 0;
    const observer = { onStep: () => void steps++ };
    const first = JSON.parse(await readFile(join(job.out, 'result.json'), 'utf8'));
    const again = await runTrainJob(engine, job, observer);
    expect(steps).toBe(0);
    expect({ key: first.key, ...again }).toEqual(first);
    const other = { ...job, options: { ...job.options, seed: 1 } };
    await expect(runTrainJob(engine, other)).rejects.toThrow(/is the result of another run .* -o/);
    await expect(runTrainJob(await createOnnxRuntime({ threads: 1 }), job)).rejects.toThrow(/number of threads differ/);
  });

  test('the same images under other labels are another run', async () => {
    const data = join(folder, 'relabelled');
    await cp(job.data, data, { recursive: true });
    const out = join(folder, 'labels');
    await run({ data, out });
    const files = (await readdir(data, { recursive: true })).filter((f) => f.endsWith('.png')).sort();
    const csv = (shift: number) =>
      `file,label\n${files.map((f) => `${f},${(classes.indexOf(f.split('/')[1] ?? '') + shift) % 4}\n`).join('')}`;
    await writeFile(join(data, 'labels.csv'), csv(0));
    await expect(run({ data, out })).rejects.toThrow(/another run/);
    await rm(out, { recursive: true });
    await run({ data, out });
    await writeFile(join(data, 'labels.csv'), csv(1));
    await expect(run({ data, out })).rejects.toThrow(/another run/);
  });

  test('the trained model is read again, by the next treatment too, which says what is true of itself', async () => {
    const { notes, ...summary } = await run({
      model: join(job.out, 'model.onnx'),
      preprocess: undefined,
      size: undefined,
      out: join(folder, 'cell'),
      treatment: { name: 'AnB', layers: 2 },
    });
    expect(notes).toEqual(['train 64, test 40']);
    expect(summary.layers).toBe(2);
    expect(summary.test?.accuracy).toBeGreaterThan(0.8);
    // n is what was asked for, layers how many there are.
    expect(await cardOf(summary.model)).toMatchObject({ treatment: 'AnB', n: 2, layers: 4, copied: 2, frozen: 2 });
  });

  test('a model loses what was true of the one that it came from', async () => {
    const from = await readModelFile(join(job.out, 'model.onnx'));
    const metadata = new Map([...from.metadata, ['toehold.method', 'head2toe'], ['author', 'somebody']]);
    const model = join(folder, 'marked.onnx');
    await writeFile(model, writeModel({ ...from, metadata }));
    const options = { ...job.options, steps: 1 };
    const summary = await run({ model, out: join(folder, 'marked'), options });
    const trained = await readModelFile(summary.model);
    expect([trained.metadata.has('toehold.method'), trained.metadata.get('author')]).toEqual([false, 'somebody']);
  });
});

describe('what a job tests on', () => {
  test('without a test split a fifth is held out, and said once', async () => {
    const { notes, ...summary } = await run({ data: join(folder, 'data', 'train'), out: join(folder, 'single') });
    expect(summary.test?.n).toBe(13);
    expect(notes.filter((n) => n.includes('held out'))).toEqual([
      "train 51, test 13 (20 % of train, held out: no split 'test')",
    ]);
    expect(summary.splits).toBe(notes.at(-1));
  });

  test('val is trained on, tested on when it is named, or watched', async () => {
    const data = join(folder, 'with val');
    await cp(job.data, data, { recursive: true });
    await writeImages(bars(24, 3), join(data, 'dev'));
    const options = { ...job.options, epochs: 1 };
    const joined = await run({ data, options, out: join(folder, 'joined') });
    expect(joined.notes.at(-1)).toBe('train 64, val 24 trained on too (nothing is tuned), test 40');
    expect(joined.steps).toBe(Math.floor(88 / 16));
    const named = await run({ data, options, testSplit: 'dev', out: join(folder, 'named') });
    expect(named.notes.at(-1)).toBe("train 64, test 24 (split 'val', as asked); left out: 40 of split 'test'");
    expect((await predictionsOf(named.predictions)).every((r) => r.file?.startsWith('dev/'))).toBe(true);
    const watched = await run({ data, options: { ...options, evaluateEvery: 1 }, out: join(folder, 'watched') });
    expect(watched.notes.at(-1)).toBe('train 64, val 24 watched while training, test 40');
    expect(watched.steps).toBe(4);
    // A share of the 24 images of val.
    const right = 24 * (watched.epochs[0]?.watched ?? Number.NaN);
    expect(right).toBeCloseTo(Math.round(right), 9);
  });

  test('without val the test set is watched, and its last score is the result', async () => {
    const options = { ...job.options, evaluateEvery: 1 };
    const summary = await run({ options, out: join(folder, 'watched test') });
    expect(summary.epochs.map((e) => e.watched !== undefined)).toEqual([true, true, true]);
    expect(summary.epochs.at(-1)?.watched).toBe(summary.test?.accuracy);
  });

  test('nothing, with a holdout of 0: no figure and no predictions are written', async () => {
    const data = join(folder, 'data', 'train');
    const summary = await run({ data, holdout: 0, out: join(folder, 'untested') });
    expect(summary.notes.at(-1)).toBe('train 64, no test set (holdout 0)');
    expect([summary.test, summary.predictions]).toEqual([null, null]);
    expect(await readdir(join(folder, 'untested'))).not.toContain('predictions.csv');
    expect(await cardOf(summary.model)).not.toHaveProperty('test');
    const options = { ...job.options, evaluateEvery: 1 };
    await expect(run({ data, holdout: 0, options, out: join(folder, 'nothing') })).rejects.toThrow(
      /no images to evaluate on/,
    );
  });
});

describe('jobs of other kinds', () => {
  test('architectures are trained from scratch', async () => {
    const scratch: ClassJob = {
      ...job,
      model: 'caffenet-32',
      preprocess: undefined,
      size: [24, 24],
      out: join(folder, 'scratch'),
      treatment: { name: 'scratch' },
      options: { epochs: 1, steps: 1, batch: 16, learningRate: 0.01 },
    };
    const summary = await runTrainJob(engine, scratch);
    expect(summary.plan.layers).toBe(8);
    expect(summary.failedToTrain).toBe(true);
    // The file says what it is, so that treatments start from it as from the architecture.
    expect(architectureOf(await readModelFile(summary.model))).toEqual({ name: 'caffenet-32', init: 'he' });
  });

  test.each<[string, Partial<ClassJob>, RegExp]>([
    ['a model that is not there', { model: 'nope.onnx' }, /no such model file: nope.onnx/],
    ['a misspelt architecture', { model: 'resnet2O' }, /did you mean the architecture resnet20\?/],
    ['a source that is not there', { copyFrom: 'base.onnx' }, /no such model file: base.onnx/],
    ['learning rate 0', { options: { learningRate: 0 } }, /learning rate is 0/],
    [
      'a batch larger than the data',
      { options: { batch: 100 } },
      /a batch of 100 is larger than the 64 training images/,
    ],
  ])('%s is said before any image is read', async (_, more, message) => {
    const observer = {
      onImages: () => {
        throw new Error('images were read');
      },
    };
    const wrong = { ...job, out: join(folder, 'wrong'), ...more };
    await expect(runTrainJob(engine, wrong, observer)).rejects.toThrow(message);
  });
});
