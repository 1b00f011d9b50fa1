/** `toehold probe` on arrays: what it prints, what it leaves, and with what it ends. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { encodeNpy } from '../../src/features/index.js';
import { done, readRecord } from '../../src/record/index.js';
import { claimOf } from '../../src/report/page/head.js';
import { toehold } from '../support/cli.js';

const K = 3;
const p = 12;
let folder: string;
const file = (name: string) => join(folder, name);

/** Features that tell the classes apart, row by row, and labels shifted by `turn` classes. */
async function write(name: string, n: number, turn = 0): Promise<void> {
  const random = new Random(5, name);
  const values = Float32Array.from({ length: n * p }, (_, at) => {
    const [row, j] = [Math.floor(at / p), at % p];
    return Math.max(0, 1 + (row % K === j % K ? 1.2 : 0) + random.normal());
  });
  await writeFile(file(`${name}.npy`), encodeNpy('<f4', [n, p], values));
  await writeFile(file(`${name}.txt`), Array.from({ length: n }, (_, i) => 'abc'[(i + turn) % K]).join('\n'));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold command '));
  await write('train', 90);
  await write('test', 60);
  await write('wrong', 60, 1);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const probe = (test: string | undefined, ...more: string[]) =>
  toehold(
    'probe',
    ...['--features', file('train.npy'), '--labels', file('train.txt')],
    ...(test ? ['--test-features', file(`${test}.npy`), '--test-labels', file(`${test}.txt`)] : []),
    ...['--folds', '3', '--l2', '0.1,0.001', '--lambdas', '6', '--quiet'],
    ...more,
  );
const row = (stdout: string, method: string) => stdout.split('\n').find((line) => line.startsWith(method)) ?? '';

describe('figures that stand', () => {
  test('end with 0; the page, the table and the record say the same', async () => {
    const { code, stdout, stderr } = await probe('test', '-m', 'linear,all-l21', '-o', file('good'));
    expect(code).toBe(0);
    expect(stderr).toContain('note: train 90 (tuned by folds inside it), test 60');
    const record = await readRecord(file('good'));
    const [task] = record.tasks;
    for (const method of ['linear', 'all-l21']) {
      const cell = task && done(task, method);
      expect(row(stdout, method)).toContain((100 * (cell?.score as number)).toFixed(1));
    }
    expect(stdout).toContain(record.answer.headline);
    const report = await toehold('report', file('good'));
    expect(report.code).toBe(0);
    const page = await readFile(join(file('good'), 'report.html'), 'utf8');
    // Spaces that do not break hold numbers and their units together.
    const plain = (text: string) =>
      text
        .replace(/<[^>]*>/g, '')
        .replace(/\s+/g, ' ')
        .replaceAll('&lt;', '<');
    for (const part of Object.values(claimOf(record.answer.headline, record.methods)))
      if (part) expect(plain(page).includes(plain(part)), part).toBe(true);
  });
});

describe('figures that do not', () => {
  test('when a solver did not converge: printed and written all the same, and the command ends with 1', async () => {
    // No gap is that small, except where rounding leaves none.
    const { code, stdout, stderr } = await probe('test', '-m', 'linear,all-l21', '--tol', '1e-300', '-o', file('open'));
    expect(code).toBe(1);
    expect(row(stdout, 'all-l21')).toMatch(/^all-l21 \(NOT CONVERGED\) +\d/);
    expect(row(stdout, 'linear')).toMatch(/^linear +\d/);
    expect(stdout).toMatch(/ {2}NOT CONVERGED at \d of 6 lambdas: largest relative duality gap \d/);
    expect(stdout).toContain('Not converged (shown and compared as they are): All-ℓ2,1');
    expect(stderr.trim().split('\n').at(-1)).toBe('toehold: not converged: all-l21; their best iterates are shown');
    const [task] = (await readRecord(file('open'))).tasks;
    expect(task && done(task, 'all-l21')?.converged).toBe(false);
  });

  test('when a test score is at chance where validation is far above: the same', async () => {
    const { code, stdout, stderr } = await probe('wrong', '-m', 'linear', '-o', file('wrong'));
    expect(code).toBe(1);
    expect(row(stdout, 'linear')).toMatch(/^linear \(WRONG: see below\) +\d/);
    const [task] = (await readRecord(file('wrong'))).tasks;
    const suspect = task && done(task, 'linear')?.suspect;
    expect(stdout).toContain(`  WRONG: ${suspect}`);
    expect(stderr.trim().split('\n').at(-1)).toBe(`toehold: linear: ${suspect}`);
  });

  test('and as JSON: one document, with the fault in it', async () => {
    const { code, stdout } = await probe('wrong', '-m', 'linear', '--json');
    expect(code).toBe(1);
    const { methods, answer } = JSON.parse(stdout);
    expect(methods[0]).toMatchObject({ method: 'linear', suspect: expect.stringContaining('no better than') });
    expect(answer.missing).toEqual([expect.stringMatching(/^Wrong by our own fault/)]);
  });
});

describe('a wrong request ends with 2 before any work', () => {
  test.each<[string, string[], RegExp]>([
    ['a seed that is no whole number', ['--seed', '1.5'], /--seed <n>.*whole number/],
    ['folds', ['--folds', '1'], /1 folds: give a whole number from 2/],
    ['an unknown method', ['-m', 'linea'], /there is no method 'linea'; did you mean 'linear'\?/],
    ['a share', ['--holdout', '1'], /holdout/],
  ])('%s', async (_, flags, message) => {
    const { code, stdout, stderr } = await probe(undefined, ...flags);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  test('test labels without a training example of their class', async () => {
    await writeFile(file('strange.txt'), Array.from({ length: 60 }, () => 'd').join('\n'));
    await writeFile(file('strange.npy'), await readFile(file('test.npy')));
    const { code, stderr } = await probe('strange', '-m', 'linear');
    expect(code).toBe(2);
    expect(stderr).toContain("class 'd' has test examples but no training example: add some or drop the class");
  });
});
