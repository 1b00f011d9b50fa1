/** The six verbs as a program uses them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import * as toehold from '../../src/index.js';
import { type Features, type ImageLike, type Model, UserError } from '../../src/index.js';
import { predictImages } from '../../src/probe/index.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const classes = ['red', 'green', 'blue'];
let folder: string;
let model: Model;
let paths: string[];
let labels: string[];
let features: Features;

const pathsOf = (split: string) =>
  classes.flatMap((name) => Array.from({ length: 8 }, (_, i) => join(folder, split, name, `00${i}.png`)));

beforeAll(async () => {
  folder = await writeImages(temporaryFolder(), classes, 8);
  model = await toehold.load(await writeTinyModel(folder), {
    preprocess: { mean: [0, 0, 0], std: [1, 1, 1] },
    size: 16,
  });
  paths = pathsOf('train');
  labels = classes.flatMap((name) => Array.from({ length: 8 }, () => name));
  features = await toehold.extract(model, paths);
});

test('the top has the six verbs and the two errors', () => {
  const verbs = ['load', 'taps', 'extract', 'fit', 'finetune', 'export'];
  for (const verb of verbs) expect(toehold).toHaveProperty(verb, expect.any(Function));
  expect(new toehold.UserError('x')).toBeInstanceOf(Error);
  expect(new toehold.WorkError('x')).toBeInstanceOf(Error);
});

test('load takes a preprocessing by field and by name', async () => {
  expect(model.preprocess).toMatchObject({ size: [16, 16], mean: [0, 0, 0] });
  const { preprocess, notes } = await toehold.load(model.backbone.path, { preprocess: 'half', size: [16, 16] });
  expect(preprocess).toMatchObject({ mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] });
  expect(notes).toEqual([]);
});

test('taps lists what can be read, by name or of an open model', async () => {
  const listed = await toehold.taps(model);
  expect(listed.map(({ alias, features: p }) => [alias, p])).toContainEqual(['features', 16]);
  expect(await toehold.taps(model, { taps: 'features' })).toHaveLength(1);
  expect(await toehold.taps(model, { taps: ['features', 'logits'] })).toEqual(
    await toehold.taps(model, { taps: 'features,logits' }),
  );
  const byName = await toehold.taps(await writeTinyModel(temporaryFolder()), { taps: 'features', pool: 'gap' });
  expect(byName[0]?.features).toBe(16);
});

describe('extract', () => {
  test('gives one array, and each tap of it', () => {
    const [n, p] = features.shape;
    expect([n, features.data.length]).toEqual([24, 24 * p]);
    expect(p).toBe(features.taps.reduce((sum, tap) => sum + tap.features, 0));
    const last = features.tap('features');
    expect(last.shape).toEqual([24, 16]);
    const at = features.taps.findIndex(({ alias }) => alias === 'features');
    const first = features.taps.slice(0, at).reduce((sum, tap) => sum + tap.features, 0);
    expect(last.data.subarray(16, 32)).toEqual(features.data.subarray(p + first, p + first + 16));
    expect(features.rows([1]).data).toEqual(features.data.subarray(p, 2 * p));
    expect(() => features.tap('deep')).toThrow(/no tap 'deep'; there are .*features/);
  });

  test('reads paths, bytes, ImageData, arrays of levels alike', async () => {
    const [path] = paths as [string];
    const bytes = await readFile(path);
    const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    const rgba = new Uint8ClampedArray(await sharp(path).ensureAlpha().raw().toBuffer());
    const forms: ImageLike[] = [
      path,
      new URL(`file://${path}`),
      bytes,
      new Uint8Array(bytes).buffer,
      { data: rgba, width, height },
      { data, shape: [height, width, 3] },
      { data: Array.from(data), shape: [height, width, 3] },
    ];
    // All in one pass, and each alone: rounding does not depend on its neighbours.
    const together = await toehold.extract(model, forms);
    const [, p] = together.shape;
    for (let i = 0; i < forms.length; i++) expect(together.rows([i]).data).toEqual(features.data.subarray(0, p));
    expect((await toehold.extract(model, [bytes])).data).toEqual(features.data.subarray(0, p));
  });

  test.each<[string, ImageLike, RegExp]>([
    [
      'levels that are no whole numbers',
      { data: [0.5, 0, 0], shape: [1, 1, 3] },
      /the value 0.5: levels are whole numbers/,
    ],
    ['levels above 255', { data: new Float32Array([256]), shape: [1, 1] }, /the value 256/],
    ['too few values', { data: [0, 0], shape: [1, 1, 3] }, /2 values for 1 x 1 x 3/],
    ['two channels', { data: [0, 0], shape: [1, 1, 2] }, /shape \(1, 1, 2\)/],
    ['bytes of no image', new Uint8Array([1, 2, 3]), /cannot read the image image 0/],
    ['a path that is not there', 'nowhere.png', /nowhere.png: it is not there/],
  ])('refuses %s in one sentence', async (_, image, sentence) => {
    const refused = toehold.extract(model, [image]);
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(sentence);
  });

  test('of a data set writes the store that the command writes, with the same values', async () => {
    const output = join(temporaryFolder(), 'store');
    const done: number[] = [];
    const store = await toehold.extract(model, folder, { output, onProgress: (p) => done.push(p.done ?? 0) });
    expect(done.at(-1)).toBe(48);
    expect(store.meta.taps.map(({ alias }) => alias)).toEqual(features.taps.map(({ alias }) => alias));
    const order = store.split('train').files.map((file) => paths.indexOf(join(folder, file)));
    for (const tap of store.meta.taps) {
      const stored = await store.read('train', tap);
      const { data } = features.rows(order).tap(tap.alias);
      const columns = Array.from({ length: data.length }, (_, k) => data[(k % 24) * tap.features + Math.floor(k / 24)]);
      expect(Array.from(stored)).toEqual(columns);
    }
  });
});

describe('fit', () => {
  test('gives an estimator of the labels that it was given', async () => {
    const probe = await toehold.fit(features, labels, { method: 'linear', folds: 3 });
    expect(probe.classes).toEqual(['blue', 'green', 'red']);
    expect(probe.tuned).toHaveProperty('l2');
    expect(probe.validation?.accuracy).toBeGreaterThan(0.8);
    const test = await toehold.extract(model, pathsOf('test'));
    const predicted = await probe.predict(test);
    const score = await probe.score(test, labels);
    expect(score.accuracy).toBe(predicted.filter((label, i) => label === labels[i]).length / 24);
    expect(score.interval[0]).toBeLessThanOrEqual(score.accuracy);
    const { data, shape } = await probe.predictProba(test);
    expect(shape).toEqual([24, 3]);
    for (let i = 0; i < 24; i++) {
      const row = Array.from(data.subarray(3 * i, 3 * i + 3));
      expect(row.reduce((sum, v) => sum + v)).toBeCloseTo(1, 9);
      expect(probe.classes[row.indexOf(Math.max(...row))]).toBe(predicted[i]);
    }
    // Plain numbers of one tap are the same problem as that tap of Features.
    const plain = await toehold.fit(features.tap('features'), labels, { folds: 3 });
    expect(await plain.predictProba(test.tap('features'))).toEqual({ data, shape });
  });

  test('says what a selection kept, and where', async () => {
    const options = { method: 'head2toe', folds: 3, fractions: [0.25], lambdaCount: 5 };
    const { selected = [] } = await toehold.fit(features, labels, options);
    expect(selected).toHaveLength(Math.round(0.25 * features.shape[1]));
    expect(selected.map(({ rank }) => rank)).toEqual(selected.map((_, i) => i + 1));
    expect(features.taps.map(({ alias }) => alias)).toEqual(expect.arrayContaining(selected.map(({ tap }) => tap)));
    expect((await toehold.fit(features, labels, { method: 'centroid' })).selected).toBeUndefined();
  });

  test('takes rows of numbers, and gives numbers back', async () => {
    const X = Array.from({ length: 20 }, (_, i) => [i < 10 ? 1 + (i % 3) : -1 - (i % 4), 1]);
    const y: number[] = Array.from({ length: 20 }, (_, i) => (i < 10 ? 7 : -3));
    const probe = await toehold.fit(X, y, { folds: 2, normalisation: 'standard' });
    expect(probe.classes).toEqual([-3, 7]);
    expect(
      await probe.predict([
        [2, 1],
        [-2, 1],
      ]),
    ).toEqual([7, -3]);
    await expect(toehold.export(probe)).rejects.toThrow(/fitted to plain numbers/);
    await expect(probe.score(X, y.with(0, 8))).rejects.toThrow(/'8', is none of the classes learned: -3, 7/);
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['fewer labels than rows', () => toehold.fit([[1], [2], [3]], [0, 1]), /2 labels for the 3 rows/],
    ['no labels', () => toehold.fit([[1]], undefined as never), /fit needs labels/],
    ['rows of several lengths', () => toehold.fit([[1, 2], [1]], [0, 1]), /row 1 of X has 1 numbers, and row 0 has 2/],
    ['a label that is missing', () => toehold.fit([[1], [2]], ['a', 'NaN']), /'NaN' stands for a missing value/],
    [
      'a method that is not there',
      () => toehold.fit([[1], [2]], [0, 1], { method: 'linaer' }),
      /did you mean 'linear'/,
    ],
    ['two methods', () => toehold.fit([[1], [2]], [0, 1], { method: 'linear,knn' }), /takes one method/],
    ['an option that makes no sense', () => toehold.fit([[1], [2]], [0, 1], { folds: 1 }), /1 folds/],
  ])('refuses %s in one sentence', async (_, work, sentence) => {
    const refused = work();
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(sentence);
  });

  test('of a store trains on its training examples, tests on the others and exports', async () => {
    const output = join(temporaryFolder(), 'store');
    const store = await toehold.extract(model, folder, { output });
    const probe = await toehold.fit(store, { method: 'all-l2', folds: 3 });
    expect(probe.test?.files).toEqual(store.split('test').files);
    const test = await toehold.extract(
      model,
      store.split('test').files.map((file) => join(folder, file)),
    );
    expect((await probe.predictProba(test)).data).toEqual(
      Float64Array.from(probe.test?.predictions.probabilities ?? []),
    );
    expect((await toehold.export(probe)).length).toBeGreaterThan(1000);
  });
});

test('export writes a probe as one file from pixels to the same probabilities', async () => {
  const probe = await toehold.fit(features, labels, { method: 'all-l2', folds: 3 });
  const file = join(temporaryFolder(), 'head.onnx');
  await toehold.export(probe, file);
  const { data } = await probe.predictProba(features);
  let i = 0;
  for await (const prediction of predictImages(model.engine, file, paths.slice(0, 5))) {
    const ranking = 'ranking' in prediction ? prediction.ranking : [];
    for (const { class: name, probability } of ranking) {
      expect(probability).toBeCloseTo(data[3 * i + probe.classes.indexOf(name)] as number, 5);
    }
    i++;
  }
  expect(i).toBe(5);
});

describe('finetune', () => {
  test('trains on images in memory, predicts, and writes a network that opens like any other', async () => {
    const steps: number[] = [];
    const trained = await toehold.finetune(model, paths, labels, {
      epochs: 8,
      batch: 8,
      learningRate: 0.05,
      onProgress: ({ what, done = 0 }) => what === 'steps' && steps.push(done),
    });
    expect(steps).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    expect(trained.epochs).toHaveLength(8);
    const { accuracy } = await trained.score(paths, labels);
    const predicted = await trained.predict(paths);
    expect(accuracy).toBe(predicted.filter((label, i) => label === labels[i]).length / 24);
    expect(accuracy).toBeGreaterThan(0.6);
    const file = join(temporaryFolder(), 'trained.onnx');
    await toehold.export(trained, file);
    const opened = await toehold.load(file);
    expect(opened.preprocess).toEqual(model.preprocess);
    expect(opened.notes).toEqual([]);
    const logits = (await toehold.extract(opened, paths, { taps: 'logits' })).data;
    const { data } = await trained.predictProba(paths);
    for (let i = 0; i < 24; i++) {
      const row = Array.from(logits.subarray(3 * i, 3 * i + 3));
      const own = Array.from(data.subarray(3 * i, 3 * i + 3));
      expect(row.indexOf(Math.max(...row))).toBe(own.indexOf(Math.max(...own)));
    }
  });

  test('trains on a data set as the command does', async () => {
    const output = join(temporaryFolder(), 'run');
    const trained = await toehold.finetune(model, folder, { output, epochs: 1, batch: 8 });
    expect(trained.summary?.test?.n).toBe(24);
    expect(trained.classes).toEqual(['blue', 'green', 'red']);
    const { accuracy } = await trained.score(pathsOf('test'), labels);
    expect(accuracy).toBe(trained.summary?.test?.accuracy);
  });

  test('refuses in one sentence', async () => {
    await expect(toehold.finetune(model, paths, labels.slice(1))).rejects.toThrow(/23 labels for 24 images/);
    await expect(
      toehold.finetune(
        model,
        paths,
        labels.map(() => 'one'),
      ),
    ).rejects.toThrow(UserError);
  });
});

describe('a signal stops', () => {
  const reason = new Error('enough');
  /** A signal that is given at the first news of how far the work is. */
  const stopping = () => {
    const controller = new AbortController();
    return { signal: controller.signal, onProgress: () => controller.abort(reason) };
  };

  test.each<[string, (options: toehold.LongWork) => Promise<unknown>]>([
    [
      'extract in memory',
      (options) => toehold.extract(model, [...paths, ...paths, ...paths], { ...options, batch: 4 }),
    ],
    [
      'extract to a store',
      (options) => toehold.extract(model, folder, { ...options, output: join(temporaryFolder(), 's'), batch: 4 }),
    ],
    ['fit', (options) => toehold.fit(features, labels, { ...options, method: 'all-l21' })],
    ['finetune', (options) => toehold.finetune(model, paths, labels, options)],
    [
      'fit on values',
      (options) => toehold.fit(features, [...labels.keys()], { ...options, target: 'regression', method: 'all-ridge' }),
    ],
    [
      'finetune on values',
      (options) => toehold.finetune(model, paths, [...labels.keys()], { ...options, target: 'regression' }),
    ],
  ])('%s, with its reason', async (_, work) => {
    await expect(work(stopping())).rejects.toBe(reason);
    await expect(work({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('the work, not what came of it', async () => {
    const controller = new AbortController();
    const probe = await toehold.fit(features, labels, { signal: controller.signal, folds: 2 });
    controller.abort(reason);
    expect(await probe.predict(features)).toHaveLength(24);
  });
});

test('a disposed model extracts once more', async () => {
  await model.dispose();
  expect((await toehold.extract(model, paths.slice(0, 2))).data).toEqual(features.rows([0, 1]).data);
});
