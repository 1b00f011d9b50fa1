import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { commandLine } from '../support/cli.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold cli ');
let model = '';
let data = '';

/** Runs the command line; never throws. */
function toehold(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...commandLine, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

beforeAll(async () => {
  model = await writeTinyModel(folder);
  data = await writeImages(join(folder, 'images'), ['a', 'b'], 6);
});

test('taps --json is one document with the contract keys', async () => {
  const { code, stdout } = await toehold('taps', model, '--json', '--size', '16');
  expect(code).toBe(0);
  const answer = JSON.parse(stdout);
  expect(answer.model).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/), inputs: [{ name: 'input' }] });
  expect(Object.keys(answer.taps[0])).toEqual(
    expect.arrayContaining(['name', 'alias', 'kind', 'op', 'shape', 'depth', 'params', 'macs']),
  );
});

test('taps prints an aligned table', async () => {
  const { stdout } = await toehold('taps', model, '--size', '16');
  expect(stdout).toMatch(/^alias +kind +layout +shape/);
  expect(stdout).toContain('8×16×16');
  expect(stdout).toContain('6 taps of');
});

test('taps --layers counts the learned layers', async () => {
  const { stdout } = await toehold('taps', model, '--layers', '--json', '--size', '16');
  expect(JSON.parse(stdout).layers).toMatchObject([
    { layer: 1, op: 'Conv', params: 3 * 8 * 9 + 8, taps: ['s1.b1.act1'] },
    { layer: 2, op: 'Conv', params: 8 * 8 * 9 + 8 },
    { layer: 3, op: 'Conv', params: 8 * 8 + 8 },
    { layer: 4, op: 'Conv', params: 8 * 16 * 9 + 16 },
    { layer: 5, op: 'Gemm', params: 4 * 16 + 4, taps: ['logits'] },
  ]);
});

test('extract writes a store, then finds nothing to do', async () => {
  const store = join(folder, 'store');
  const first = await toehold('extract', model, data, '-o', store, '--size', '16', '--json', '--preprocess', 'half');
  expect(first.code).toBe(0);
  expect(JSON.parse(first.stdout)).toMatchObject({ images: 24, computed: expect.arrayContaining(['features']) });
  const meta = JSON.parse(await readFile(join(store, 'meta.json'), 'utf8'));
  expect(meta.splits.train).toMatchObject({ n: 12, labels: expect.any(Array), files: expect.any(Array) });
  const again = await toehold('extract', model, data, '-o', store, '--size', '16', '--preprocess', 'half');
  expect(again.stdout).toContain('nothing to compute');
});

test('--tokens keeps every position of one layer, over which efficient-probing attends', async () => {
  const store = join(folder, 'tokens');
  const flags = ['-o', store, '--size', '16', '--preprocess', 'half'];
  const done = await toehold('extract', model, data, ...flags, '--tokens', 's1.b1.act1', '--json');
  expect(done.code, done.stderr).toBe(0);
  const { precision, taps } = JSON.parse(done.stdout);
  expect(precision).toBe('float16');
  const [tap, ...others] = taps;
  expect(others).toEqual([]);
  expect(tap).toMatchObject({ alias: 's1.b1.act1' });
  const [{ channels, grid, prefix }] = tap.pieces;
  expect(tap.features).toBe(channels * (prefix + grid[0] * grid[1]));
  expect(grid[0] * grid[1]).toBeGreaterThan(1);
  const probe = [
    'probe',
    store,
    '-m',
    'efficient-probing',
    '--queries',
    '1',
    '--folds',
    '2',
    '--leave-out',
    '0',
    '--json',
  ];
  const probed = await toehold(...probe);
  expect(probed.code, probed.stderr).toBe(0);
  expect(probed.stdout).toContain(`reads ${grid[0] * grid[1]} positions of s1.b1.act1`);
  const both = await toehold('extract', model, data, ...flags, '--tokens', 'features', '--taps', 'all');
  expect(both.code).toBe(2);
  expect(both.stderr.trim().split('\n')).toHaveLength(1);
}, 120_000);

test('a manifest whose splits climb out of the store writes nothing outside', async () => {
  const rows = ['a/000', 'a/001', 'b/000', 'b/001'].map((f) => `train/${f}.png,${f[0]},../../out\n`);
  await writeFile(join(data, 'climbing.csv'), `file,label,split\n${rows.join('')}`);
  const store = join(folder, 'inner', 'store');
  const args = ['--size', '16', '--quiet', '--taps', 'features'];
  const { code } = await toehold('extract', model, join(data, 'climbing.csv'), '-o', store, ...args);
  expect(code).toBe(0);
  expect(await readdir(join(folder, 'inner'))).toEqual(['store']);
  expect(await readdir(folder)).not.toContain('out');
});

describe('a wrong request ends with 2 and one sentence', () => {
  const cases: [string, () => Promise<string[]>, RegExp][] = [
    [
      'a model that is not there',
      async () => ['extract', 'nowhere.onnx', data],
      /no such file or folder: nowhere\.onnx/,
    ],
    [
      'a file that is not ONNX',
      async () => {
        await writeFile(join(folder, 'text.onnx'), 'this is no model');
        return ['taps', join(folder, 'text.onnx')];
      },
      /not (a whole ONNX file|an ONNX model)/,
    ],
    [
      'a truncated model',
      async () => {
        await writeFile(join(folder, 'cut.onnx'), (await readFile(model)).subarray(0, 2000));
        return ['taps', join(folder, 'cut.onnx')];
      },
      /not a whole ONNX file/,
    ],
    [
      'an empty folder of images',
      async () => {
        await mkdir(join(folder, 'empty'), { recursive: true });
        return ['extract', model, join(folder, 'empty'), '-o', join(folder, 'none')];
      },
      /empty/,
    ],
    [
      'an unknown tap',
      async () => ['extract', model, data, '--taps', 'logit', '-o', join(folder, 'x'), '--size', '16'],
      /did you mean 'logits'/,
    ],
    [
      'an unknown pooling',
      async () => ['extract', model, data, '--pool', 'mean:3', '-o', join(folder, 'x')],
      /pooling 'mean:3' is not understood/,
    ],
    [
      'an unknown preset',
      async () => ['extract', model, data, '--preprocess', 'imagnet', '-o', join(folder, 'x')],
      /did you mean 'imagenet'/,
    ],
    [
      'a device that is not there',
      async () => ['taps', model, '--device', 'coreml'],
      /device 'coreml' is not available here: /,
    ],
    ['an unknown flag', async () => ['taps', model, '--jsn'], /Did you mean --json/],
  ];
  test.each(cases)('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await toehold(...(await args()));
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe('');
  });
});
