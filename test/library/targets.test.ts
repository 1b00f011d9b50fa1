/** Verbs that learn real values and several labels, as a program uses them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import * as toehold from '../../src/index.js';
import { type Features, type Model, UserError } from '../../src/index.js';
import { predictImages } from '../../src/probe/index.js';
import { valuedScore } from '../../src/record/index.js';
import { writeValuedData } from '../study/support/valued.js';
import { toehold as command } from '../support/cli.js';
import { temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
const [n, unseen] = [54, 24];
const training = { epochs: 12, batch: 18, learningRate: 0.02 } as const;
const pathsOf = (split: string, count: number) =>
  Array.from({ length: count }, (_, i) => at('pictures', `${split}${i}.png`));
const [paths, others] = [pathsOf('train', n), pathsOf('test', unseen)];
/** Labels of a split as its table has them. */
const labelsOf = async (table: string, split: string) =>
  (await readFile(at('pictures', `${table}.csv`), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(','))
    .filter((row) => row[2] === split)
    .map(([, label = '']) => label.split('|').filter((part) => part !== ''));
let model: Model;
/** Of training and of test images. */
let features: [Features, Features];
/** How much red and green: of training and of test images. */
let amounts: [number[][], number[][]];
/** Which of them are many. */
let names: [string[][], string[][]];

beforeAll(async () => {
  await writeValuedData(folder, n, unseen);
  model = await toehold.load(at('model.onnx'), { preprocess: 'cifar' });
  const of = (table: string) => Promise.all(['train', 'test'].map((split) => labelsOf(table, split)));
  amounts = (await of('amounts')).map((rows) => rows.map((row) => row.map(Number))) as typeof amounts;
  names = (await of('names')) as typeof names;
  features = [await toehold.extract(model, paths), await toehold.extract(model, others)];
}, 60_000);

describe('finetune on real values', () => {
  test('says rows of what it learned rows of, with scores that are those of its predictions', async () => {
    const trained = await toehold.finetune(model, paths, amounts[0], { ...training, target: 'regression' });
    expect([trained.target, trained.outputs, trained.failedToTrain]).toEqual([
      'regression',
      ['value 1', 'value 2'],
      false,
    ]);
    expect(trained.epochs).toHaveLength(12);
    expect(trained.epochs.every(({ accuracy }) => accuracy === undefined)).toBe(true);
    const said: number[][] = await trained.predict(others);
    const score = await trained.score(others, amounts[1]);
    const { outputs } = trained;
    expect(score).toEqual(
      valuedScore({ values: said.flat() }, { kind: 'regression', outputs, values: amounts[1].flat() }),
    );
    expect(score.r2).toBeGreaterThan(0.5);
    expect(score.outputs).toHaveLength(2);
    await expect(trained.predictProba(others)).rejects.toThrow('real values have no probabilities: use predict');
    // What is exported says the same in the values' own unit.
    await toehold.export(trained, at('amounts.onnx'));
    const opened = await toehold.load(at('amounts.onnx'));
    expect(opened.preprocess).toEqual(model.preprocess);
    const { data } = await toehold.extract(opened, others.slice(0, 3), { taps: 'predictions' });
    for (const [k, value] of said.slice(0, 3).flat().entries()) expect(data[k]).toBeCloseTo(value, 4);
  }, 60_000);

  test('of one value says numbers, in any unit', async () => {
    const grams = Float64Array.from(amounts[0], ([red = 0]) => 1000 * red);
    const trained = await toehold.finetune(model, paths, grams, {
      ...training,
      learningRate: 0.01,
      target: 'regression',
    });
    const said: number[] = await trained.predict(others);
    expect(trained.outputs).toEqual(['value']);
    expect(said.map((value) => typeof value)).toEqual(others.map(() => 'number'));
    const { mae, r2 } = await trained.score(
      others,
      amounts[1].map(([red = 0]) => 1000 * red),
    );
    expect(mae).toBeGreaterThan(1);
    expect(r2).toBeGreaterThan(0.7);
  }, 60_000);
});

describe('finetune on several labels', () => {
  test('says the labels of an image, and their probabilities', async () => {
    const trained = await toehold.finetune(model, paths, names[0], { ...training, target: 'multilabel' });
    expect(trained.outputs).toEqual(['green', 'red']);
    const said: string[][] = await trained.predict(others);
    const { data, shape } = await trained.predictProba(others);
    expect(shape).toEqual([unseen, 2]);
    for (const [i, own] of said.entries()) {
      expect(own).toEqual(trained.outputs.filter((_, k) => (data[2 * i + k] as number) >= 0.5));
    }
    expect(new Set(said.map((own) => own.join())).size).toBeGreaterThan(1);
    const score = await trained.score(others, names[1]);
    expect(score.mAP).toBeGreaterThan(0.5);
    expect(score.labels.map(({ positive }) => positive)).toEqual(
      trained.outputs.map((label) => names[1].filter((own) => own.includes(label)).length),
    );
    await expect(trained.score(others, names[1].with(0, ['blue']))).rejects.toThrow(
      "the label 'blue' at row 0 is none of those learned: green, red",
    );
  }, 60_000);

  test('as rows of 0 and 1 is the same problem', async () => {
    const options = { ...training, epochs: 2, target: 'multilabel' } as const;
    const rows = (of: string[][]) => of.map((own) => ['green', 'red'].map((label) => (own.includes(label) ? 1 : 0)));
    const [byName, byRow] = [
      await toehold.finetune(model, paths, names[0], options),
      await toehold.finetune(model, paths, rows(names[0]), options),
    ];
    expect(byRow.outputs).toEqual(['label 1', 'label 2']);
    expect(await byRow.predictProba(others)).toEqual(await byName.predictProba(others));
    expect(await byRow.predict(others)).toEqual(rows(await byName.predict(others)));
  }, 60_000);
});

describe('finetune on a data set', () => {
  test('of values trains as the command does', async () => {
    const trained = await toehold.finetune(model, at('pictures', 'amounts.csv'), {
      ...training,
      output: at('run'),
      target: 'regression',
    });
    const { test: score } = trained.summary ?? {};
    expect(score).toMatchObject({ n: unseen, outputs: [{}, {}] });
    const again = await trained.score(others, amounts[1]);
    expect(again.r2).toBeCloseTo(score?.r2 as number, 9);
    expect(await trained.predict(others.slice(0, 1))).toEqual([[expect.any(Number), expect.any(Number)]]);
  }, 60_000);

  test('of several labels too', async () => {
    const options = { ...training, epochs: 2, output: at('labels'), target: 'multilabel' } as const;
    const trained = await toehold.finetune(model, at('pictures', 'names.csv'), options);
    expect(trained.outputs).toEqual(['green', 'red']);
    expect((await trained.score(others, names[1])).mAP).toBeCloseTo(trained.summary?.test?.mAP as number, 9);
  }, 60_000);
});

describe('fit', () => {
  test('of real values says rows, with scores that are those of its predictions, and is exported', async () => {
    const [X, unseenX] = features;
    const probe = await toehold.fit(X, amounts[0], { target: 'regression', method: 'all-ridge', folds: 3 });
    const { outputs, tuned } = probe;
    expect([probe.method, probe.target, outputs]).toEqual(['all-ridge', 'regression', ['value 1', 'value 2']]);
    expect(tuned.penalty).toBeGreaterThan(0);
    const said: number[][] = await probe.predict(unseenX);
    const score = await probe.score(unseenX, amounts[1]);
    expect(score).toEqual(
      valuedScore({ values: said.flat() }, { kind: 'regression', outputs, values: amounts[1].flat() }),
    );
    expect(score.r2).toBeGreaterThan(0.7);
    expect(probe.validation.r2).toBeGreaterThan(0.7);
    await toehold.export(probe, at('probe.onnx'));
    let i = 0;
    for await (const prediction of predictImages(model.engine, at('probe.onnx'), others.slice(0, 3))) {
      const values = 'values' in prediction ? prediction.values : [];
      expect(values.map(({ value }) => value)).toEqual(said[i++]?.map((value) => expect.closeTo(value, 4)));
    }
    expect(i).toBe(3);
  });

  test('of plain numbers of one value says numbers; groups widen the interval of equal rows', async () => {
    const X = Array.from({ length: 40 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
    const y = X.map(([a = 0, b = 0], i) => 5 + 2 * a - b + 0.3 * Math.sin(17 * i));
    const probe = await toehold.fit(X, y, { target: 'regression', normalisation: 'standard', folds: 4 });
    const said: number[] = await probe.predict(X);
    expect(said).toHaveLength(40);
    const { r2, interval } = await probe.score(X, y);
    expect(r2).toBeGreaterThan(0.9);
    const twice = [...X, ...X];
    const groups = twice.map((_, i) => String(i % 40));
    const grouped = await probe.score(twice, [...y, ...y], groups);
    expect(grouped.r2).toBeCloseTo(r2, 9);
    const width = ([low, high]: readonly [number, number] = [0, 0]) => high - low;
    expect(width(grouped.interval) / width(interval)).toBeCloseTo(1, 1);
    expect(width((await probe.score(twice, [...y, ...y])).interval)).toBeLessThan(0.8 * width(grouped.interval));
    await expect(toehold.export(probe)).rejects.toThrow('fitted to plain numbers');
  });

  test('of several labels says names, and probabilities that its file says too', async () => {
    const probe = await toehold.fit(features[0], names[0], { target: 'multilabel', folds: 3 });
    const said: string[][] = await probe.predict(features[1]);
    const { data, shape } = await probe.predictProba(features[1]);
    expect([shape, probe.outputs]).toEqual([
      [unseen, 2],
      ['green', 'red'],
    ]);
    expect(said).toEqual(said.map((_, i) => probe.outputs.filter((_, k) => (data[2 * i + k] as number) >= 0.5)));
    const { mAP, labels } = await probe.score(features[1], names[1]);
    expect(mAP).toBeGreaterThan(0.8);
    expect(labels).toHaveLength(2);
    await toehold.export(probe, at('labels.onnx'));
    for await (const prediction of predictImages(model.engine, at('labels.onnx'), others.slice(0, 1))) {
      const ranking = 'ranking' in prediction ? prediction.ranking : [];
      for (const { class: name, probability } of ranking)
        expect(probability).toBeCloseTo(data[probe.outputs.indexOf(name)] as number, 4);
      expect(ranking).toHaveLength(2);
    }
  });

  test('of a store is what the command fits, tested on what the store has to test on', async () => {
    const store = await toehold.extract(model, at('pictures', 'amounts.csv'), { output: at('store') });
    const probe = await toehold.fit(store, { target: 'regression', method: 'tap-ridge', folds: 3 });
    const printed = await command(
      'probe',
      at('store'),
      '--target',
      'regression',
      '-m',
      'tap-ridge',
      '--folds',
      '3',
      '--json',
    );
    expect(printed.code, printed.stderr).toBe(0);
    const [own] = JSON.parse(printed.stdout).methods;
    expect(own.test).toEqual(JSON.parse(JSON.stringify(probe.test?.score)));
    expect(own.validation).toEqual(JSON.parse(JSON.stringify(probe.validation)));
    expect(probe.test?.files).toEqual(store.split('test').files);
    const said = await probe.predict(
      await toehold.extract(
        model,
        store.split('test').files.map((file) => at('pictures', file)),
      ),
    );
    for (const [i, value] of said.flat().entries()) expect(value).toBeCloseTo(probe.test?.predictions[i] as number, 6);
    expect((await toehold.export(probe)).length).toBeGreaterThan(1000);
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'a method of classes',
      () => toehold.fit([[1], [2]], [0, 1], { target: 'regression', method: 'knn' }),
      /method 'knn' does not learn real values; --target regression has linear, all-ridge, tap-ridge/,
    ],
    [
      'two methods',
      () => toehold.fit([[1], [2]], [0, 1], { target: 'regression', method: 'linear,all-ridge' }),
      /one method/,
    ],
    [
      'fewer values than rows',
      () => toehold.fit([[1], [2], [3]], [0, 1], { target: 'regression' }),
      /2 labels for the 3 rows/,
    ],
    [
      'values that are all one',
      () => toehold.fit([[1], [2]], [3, 3], { target: 'regression' }),
      /all have the value 3/,
    ],
    ['one fold', () => toehold.fit([[1], [2]], [3, 4], { target: 'regression', folds: 1 }), /1 folds/],
    ['no values', () => toehold.fit([[1]], undefined as never, { target: 'regression' }), /fit needs labels/],
  ])('refuses %s in one sentence', async (_, work, sentence) => {
    const refused = work();
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(sentence);
  });
});

describe('what is refused is refused in one sentence', () => {
  const finetune = (y: unknown, target: string) => toehold.finetune(model, paths, y as never, { target } as never);
  test.each<[string, unknown, string, RegExp]>([
    ['a target that there is not', [1, 2], 'ranking', /no target 'ranking'; there are class, regression, multilabel/],
    ['values that are no numbers', paths.map(() => 'old'), 'regression', /'old': target regression learns numbers/],
    ['values that are missing', [1, Number.NaN], 'regression', /y has NaN at row 1: .* learns finite numbers/],
    ['rows of several lengths', [[1, 2], [3]], 'regression', /y has 1 numbers at row 1, and 2 are learned of each/],
    [
      'labels that stand alone',
      ['sky', 'sea'],
      'multilabel',
      /'sky': with target multilabel every example has an array/,
    ],
    [
      'rows of other numbers than 0 and 1',
      [
        [0, 1],
        [2, 0],
      ],
      'multilabel',
      /y has 2 at row 1: a row of labels is of 0 and 1/,
    ],
    ['labels of none', [[], []], 'multilabel', /no example has a label/],
    ['fewer labels than images', [1, 2], 'regression', /2 labels for 54 images/],
  ])('%s', async (_, y, target, sentence) => {
    const refused = finetune(y, target);
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(sentence);
  });
});
