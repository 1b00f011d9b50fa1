import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/index.js';
import { readModelFile, writeModel } from '../../src/graph/index.js';
import { type ImageSource, runTrainJob, type TrainJob } from '../../src/transfer/index.js';
import { testEngine } from '../support/run.js';
import { bars, classes, side, smallNet } from './support.js';

let engine: Engine;
let folder: string;
let job: TrainJob;

async function writeImages(source: ImageSource, root: string): Promise<void> {
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

describe('a training job', () => {
  test('leaves a model, its preprocessing, predictions, a log and the result, and no checkpoint', async () => {
    const summary = await runTrainJob(engine, job);
    expect((await readdir(job.out)).sort()).toEqual([
      'log.jsonl',
      'model.onnx',
      'model.preprocess.json',
      'predictions.csv',
      'result.json',
    ]);
    expect(summary).toMatchObject({ treatment: 'finetune', layers: null, seed: 0, steps: 12, failedToTrain: false });
    expect(summary.plan).toEqual({ layers: 4, copied: 3, frozen: 0 });
    expect(summary.test.accuracy).toBeGreaterThan(0.8);
    expect(summary.test.interval[0]).toBeLessThan(summary.test.accuracy);
    const lines = (await readFile(summary.predictions, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(41);
    const right = lines.filter((line) => line.endsWith(',1')).length;
    expect(right / 40).toBe(summary.test.accuracy);
    expect((await readModelFile(summary.model)).metadata.has('toehold.preprocess')).toBe(true);
  });

  test('run again returns the result; with other settings it is refused', async () => {
    let steps = 0;
    const observer = { onStep: () => void steps++ };
    const first = JSON.parse(await readFile(join(job.out, 'result.json'), 'utf8'));
    const again = await runTrainJob(engine, job, observer);
    expect(steps).toBe(0);
    expect({ key: first.key, ...again }).toEqual(first);
    const other = { ...job, options: { ...job.options, seed: 1 } };
    await expect(runTrainJob(engine, other)).rejects.toThrow(/is the result of another run .* -o/);
  });

  test('the trained model is read again, by the next treatment too', async () => {
    const cell: TrainJob = {
      ...job,
      model: join(job.out, 'model.onnx'),
      preprocess: undefined,
      size: undefined,
      out: join(folder, 'cell'),
      treatment: { name: 'AnB', layers: 2 },
    };
    const notes: string[] = [];
    const summary = await runTrainJob(engine, cell, { say: (s) => notes.push(s) });
    expect(notes).toEqual([]);
    expect(summary.layers).toBe(2);
    expect(summary.test.accuracy).toBeGreaterThan(0.8);
  });

  test('without a test split a fifth is held out, and said', async () => {
    const notes: string[] = [];
    const single = { ...job, data: join(folder, 'data', 'train'), out: join(folder, 'single') };
    const summary = await runTrainJob(engine, single, { say: (s) => notes.push(s) });
    expect(summary.test.n).toBe(13);
    expect(notes.join('\n')).toMatch(/no split 'test': 20 % of the training images are held out/);
  });

  test('architectures are trained from scratch', async () => {
    const scratch: TrainJob = {
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
  });

  test.each<[string, Partial<TrainJob>, RegExp]>([
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
