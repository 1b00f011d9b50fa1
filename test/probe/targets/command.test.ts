/** `toehold probe --target`: real values and several labels from arrays and from a store, and what is refused. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/index.js';
import { encodeNpy } from '../../../src/features/index.js';
import { toehold } from '../../support/cli.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../../support/tiny.js';

const folder = temporaryFolder('toehold targets ');
const at = (name: string) => join(folder, name);
const [n, p] = [80, 6];
let x = new Float32Array(0);

beforeAll(async () => {
  for (const name of ['train', 'test']) {
    const random = new Random(4, name);
    x = Float32Array.from({ length: n * p }, () => random.normal());
    const feature = (i: number, j: number) => x[i * p + j] as number;
    await writeFile(at(`${name}.npy`), encodeNpy('<f4', [n, p], x));
    const two = Array.from({ length: n }, (_, i) => [
      2 * feature(i, 0) - feature(i, 1) + 0.1 * random.normal(),
      5 + feature(i, 2),
    ]);
    await writeFile(at(`${name}-one.txt`), two.map(([a]) => String(a)).join('\n'));
    await writeFile(at(`${name}-two.npy`), encodeNpy('<f8', [n, 2], Float64Array.from(two.flat())));
    const sets = Array.from({ length: n }, (_, i) => {
      const own = [feature(i, 0) > 0 ? 'sky' : '', feature(i, 1) > 0.5 ? 'sea' : ''].filter(Boolean);
      return own.length > 0 ? own.join('|') : '|';
    });
    await writeFile(at(`${name}-sets.txt`), sets.join('\n'));
  }
});

const arrays = (labels: string, ...more: string[]) =>
  toehold(
    'probe',
    ...['--features', at('train.npy'), '--labels', at(`train-${labels}`)],
    ...['--test-features', at('test.npy'), '--test-labels', at(`test-${labels}`)],
    ...['--normalise', 'none', '--folds', '4', '--quiet'],
    ...more,
  );

describe('real values', () => {
  test('one: R2 near 1 with an interval, the same figures on screen and in JSON', async () => {
    const { code, stdout, stderr } = await arrays('one.txt', '--target', 'regression', '--json');
    expect(code, stderr).toBe(0);
    const { outputs, methods } = JSON.parse(stdout);
    expect(outputs).toEqual(['value']);
    expect(methods.map((m: { method: string }) => m.method)).toEqual(['linear', 'all-ridge', 'tap-ridge', 'head2toe']);
    for (const { test: score, validation } of methods) {
      expect(score.r2).toBeGreaterThan(0.97);
      expect(score.interval[0]).toBeLessThan(score.r2);
      expect(score.interval[1]).toBeGreaterThan(score.r2);
      expect(validation.r2).toBeGreaterThan(0.97);
    }
    const table = await arrays('one.txt', '--target', 'regression');
    expect(table.stdout).toMatch(/^method +test R2 +95 % +MAE +RMSE +Spearman +left-out R2 +features +seconds$/m);
    expect(table.stdout).toContain(methods[1].test.r2.toFixed(3));
  });
  test('two, from an array of two columns: each has its scores; the head says what the predictions say', async () => {
    const { code, stdout, stderr } = await arrays(
      'two.npy',
      '--target',
      'regression',
      '-m',
      'all-ridge',
      '-o',
      at('two'),
      '--json',
    );
    expect(code, stderr).toBe(0);
    const [method] = JSON.parse(stdout).methods;
    expect(method.test.outputs).toHaveLength(2);
    for (const own of method.test.outputs) expect(own.r2).toBeGreaterThan(0.9);
    const rows = (await readFile(at('two/predictions.csv'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(','));
    expect(rows[0]).toEqual(['file', 'output', 'truth', 'all-ridge']);
    expect(rows).toHaveLength(1 + 2 * n);
    const errors = rows
      .slice(1)
      .filter((row) => row[1] === 'value 1')
      .map((row) => Math.abs(Number(row[2]) - Number(row[3])));
    expect(errors.reduce((a, b) => a + b) / n).toBeCloseTo(method.test.outputs[0].mae, 10);
    expect(JSON.parse(await readFile(at('two/targets.json'), 'utf8'))).toMatchObject({
      target: 'regression',
      normalisation: 'none',
    });
  });
});

test('several labels: mean average precision, F1, a calibration error for each, and examples without any', async () => {
  const { code, stdout, stderr } = await arrays('sets.txt', '--target', 'multilabel', '-m', 'all-ridge', '--json');
  expect(code, stderr).toBe(0);
  const { outputs, methods } = JSON.parse(stdout);
  expect(outputs).toEqual(['sea', 'sky']);
  const { test: score } = methods[0];
  expect(score.mAP).toBeGreaterThan(0.9);
  expect(score.microF1).toBeGreaterThan(0.8);
  expect(score.labels.map((own: { calibrationError: number }) => own.calibrationError < 0.3)).toEqual([true, true]);
  const table = await arrays('sets.txt', '--target', 'multilabel', '-m', 'all-ridge');
  expect(table.stdout).toMatch(/^label +examples +AP +F1 +calibration error$/m);
});

/** A store of 30 images whose manifest says these labels. @param labelOf class and number of an image */
async function store(name: string, labelOf: (k: number, i: number) => string): Promise<string> {
  const model = await writeTinyModel(at(name));
  const images = await writeImages(at(`${name} images`), ['a', 'b', 'c'], 10);
  const rows = ['a', 'b', 'c'].flatMap((own, k) =>
    Array.from({ length: 10 }, (_, i) => `train/${own}/${String(i).padStart(3, '0')}.png,${labelOf(k, i)}`),
  );
  await writeFile(join(images, 'labels.csv'), `file,label\n${rows.join('\n')}\n`);
  const { code, stderr } = await toehold(
    'extract',
    model,
    join(images, 'labels.csv'),
    '-o',
    at(`${name}/store`),
    '--quiet',
  );
  expect(code, stderr).toBe(0);
  return at(`${name}/store`);
}

