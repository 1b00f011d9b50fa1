import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/index.js';
import { type Graph, readModel, type Tensor, writeModel } from '../../src/graph/index.js';
import { ofClasses, type Predictions } from '../../src/record/index.js';
import {
  failedToTrain,
  type ImageSource,
  mergeOptions,
  type PartialTrainOptions,
  predictionsCsv,
  train,
} from '../../src/transfer/index.js';
import { testEngine } from '../support/run.js';
import { bars, classes, request, smallNet, testAccuracy } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const short = { epochs: 2, batch: 16, learningRate: 0.05 };
const options = (more: PartialTrainOptions = {}) => mergeOptions(undefined, { ...short, ...more });
const bytes = (graph: Graph) => Buffer.from(writeModel(graph));
const weight = (graph: Graph, name: string) => (graph.constants.get(name) as Tensor).data as Float32Array;

describe('training', () => {
  test('the same settings give the same bytes, another seed gives others', async () => {
    const dropout = smallNet({ dropout: true });
    const run = (seed: number) =>
      train(engine, request({ model: dropout, options: options({ seed, augmentation: 'pad-crop-flip' }) }));
    const [a, b, c] = [await run(3), await run(3), await run(4)];
    expect(bytes(a.model)).toEqual(bytes(b.model));
    expect(a.epochs).toEqual(b.epochs);
    expect(bytes(a.model)).not.toEqual(bytes(c.model));
  });

  test.each<[string, PartialTrainOptions]>([
    ['plain gradient descent', { optimiser: { momentum: 0, nesterov: false } }],
    ['Nesterov momentum with decay', { optimiser: { weightDecay: 1e-3 } }],
    ["decay divided by the learning rate, Kornblith's", { optimiser: { weightDecay: 1e-5, decayMode: 'kornblith' } }],
    ['AdamW', { learningRate: 0.01, optimiser: { method: 'adam', decayMode: 'decoupled', weightDecay: 0.01 } }],
    ['clipping, smoothing, warm-up', { labelSmoothing: 0.1, optimiser: { clipNorm: 1 }, schedule: { warmup: 3 } }],
    ['layer-wise rates', { backboneLrScale: 0.5, layerDecay: 0.9, biasLrScale: 2, decayAll: false }],
    ["the file's momentum of norms", { normMomentum: 'model' }],
    ["Kornblith's momentum of norms", { normMomentum: 'kornblith' }],
  ])('%s learns', async (_, more) => {
    const result = await train(engine, request({ options: options({ epochs: 6, ...more }) }));
    expect(result.failedToTrain).toBe(false);
    expect(testAccuracy(result)).toBeGreaterThan(0.8);
  });

  test('the average of weights follows them, and is what comes out', async () => {
    const [plain, average] = [
      await train(engine, request({ options: options() })),
      await train(engine, request({ options: options({ emaDecay: 0.5 }) })),
    ];
    expect(average.epochs).toEqual(plain.epochs);
    const [start, w, a] = [smallNet(), plain.model, average.model].map((g) => weight(g, 'fc.weight'));
    const distance = (x: Float32Array, y: Float32Array) => Math.hypot(...x.map((v, i) => v - (y[i] as number)));
    const moved = distance(start as Float32Array, w as Float32Array);
    const behind = distance(a as Float32Array, w as Float32Array);
    expect(behind).toBeGreaterThan(0);
    expect(behind).toBeLessThan(moved / 2);
  });

  test('watched images are predicted every so many epochs and scored by the caller', async () => {
    const seen: number[] = [];
    const score = (said: Predictions) => seen.push(ofClasses(said).predicted.length);
    const watch = { images: bars(12, 3), score };
    const result = await train(engine, request({ watch, options: options({ epochs: 3, evaluateEvery: 2 }) }));
    expect(result.epochs.map((e) => e.watched)).toEqual([undefined, 1, undefined]);
    expect(seen).toEqual([12]);
    await expect(train(engine, request({ options: options({ evaluateEvery: 2 }) }))).rejects.toThrow(
      /no images to watch/,
    );
  });

  test('labels of test and watched images are not looked at, and may be absent', async () => {
    const blind = (images: ImageSource): ImageSource =>
      Object.defineProperty({ ...images }, 'labels', {
        get: () => {
          throw new Error('somebody looked at the labels');
        },
      });
    const watch = { images: blind(bars(8, 3)), score: () => 0 };
    const cell = request({ test: blind(bars(40, 2)), watch, options: options({ evaluateEvery: 1 }) });
    const seen = await train(engine, cell);
    expect(testAccuracy(seen)).toBeGreaterThan(0.5);
    const untested = await train(engine, request({ test: undefined, options: options() }));
    expect(untested.predictions).toBeUndefined();
    expect(bytes(untested.model)).toEqual(bytes(seen.model));
  });

  test('stops after so many steps', async () => {
    const result = await train(engine, request({ options: options({ steps: 3 }) }));
    expect([result.steps, result.epochs.length]).toEqual([3, 1]);
  });

  test('a loss that is not finite stops with the step and the layer', async () => {
    const wild = request({ options: options({ epochs: 20, learningRate: 1e20 }) });
    await expect(train(engine, wild)).rejects.toThrow(
      /^training diverged in step \d+ \(epoch \d+\): in layer \d of 4 \('.*'\), .*; lower the learning rate \(--lr\)/,
    );
  });

  test('a run that never leaves ln K, or chance, is marked', async () => {
    const labels = Int32Array.from({ length: 100 }, (_, i) => i % 10);
    expect(failedToTrain([{ loss: 2.31, accuracy: 0.5 }], labels, 10, 96)).toBe(true);
    expect(failedToTrain([{ loss: 2.0, accuracy: 0.12 }], labels, 10, 96)).toBe(true);
    expect(failedToTrain([{ loss: 2.0, accuracy: 0.3 }], labels, 10, 96)).toBe(false);
    // Nine in ten of one class: 90 % is guessing.
    const skewed = Int32Array.from({ length: 100 }, (_, i) => (i < 90 ? 0 : 1));
    expect(failedToTrain([{ loss: 0.3, accuracy: 0.91 }], skewed, 2, 96)).toBe(true);
    const idle = await train(engine, request({ options: options({ learningRate: 1e-12 }) }));
    expect(idle.failedToTrain).toBe(true);
  });
});

