/** No command replaces what is not its own, what it reads, or anything where a folder is no place for it. */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { toehold } from '../support/cli.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold outputs ');
const at = (...parts: string[]) => join(folder, ...parts);
const flags = ['--size', '16', '--preprocess', 'half', '--threads', '1', '--quiet'];
const extract = (output: string, ...more: string[]) =>
  toehold('extract', at('tiny.onnx'), at('images'), '-o', output, ...flags, ...more);
const probe = (output: string, ...more: string[]) =>
  toehold('probe', at('store'), '-o', output, '-m', 'linear', '--folds', '2', '--quiet', ...more);
const train = (output: string, ...more: string[]) =>
  toehold('train', at('tiny.onnx'), at('images'), '-o', output, '--epochs', '1', '-b', '8', ...flags, ...more);
const run = (output: string, ...more: string[]) => toehold('run', at('study.yaml'), '-o', output, '--quiet', ...more);

const mine = 'of mine';

beforeAll(async () => {
  await writeTinyModel(folder);
  await writeImages(at('images'), ['a', 'b'], 6);
  await writeFile(
    at('study.yaml'),
    'protocol: head2toe\nbackbones: {tiny: {model: tiny.onnx, preprocess: half}}\ntasks: {t: {data: images}}\nmethods: [linear]\n',
  );
  expect((await extract(at('store'))).code).toBe(0);
});

beforeEach(async () => {
  await rm(at('mine'), { recursive: true, force: true });
  await mkdir(at('mine', '.chunks'), { recursive: true });
  for (const name of ['notes.txt', 'record.json', 'meta.json', 'model.onnx', '.chunks/mine'])
    await writeFile(at('mine', name), mine);
});

const commands = { extract, probe, train, run, demo: (output: string) => toehold('demo', '-o', output, '--quiet') };

describe.each(Object.entries(commands))('%s', (_, command) => {
  test('leaves a folder of others as it is', async () => {
    const { code, stderr } = await command(at('mine'));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^toehold: .*mine is not empty and not a folder of toehold's .*--force\n$/);
    for (const name of ['notes.txt', 'record.json', 'meta.json', 'model.onnx', '.chunks/mine'])
      expect(await readFile(at('mine', name), 'utf8')).toBe(mine);
  });

  test('writes nothing into the root of the file system, forced or not', async () => {
    const { code, stderr } = await command('/', '--force');
    expect(code).toBe(2);
    expect(stderr).toMatch(/is the root of a file system/);
  });
});

test('train does not replace the network that it starts from, forced or not', async () => {
  await mkdir(at('network'));
  await cp(at('tiny.onnx'), at('network/model.onnx'));
  const before = await readFile(at('network/model.onnx'));
  for (const more of [[], ['--force']]) {
    const { code, stderr } = await toehold(
      'train',
      at('network/model.onnx'),
      at('images'),
      '-o',
      at('network'),
      ...flags,
      ...more,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/model\.onnx is read, and would be written over/);
  }
  expect(await readFile(at('network/model.onnx'))).toEqual(before);
});

test('an output does not lie in the data, forced or not', async () => {
  for (const command of [extract, train]) {
    const { code, stderr } = await command(at('images/train'), '--force');
    expect(code).toBe(2);
    expect(stderr).toMatch(/lies in .*images, which is read/);
  }
});

test('forced, extract takes a folder and leaves what it does not write, .chunks of others too', async () => {
  await rm(at('mine/meta.json'));
  expect((await extract(at('mine'), '--force')).code).toBe(0);
  for (const name of ['notes.txt', '.chunks/mine']) expect(await readFile(at('mine', name), 'utf8')).toBe(mine);
  expect(JSON.parse(await readFile(at('mine/meta.json'), 'utf8')).toehold).toBe(1);
});

test('a folder of one command is none of another', async () => {
  const { code, stderr } = await probe(at('store'));
  expect(code).toBe(2);
  expect(stderr).toMatch(/store/);
  expect((await train(at('store'))).stderr).toMatch(/holds a feature store, not a training run/);
});

test('export replaces no file but one of its own', async () => {
  expect((await probe(at('probes'))).code).toBe(0);
  const write = (...more: string[]) => toehold('export', at('probes'), '-o', at('mine/notes.txt'), ...more);
  const { code, stderr } = await write();
  expect(code).toBe(2);
  expect(stderr).toMatch(/notes\.txt is there and was not written by toehold: .*--force/);
  expect(await readFile(at('mine/notes.txt'), 'utf8')).toBe(mine);
  expect((await write('--force')).code).toBe(0);
  // It is its own now.
  expect((await write()).code).toBe(0);
});

test('probe leaves no file of an earlier run', async () => {
  expect((await probe(at('again'), '-m', 'linear,all-l2')).code).toBe(0);
  expect((await toehold('report', at('again'))).code).toBe(0);
  const there = (name: string) =>
    readFile(at('again', name)).then(
      () => true,
      () => false,
    );
  expect([await there('weights/all-l2.npz'), await there('report.html')]).toEqual([true, true]);
  await writeFile(at('again/notes.txt'), mine);
  expect((await probe(at('again'))).code).toBe(0);
  expect([await there('weights/all-l2.npz'), await there('report.html'), await there('tables')]).toEqual([
    false,
    false,
    false,
  ]);
  expect(await readFile(at('again/notes.txt'), 'utf8')).toBe(mine);
});
