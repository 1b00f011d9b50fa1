/** Stores of 16-bit floats. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { expect, test } from 'vitest';
import { decodeFloat16, encodeFloat16, UserError, WorkError } from '../../src/base/index.js';
import { readDataset } from '../../src/data/index.js';
import { createOnnxRuntime } from '../../src/engine/index.js';
import {
  type ExtractOptions,
  extract,
  extractShare,
  type FeatureStore,
  loadBackbone,
  openStore,
  readNpyData,
  readNpyHeader,
  requestOf,
  tableFormats,
  tableOf,
} from '../../src/features/index.js';
import { type Graph, type Tensor, writeModel } from '../../src/graph/index.js';
import { commandLine } from '../support/cli.js';
import { temporaryFolder, tinyNetwork, writeImages, writeTinyModel } from '../support/tiny.js';
import { storeBytes } from './support/store-bytes.js';

const engine = await createOnnxRuntime();
const folder = temporaryFolder('toehold halves ');
const model = await writeTinyModel(folder);
const images = await writeImages(join(folder, 'images'), ['a', 'b'], 70);

async function work(output: string, options: Partial<ExtractOptions> = {}, network = model) {
  return [
    await loadBackbone(network, engine, { overrides: { size: 16 } }),
    requestOf(await readDataset(images)),
    engine,
    { output: join(folder, output), batch: 4, quiet: true, precision: 'float16', pool: 'gap,max', ...options },
  ] as const;
}
const extractTo = async (...args: Parameters<typeof work>) => extract(...(await work(...args)));
const bytesOf = (output: string) => storeBytes(join(folder, output));
const opened = (output: string) => openStore(join(folder, output));

async function everyValue(store: FeatureStore): Promise<number[][]> {
  return Promise.all(
    store.meta.taps.flatMap((tap) =>
      Object.keys(store.meta.splits).map(async (split) => [...(await store.read(split, tap))]),
    ),
  );
}

test('hold the features rounded once, in half of the bytes, and are read as float32', async () => {
  await extractTo('single', { precision: 'float32' });
  const { meta } = await extractTo('half');
  expect(meta.precision).toBe('float16');
  const [single, half] = [await opened('single'), await opened('half')];
  expect(single.meta.precision).toBeUndefined();
  expect(single.meta.key).not.toBe(half.meta.key);
  const rounded = (values: number[]) => {
    const bits = encodeFloat16(Float32Array.from(values));
    return [...decodeFloat16(bits, new Float32Array(bits.length))];
  };
  const values = await everyValue(half);
  expect(values).toEqual((await everyValue(single)).map(rounded));
  expect(values).not.toEqual(await everyValue(single));
  const [tap] = half.meta.taps;
  const path = half.path('train', tap as NonNullable<typeof tap>);
  const header = readNpyHeader(path);
  expect(header).toMatchObject({ dtype: '<f2', fortranOrder: true, shape: [140, tap?.features] });
  expect((await stat(path)).size).toBe(header.offset + 2 * 140 * (tap?.features ?? 0));
  // A part of a tap is that part of the whole.
  const whole = await half.read('train', tap as NonNullable<typeof tap>);
  expect([...(await half.read('train', tap as NonNullable<typeof tap>, 2, 3))]).toEqual([
    ...whole.subarray(2 * 140, 5 * 140),
  ]);
});

test('a pass that was stopped goes on to the same bytes, and so do shares', { timeout: 120_000 }, async () => {
  const stop = new AbortController();
  const onImages = (done: number) => done >= 200 && stop.abort(new Error('stopped'));
  await expect(extractTo('stopped', { onImages, signal: stop.signal })).rejects.toThrow('stopped');
  const [key = ''] = await readdir(join(folder, 'stopped/.chunks'));
  expect(await readdir(join(folder, 'stopped/.chunks', key))).not.toEqual([]);
  await extractTo('stopped');
  for (const index of [1, 0]) await extractShare(...(await work('parts')), { index, count: 2 });
  await extractTo('parts');
  expect(await bytesOf('stopped')).toEqual(await bytesOf('half'));
  expect(await bytesOf('parts')).toEqual(await bytesOf('half'));
});

test('are one precision: another is refused in the store, and among its shares', async () => {
  await expect(extractTo('half', { precision: 'float32' })).rejects.toThrow(/another request \(precision differs\)/);
  await extractShare(...(await work('mixed', { precision: 'float32' })), { index: 0, count: 2 });
  const second = extractShare(...(await work('mixed')), { index: 1, count: 2 });
  await expect(second).rejects.toThrow(UserError);
  await expect(extractTo('mixed')).rejects.toThrow(
    /\.chunks.* holds features of the same images in float32, .* and float16 is asked for: say --store float32, or remove that folder$/,
  );
  await extractTo('mixed', { precision: 'float32' });
  expect(await bytesOf('mixed')).toEqual(await bytesOf('single'));
});

/** The tiny network with convolutions of so many times the weights. */
function louder(factor: number): Graph {
  const graph = tinyNetwork();
  const learned = new Set(graph.nodes.filter((n) => n.op === 'Conv').flatMap((n) => n.inputs.slice(1)));
  const times = ([name, tensor]: [string, Tensor]): [string, Tensor] =>
    learned.has(name)
      ? [name, { ...tensor, data: (tensor.data as Float32Array).map((v) => v * factor) } as Tensor]
      : [name, tensor];
  return { ...graph, constants: new Map([...graph.constants].map(times)) };
}