/** What the exported head of a run says of the images of its predictions.csv, and what is written there. */
async function exported(name: string, method: string) {
  const done = await toehold('export', at(`${name}/run`), '-m', method, '-o', at(`${name}/head.onnx`), '--json');
  expect(done.code, done.stderr).toBe(0);
  const [header, ...rows] = (await readFile(at(`${name}/run/predictions.csv`), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(','));
  const column = header?.indexOf(method) ?? -1;
  const written = new Map(rows.map((row) => [`${row[0]} ${row[1]}`, Number(row[column])]));
  const files = [...new Set(rows.map((row) => row[0] as string))];
  const found = await toehold(
    'predict',
    at(`${name}/head.onnx`),
    ...files.map((file) => at(`${name} images/${file}`)),
    '--json',
  );
  expect(found.code, found.stderr).toBe(0);
  return { files, written, predictions: JSON.parse(found.stdout).predictions };
}

test('values of a store without a test split, and the exported head that predicts the same', async () => {
  const path = await store('numbers', (k, i) => (k + i / 100).toFixed(2));
  const flags = ['--target', 'regression', '--folds', '3', '--quiet', '-o', at('numbers/run')];
  const { code, stdout, stderr } = await toehold('probe', path, ...flags, '--json');
  expect(code, stderr).toBe(0);
  const { examples, methods } = JSON.parse(stdout);
  expect(examples).toEqual({ train: 24, test: 6 });
  const tapped = methods.find((m: { method: string }) => m.method === 'tap-ridge');
  expect(tapped.test.r2).toBeGreaterThan(0.8);
  expect(tapped.taps.reduce((sum: number, { share }: { share: number }) => sum + share, 0)).toBeCloseTo(1, 1);
  const { files, written, predictions } = await exported('numbers', 'tap-ridge');
  for (const [i, file] of files.entries()) {
    expect(predictions[i].values).toHaveLength(1);
    expect(predictions[i].values[0].value).toBeCloseTo(written.get(`${file} value`) as number, 4);
  }
  const table = await toehold('predict', at('numbers/head.onnx'), at(`numbers images/${files[0]}`));
  expect(table.stdout).toMatch(/^image +value$/m);
}, 90_000);

test('a run has a record: a page is made of it, and two runs are compared example by example', async () => {
  const path = await store('recorded', (k, i) => (k + i / 100).toFixed(2));
  for (const method of ['linear', 'all-ridge']) {
    const flags = ['--target', 'regression', '--folds', '3', '--quiet', '-m', method, '-o', at(`recorded/${method}`)];
    const { code, stderr } = await toehold('probe', path, ...flags);
    expect(code, stderr).toBe(0);
  }
  const page = await toehold('report', at('recorded/linear'));
  expect(page.code, page.stderr).toBe(0);
  expect(await readFile(at('recorded/linear/report.html'), 'utf8')).toContain('R²');
  const both = await toehold(
    ...['report', at('recorded/linear'), at('recorded/all-ridge'), '-o', at('both'), '--json'],
  );
  expect(both.code, both.stderr).toBe(0);
  expect(JSON.parse(both.stdout)).toMatchObject({ runs: 2, tasks: 1, paired: 1, notes: [] });
}, 90_000);

test('several labels of a store: the exported head gives each its probability', async () => {
  const path = await store('sets', (k, i) => `${'abc'[k]}${i % 2 ? '|odd' : ''}`);
  const flags = ['--target', 'multilabel', '-m', 'all-ridge', '--folds', '3', '--quiet', '-o', at('sets/run')];
  const { code, stderr } = await toehold('probe', path, ...flags);
  expect(code, stderr).toBe(0);
  const { files, written, predictions } = await exported('sets', 'all-ridge');
  for (const [i, file] of files.entries()) {
    for (const { class: label, probability } of predictions[i].ranking)
      expect(probability).toBeCloseTo(written.get(`${file} ${label}`) as number, 4);
  }
}, 90_000);

describe('what cannot be learned gets one sentence', () => {
  test.each([
    ['sets.txt', ['--target', 'regression'], /the label '.*' is not a number: --target regression learns numbers/],
    [
      'one.txt',
      ['--target', 'regression', '-m', 'knn'],
      /method 'knn' does not learn real values; .*linear, all-ridge, tap-ridge/,
    ],
    [
      'one.txt',
      ['--target', 'regression', '--per-tap'],
      /--per-tap is for probes of classes, not for --target regression/,
    ],
  ])('%s %s', async (labels, more, message) => {
    const { code, stderr } = await arrays(labels, ...more);
    expect(code).toBe(2);
    expect(stderr.trim().split('\n').at(-1)).toMatch(message);
  });
  test('one value everywhere', async () => {
    await writeFile(at('train-same.txt'), Array.from({ length: n }, () => '3').join('\n'));
    await writeFile(at('test-same.txt'), Array.from({ length: n }, () => '3').join('\n'));
    const { code, stderr } = await arrays('same.txt', '--target', 'regression');
    expect(code).toBe(2);
    expect(stderr).toMatch(/the training examples all have the value 3: there is nothing to learn/);
  });
});