describe('the result', () => {
  test('is a model with a free batch that predicts what the evaluation says', async () => {
    const images = bars(40, 2);
    const result = await train(engine, request({ options: options() }));
    const model = readModel(writeModel(result.model));
    expect(model.inputs).toEqual([{ name: 'image', type: 'float32', shape: ['N', 3, 12, 12] }]);
    expect(JSON.parse(model.metadata.get('toehold.classes') as string)).toEqual(classes);
    const program = await engine.compile(model);
    const pixels = new Uint8Array(40 * 12 * 12 * 3);
    await images.read([...Array(40).keys()], pixels);
    const data = new Float32Array(pixels.length);
    for (let i = 0; i < 40; i++)
      for (let p = 0; p < 144; p++)
        for (let c = 0; c < 3; c++)
          data[(i * 3 + c) * 144 + p] = ((pixels[(i * 144 + p) * 3 + c] as number) / 255 - 0.5) / 0.25;
    const feeds = { image: { type: 'float32', dims: [40, 3, 12, 12], data } } as const;
    const logits = (await program.run(feeds)).logits?.data as Float32Array;
    await program.dispose();
    const found = Array.from(ofClasses(result.predictions as Predictions).predicted);
    expect(found).toHaveLength(40);
    found.forEach((predicted, i) => {
      const row = [...logits.subarray(4 * i, 4 * i + 4)];
      expect(row.indexOf(Math.max(...row))).toBe(predicted);
    });
  });

  test('predictions are a CSV with quoted names', async () => {
    const csv = await predictionsCsv({
      files: ['a,"b".png'],
      predictions: { kind: 'class', predicted: Int32Array.of(1), probabilities: Float64Array.of(0.75, 0.25) },
      targets: { kind: 'class', classes: ['x', 'y, z'], labels: [0] },
    });
    expect(csv).toBe(
      'file,label,class,predicted,predicted_class,probability,correct\n"a,""b"".png",0,x,1,"y, z",0.250000,0\n',
    );
  });

  test('a new head takes the place of the old one under finetune', async () => {
    const model = smallNet({ outputs: 7 });
    const result = await train(
      engine,
      request({ model, fresh: false, treatment: { name: 'finetune' }, options: options() }),
    );
    expect(result.model.constants.get('head.weight')?.dims).toEqual([4, 64]);
    expect(result.model.constants.has('fc.weight')).toBe(false);
    expect(result.plan).toEqual({ total: 4, copied: 3, frozen: 0 });
  });
});

describe('requests that cannot be carried out', () => {
  test.each<[string, PartialTrainOptions, RegExp]>([
    ['learning rate 0', { learningRate: 0 }, /learning rate is 0; it must be above 0/],
    ['negative learning rate', { learningRate: -0.1 }, /learning rate is -0.1/],
    ['no epochs', { epochs: 0 }, /epochs is 0/],
    ['half an epoch', { epochs: 1.5 }, /epochs is 1.5; it must be a whole number/],
    [
      'a batch larger than the data',
      { batch: 65 },
      /a batch of 65 is larger than the 64 training images; give --batch 64 or less/,
    ],
    ['momentum 1', { optimiser: { momentum: 1 } }, /momentum is 1; it must be at least 0 and below 1/],
    ['negative decay', { optimiser: { weightDecay: -1 } }, /weight decay is -1; it cannot be negative/],
    ['smoothing 1', { labelSmoothing: 1 }, /label smoothing is 1/],
  ])('%s', async (_, more, message) => {
    await expect(train(engine, request({ options: options(more) }))).rejects.toThrow(message);
  });

  test('one class', async () => {
    const one = train(engine, request({ classes: ['cat'] }));
    await expect(one).rejects.toThrow(/only one class, 'cat': training needs two or more/);
  });

  test('an empty test set', async () => {
    await expect(train(engine, request({ test: bars(0, 1) }))).rejects.toThrow(/the test set is empty/);
  });
});
