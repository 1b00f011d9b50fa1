/** A store of several poolings read as if it were of one: what is read is what a pass of its own leaves. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDataset } from '../../src/data/index.js';
import {
  eachPool,
  extract,
  type FeatureStore,
  loadBackbone,
  openStore,
  parsePool,
  poolName,
  readView,
  requestOf,
  viewOf,
} from '../../src/features/index.js';
import { float32, type Graph, GraphBuilder } from '../../src/graph/index.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder, tinyNetwork, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold views ');
const all = 'gap,target:72,max,target:300';

/** With two maps that say the same once they are pooled to one cell: the second has the rows of the first in another order. */
function twins(): Graph {
  const b = new GraphBuilder(tinyNetwork());
  const rows = b.ints([0, 2, 4, 6, 1, 3, 5, 7]);
  const twin = b.op('Gather', ['deep.relu', rows], { axis: 2 }, 'twin.rows');
  const weight = b.constant(
    float32(
      [4, 16, 1, 1],
      Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)),
    ),
  );
  b.output(b.op('Conv', [twin, weight], {}, 'twin.conv'), 'extra');
  return b.build();
}

async function storeOf(pool: string, taps = 'all'): Promise<FeatureStore> {
  const output = join(folder, pool.replaceAll(/[:,]/g, ' '));
  const backbone = await loadBackbone(join(folder, 'tiny.onnx'), await testEngine(), { overrides: { size: 16 } });
  const request = requestOf(await readDataset(join(folder, 'data')));
  await extract(backbone, request, await testEngine(), { output, taps, pool, batch: 4, quiet: true });
  return openStore(output);
}

let store: FeatureStore;
beforeAll(async () => {
  await writeTinyModel(folder, twins());
  await writeImages(join(folder, 'data'), ['a', 'b'], 7);
  store = await storeOf(all);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each(['gap', 'target:72', 'max', 'target:300', 'target:72,gap', 'max,target:300,target:72'])(
  'read by %s it is the store of a pass by that',
  async (pool) => {
    const own = await storeOf(pool);
    const view = viewOf(store.meta, pool);
    expect(view.pool).toBe(pool);
    const layout = ({ name, features, pieces, constant }: (typeof own.meta.taps)[number]) => ({
      name,
      features,
      pieces,
      constant,
    });
    expect(view.taps.map(layout)).toEqual(own.meta.taps.map(layout));
    for (const [i, tap] of view.taps.entries()) {
      for (const split of ['train', 'test']) {
        const expected = await own.read(split, own.meta.taps[i] as (typeof own.meta.taps)[number]);
        const values = await readView(store, split, tap, 0, tap.features);
        expect(values.length).toBe(expected.length);
        // The engine fuses other operators where there are others: in the last bits.
        const off = values.filter((v, j) => !(Math.abs(v - (expected[j] as number)) < 1e-5 * (1 + Math.abs(v))));
        expect(off).toHaveLength(0);
      }
    }
  },
);

test('any run of features, across pieces', async () => {
  const tap = viewOf(store.meta, 'target:300,gap').taps[0];
  if (!tap) throw new Error('no tap');
  const { n } = store.split('train');
  const whole = await readView(store, 'train', tap, 0, tap.features);
  expect(tap.runs.length).toBe(2);
  for (const [first, count] of [
    [0, 1],
    [(tap.runs[0]?.count as number) - 1, 3],
    [5, tap.features - 5],
  ] as const) {
    expect(await readView(store, 'train', tap, first, count)).toEqual(whole.slice(first * n, (first + count) * n));
  }
});

test('by default it is what it is', () => {
  const { pool, taps } = viewOf(store.meta);
  expect(pool).toBe(all);
  expect(taps.map((t) => t.features)).toEqual(store.meta.taps.map((t) => t.features));
});

test('maps that differ in their places only are one where places are pooled away', () => {
  const names = (pool: string) => viewOf(store.meta, pool).taps.map((t) => t.name);
  expect(names('target:300')).toContain('twin.rows');
  expect(names('gap')).not.toContain('twin.rows');
  expect(names('gap,target:300')).toContain('twin.rows');
});

describe('what a store does not hold', () => {
  test('is named, with the extraction that holds it', () => {
    expect(() => viewOf(store.meta, 'target:128')).toThrow(
      "the store is pooled by gap,target:72,max,target:300, which 'target:128' is no part of: extract again with --pool gap,target:72,max,target:300,target:128",
    );
    expect(() => viewOf(store.meta, 'mode')).toThrow("pooling 'mode' is not understood");
  });

  test('another target with the same cells is held all the same', () => {
    // Eight and sixteen channels: 4 cells and 1 of either.
    expect(viewOf(store.meta, 'target:300').taps[0]?.runs).toEqual(viewOf(store.meta, 'target:298').taps[0]?.runs);
  });
});

test('a store of before, without the list of repetitions, can be read by its parts', async () => {
  const { repeats, ...old } = store.meta;
  expect(repeats?.length).toBeGreaterThan(0);
  const path = join(store.directory, 'meta.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, JSON.stringify(old));
  const opened = await openStore(store.directory);
  expect(viewOf(opened.meta, 'target:300').taps.map((t) => t.features)).toEqual(
    viewOf(store.meta, 'target:300').taps.map((t) => t.features),
  );
  await writeFile(path, text);
});

test('read by each, every pooling of a tap is a tap: their values side by side are the tap’s', async () => {
  const { taps } = viewOf(store.meta);
  const pieces = viewOf(store.meta, eachPool).taps;
  for (const tap of taps) {
    const own = pieces.filter((piece) => piece.name === tap.name);
    expect(own.every((piece) => piece.pieces.length === 1 && piece.alias.startsWith(tap.alias))).toBe(true);
    expect(new Set(own.map((piece) => piece.alias)).size).toBe(own.length);
    const parts: number[] = [];
    for (const piece of own) parts.push(...(await readView(store, 'train', piece, 0, piece.features)));
    const whole = await readView(store, 'train', tap, 0, tap.features);
    expect(own.reduce((sum, { features }) => sum + features, 0)).toBeLessThanOrEqual(tap.features);
    // All but poolings that are constant throughout.
    if (parts.length === whole.length) expect(parts).toEqual([...whole]);
  }
});

test('pooling auto is what it stands for', () => {
  expect(parsePool('auto').map(poolName).join()).toBe('gap,std,target:512,target:2048,target:8192');
  expect(() => parsePool('auto,gap')).toThrow('is not understood');
});
