/** Rows of anyone's tables that are given twice. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { encodeNpy } from '../../src/features/index.js';
import { rowHashes } from '../../src/probe/duplicates.js';
import { sourceDefaults, taskFromArrays } from '../../src/probe/index.js';
import { FeatureMatrix } from '../../src/solver/index.js';
import { temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder('toehold duplicates ');
afterAll(() => rm(folder, { recursive: true, force: true }));

const random = new Random(2, 'rows');
const row = () => Array.from({ length: 4 }, () => random.normal());
const first = Array.from({ length: 12 }, row);
const second = Array.from({ length: 6 }, row);

/** Warnings of a table with its test set. */
async function warnings(
  train: number[][],
  test: number[][] | undefined,
  groups?: string[],
): Promise<readonly string[]> {
  const write = async (name: string, content: Uint8Array | string) => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  const table = (name: string, rows: number[][], kind: '<f4' | '<f8') =>
    write(name, encodeNpy(kind, [rows.length, 4], (kind === '<f4' ? Float32Array : Float64Array).from(rows.flat())));
  const labels = (name: string, n: number) => write(name, Array.from({ length: n }, (_, i) => `${i % 2}`).join('\n'));
  const files = {
    features: await table('X.npy', train, '<f8'),
    labels: await labels('y.txt', train.length),
    ...(test
      ? { testFeatures: await table('T.npy', test, '<f8'), testLabels: await labels('t.txt', test.length) }
      : {}),
    ...(groups ? { groups: await write('g.txt', groups.join('\n')) } : {}),
  };
  const source = { ...sourceDefaults, holdout: 0 };
  return (await taskFromArrays(files, source)).warnings.filter((w) => w.includes('row'));
}

test('a table without any says nothing', async () => {
  expect(await warnings(first, second)).toEqual([]);
});

test('test rows that were trained on are counted, with an example', async () => {
  expect(await warnings(first, [...second, first[3] as number[]])).toEqual([
    '1 of 7 test rows equals a training row (T.npy#6 and X.npy#3): the test is too easy by them; leave them out of one side',
  ]);
  expect(await warnings(first, [first[0] as number[], ...second, first[3] as number[]])).toEqual([
    expect.stringMatching(/^2 of 8 test rows equal a training row \(T\.npy#0 and X\.npy#0, for example\)/),
  ]);
});

test('training rows that come again are counted, unless they are of one group', async () => {
  const train = [...first, first[0] as number[], first[1] as number[]];
  expect(await warnings(train, second)).toEqual([
    '2 of 14 rows of X.npy equal earlier ones: kept together where rows are divided',
  ]);
  const names = train.map((_, i) => `g${i % 12}`);
  expect(await warnings(train, second, names)).toEqual([]);
  expect(await warnings(train, second, [...names.slice(0, 13), 'another'])).toEqual([
    '1 of 14 rows of X.npy equals an earlier one of another group: kept together where rows are divided',
  ]);
});

test('rows are equal in every feature, wherever the memory cuts the table; both zeros are one', async () => {
  const of = (rows: number[][], memory: number) => {
    const [n, p] = [rows.length, (rows[0] as number[]).length];
    const data = Float32Array.from({ length: n * p }, (_, at) => rows[at % n]?.[Math.floor(at / n)] as number);
    return rowHashes(new FeatureMatrix([{ name: 'x', features: p, data }], n, { memory }));
  };
  const rows = [
    [1, 0, 2, 3],
    [1, -0, 2, 3],
    [1, 0, 2, 3.000001],
    [0, 1, 2, 3],
  ];
  const [a, b, c, d] = await of(rows, 2 ** 20);
  expect(a).toBe(b);
  expect(new Set([a, c, d]).size).toBe(3);
  expect(await of(rows, 16)).toEqual([a, b, c, d]);
});
