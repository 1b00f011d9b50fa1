/** Verbs that learn real values and several labels, as a program uses them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import * as toehold from '../../src/index.js';
import { type Model, UserError } from '../../src/index.js';
import { valuedScore } from '../../src/record/index.js';
import { writeValuedData } from '../study/support/valued.js';
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
    const trained = await toehold.finetune(model, paths, grams, { ...training, target: 'regression' });
    const said: number[] = await trained.predict(others);
    expect(trained.outputs).toEqual(['value']);
    expect(said.map((value) => typeof value)).toEqual(others.map(() => 'number'));
    const score = await trained.score(
      others,
      amounts[1].map(([red = 0]) => 1000 * red),
    );
    expect(score.mae).toBeGreaterThan(1);
    expect(score.r2).toBeGreaterThan(0.5);
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