test('a value beyond 65504 is one sentence, and the same call in float32 works', async () => {
  const loud = join(folder, 'loud.onnx');
  await writeFile(loud, writeModel(louder(1e3)));
  const failed = await extractTo('loud', {}, loud).catch((error) => error);
  expect(failed).toBeInstanceOf(WorkError);
  expect(failed.message).toMatch(
    /^tap '\S+' \(\S+\) has the value \d[\d.]* for .*\.png, and float16 ends at 65504: extract with --store float32, or leave the tap out$/,
  );
  expect(existsSync(join(folder, 'loud/meta.json'))).toBe(false);
  expect((await extractTo('loud', { precision: 'float32' }, loud)).meta.taps.length).toBeGreaterThan(0);
});

test('are refused where a file is of another type than meta.json says', async () => {
  const path = join(folder, 'parts/meta.json');
  const meta = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...meta, precision: 'float32' }));
  // Files of half the size are cut off.
  await expect(opened('parts')).rejects.toThrow('is cut off, or meta.json is damaged');
});

test('are exported as float32, value by value', async () => {
  const store = await opened('half');
  for (const format of ['npy', 'parquet'])
    await tableFormats[format]?.write(tableOf(store), join(folder, `half.${format}`));
  const path = join(folder, 'half.npy');
  const header = readNpyHeader(path);
  const { columns, rows } = tableOf(store);
  expect(header).toMatchObject({ dtype: '<f4', shape: [280, columns.length] });
  const written = readNpyData(path, header) as Float32Array;
  const objects = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, 'half.parquet')) });
  expect([objects.length, rows.length]).toEqual([280, 280]);
  let column = 0;
  for (const tap of store.meta.taps) {
    const parts = await Promise.all(['train', 'test'].map((split) => store.read(split, tap)));
    for (let j = 0; j < tap.features; j++, column++) {
      const own = parts.flatMap((part) => [...part.subarray(j * 140, (j + 1) * 140)]);
      expect([...written.subarray(column * 280, (column + 1) * 280)]).toEqual(own);
      expect(objects.map((row) => row[columns[column]?.name as string])).toEqual(own);
    }
  }
  expect(column).toBe(columns.length);
});

test('kill -9 during a pass: the next call goes on and ends with the same bytes', { timeout: 120_000 }, async () => {
  const many = await writeImages(join(folder, 'many'), ['a', 'b'], 300);
  const args = (output: string) => [
    ...commandLine,
    ...[
      'extract',
      model,
      many,
      '-o',
      join(folder, output),
      '--batch',
      '4',
      '--size',
      '16',
      '--store',
      'float16',
      '--quiet',
    ],
  ];
  const chunks = async () =>
    (await readdir(join(folder, 'killed'), { recursive: true }).catch(() => [])).filter((f) => f.endsWith('.chunk'));
  let isWhole = true;
  // A machine that is too fast for us is given another chance.
  for (let attempt = 0; isWhole && attempt < 5; attempt++) {
    await rm(join(folder, 'killed'), { recursive: true, force: true });
    const child = spawn(process.execPath, args('killed'), { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    while (child.exitCode === null && (await chunks()).length === 0) await sleep(1);
    child.kill('SIGKILL');
    await ended;
    isWhole = existsSync(join(folder, 'killed/meta.json'));
  }
  expect(isWhole).toBe(false);
  expect((await chunks()).length).toBeGreaterThan(0);
  for (const output of ['killed', 'undisturbed']) await promisify(execFile)(process.execPath, args(output));
  expect((await opened('killed')).meta.precision).toBe('float16');
  expect(await bytesOf('killed')).toEqual(await bytesOf('undisturbed'));
});
