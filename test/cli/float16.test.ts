/** Every command on a store of 16-bit floats: what each finds is what it finds of the same features in 32 bits. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { methods } from '../../src/probe/index.js';
import { toehold } from '../support/cli.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold halves ');
const at = (...parts: string[]) => join(folder, ...parts);
const stores = ['float32', 'float16'] as const;

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await toehold(...args);
  expect([args[0], code, code === 0 ? '' : stderr]).toEqual([args[0], 0, '']);
  return stdout;
}

let photo: string;
beforeAll(async () => {
  const model = await writeTinyModel(folder);
  const images = await writeImages(at('images'), ['a', 'b'], 20);
  photo = join(images, 'test', 'b', '003.png');
  for (const store of stores) {
    const args = ['--size', '16', '--preprocess', 'half', '--pool', 'gap,max', '--store', store, '--quiet'];
    await done('extract', model, images, '-o', at(store), ...args);
  }
  await done('extract', model, images, '-o', at('control'), '--size', '24', '--store', 'float16', '--quiet');
});

interface Found {
  readonly method: string;
  readonly test: { readonly accuracy: number };
  readonly validation?: { readonly accuracy: number };
}

/** Few settings of each: that a method reads a store does not depend on how many it tries. */
const quick = ['--folds', '2', '--lambdas', '5', '--keep', '0.1,0.5', '--l2', '1e-2,1e-4', '--steps', '20', '--quiet'];

test('every probe of pooled layers fits it; some, as on 32 bits', { timeout: 600_000 }, async () => {
  const found = async (store: string, names: readonly string[]) => {
    const args = ['-m', names.join(','), '--control', at('control'), ...quick, '-o', at(`probe ${store}`), '--json'];
    return (JSON.parse(await done('probe', at(store), ...args)) as { methods: Found[] }).methods;
  };
  // Positions of a layer are in another store, of 16 bits too: extract.test.ts.
  const names = methods.map(({ card }) => card.id).filter((id) => id !== 'efficient-probing');
  const half = await found('float16', names);
  expect(half.map(({ method }) => method)).toEqual(names);
  for (const { method, test: own } of await found('float32', ['linear', 'all-l2', 'tap-ridge', 'head2toe', 'knn'])) {
    const other = half.find((h) => h.method === method)?.test.accuracy as number;
    // Of 40 test examples one more or less is rounding.
    expect([method, Math.abs(own.accuracy - other) <= 1.01 / 40]).toEqual([method, true]);
  }
});

describe('what was fitted to it', () => {
  test('is exported, and predicts', { timeout: 120_000 }, async () => {
    await done('probe', at('float16'), '-m', 'linear,head2toe', ...quick, '-o', at('run'));
    for (const method of ['linear', 'head2toe']) {
      const file = at(`${method}.onnx`);
      await done('export', at('run'), '-m', method, '-o', file);
      const { predictions } = JSON.parse(await done('predict', file, photo, '--json'));
      expect([method, predictions[0].class]).toEqual([method, 'b']);
    }
  });

  test('is reported', { timeout: 120_000 }, async () => {
    await done('report', at('run'));
    expect(existsSync(at('run', 'report.html'))).toBe(true);
    expect((await readdir(at('run', 'tables'))).length).toBeGreaterThan(0);
  });
});

test('verify and score read it', { timeout: 120_000 }, async () => {
  await done('verify', at('float16'));
  const scores = async (store: string) => JSON.parse(await done('score', at(store), '--json'));
  const [wide, half] = [await scores('float32'), await scores('float16')];
  expect(Object.keys(half)).toEqual(Object.keys(wide));
});
