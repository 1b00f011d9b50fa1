import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, chmod, cp, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { readDataset } from '../../src/data/index.js';
import { createOnnxRuntime } from '../../src/engine/index.js';
import { readWholeChunk, writeChunk } from '../../src/features/chunks.js';
import {
  extract,
  loadBackbone,
  openStore,
  readNpyData,
  readNpyHeader,
  requestOf,
  tapsOf,
  verifyStore,
  viewOf,
} from '../../src/features/index.js';
import { float32, writeModel } from '../../src/graph/index.js';
import { commandLine } from '../support/cli.js';
import { temporaryFolder, tinyNetwork, writeImages, writeTinyModel } from '../support/tiny.js';
import { storeBytes } from './support/store-bytes.js';

const engine = await createOnnxRuntime();
const folder = temporaryFolder('toehold extract å 模型 ');
const cli = (args: string[]) => [...commandLine, ...args];
const run = promisify(execFile);
let model = '';
let data = '';

beforeAll(async () => {
  model = await writeTinyModel(folder);
  data = await writeImages(join(folder, 'bilder och 画像'), ['rot', 'grün', '青'], 12);
});

async function extractTo(output: string, options: Partial<Parameters<typeof extract>[3]> = {}, images = data) {
  const backbone = await loadBackbone(model, engine, { overrides: { size: 16 } });
  return extract(backbone, requestOf(await readDataset(images)), engine, {
    output: join(folder, output),
    batch: 4,
    quiet: true,
    ...options,
  });
}

const bytesOf = (output: string) => storeBytes(join(folder, output));

describe('a store', () => {
  test('holds one Fortran-order (n, p) file per split and tap, and says what it is', async () => {
    const { meta } = await extractTo('first');
    expect(meta.splits.train).toMatchObject({ n: 36 });
    expect(meta.splits.train?.labels?.filter((l) => l === 0)).toHaveLength(12);
    expect(meta.taps.map((t) => [t.alias, t.features])).toEqual([
      ['s1.b1.act1', 8],
      ['s1.b1.act2', 8],
      ['s1.b1.sum', 8],
      ['features', 16],
      ['logits', 4],
    ]);
    for (const tap of meta.taps) {
      const header = readNpyHeader(join(folder, 'first', tap.file.train as string));
      expect(header).toMatchObject({ dtype: '<f4', shape: [36, tap.features], fortranOrder: true });
    }
    expect([...(readNpyData(join(folder, 'first/train/labels.npy')) as Int32Array)]).toEqual(meta.splits.train?.labels);
  });
  test('drops the map whose pooled mean is the feature vector, and says so', async () => {
    const { meta } = await extractTo('first');
    expect(meta.dropped).toEqual([expect.objectContaining({ alias: 's2.b1.act1', reason: "identical to 'features'" })]);
  });
  test('holds what the network computes', async () => {
    await extractTo('first');
    const store = await openStore(join(folder, 'first'));
    const backbone = await loadBackbone(model, engine, { overrides: { size: 16 } });
    const tap = store.meta.taps.find((t) => t.alias === 'logits');
    if (!tap) throw new Error('no logits');
    const values = await store.read('test', tap);
    // The same image alone through the untouched model, pixels normalised by hand.
    const sharp = (await import('sharp')).default;
    const file = store.split('test').files[5] as string;
    const raw = await sharp(join(data, file)).removeAlpha().raw().toBuffer();
    const { mean, std } = backbone.preprocess;
    const x = new Float32Array(3 * 256);
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < 256; i++)
        x[c * 256 + i] = ((raw[i * 3 + c] as number) / 255 - (mean[c] as number)) / (std[c] as number);
    }
    const program = await engine.compile(tinyNetwork());
    const { logits } = await program.run({ input: float32([1, 3, 16, 16], x) });
    await program.dispose();
    (logits?.data as Float32Array).forEach((v, j) => expect(values[j * 36 + 5]).toBeCloseTo(v, 4));
  });
  test('the residual sum, computed from pooled values, is the pooled sum', async () => {
    await extractTo('first');
    const store = await openStore(join(folder, 'first'));
    const backbone = await loadBackbone(model, engine, { overrides: { size: 16 } });
    const { taps } = await tapsOf(backbone, engine);
    const only = await extractTo('sum only', { taps: taps.find((t) => t.alias === 's1.b1.sum')?.name as string });
    const [a, b] = [store.meta.taps[2], only.meta.taps[0]];
    if (!a || !b) throw new Error('no sum');
    const direct = await (await openStore(join(folder, 'sum only'))).read('train', b);
    (await store.read('train', a)).forEach((v, i) => expect(v).toBeCloseTo(direct[i] as number, 4));
  });
});

describe('files of a store', () => {
  /** Changes one byte of the values and keeps size and time. */
  async function damage(path: string) {
    const { atime, mtime } = await stat(path);
    const bytes = await readFile(path);
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1;
    await writeFile(path, bytes);
    return () => utimes(path, atime, mtime);
  }

  test('that were damaged are not read, and computed again', async () => {
    await extractTo('damaged');
    const before = await bytesOf('damaged');
    const path = join(folder, 'damaged/test/features.npy');
    await damage(path);
    const store = await openStore(join(folder, 'damaged'));
    const tap = store.meta.taps.find((t) => t.alias === 'features');
    if (!tap) throw new Error('no features');
    await expect(store.read('test', tap)).rejects.toThrow(/features.npy is damaged .*run the same extract again/);
    const all = store.meta.taps.map((t) => t.alias);
    expect((await extractTo('damaged')).computed).toEqual(all);
    await rm(join(folder, 'damaged/train/s1.b1.sum.npy'));
    expect((await extractTo('damaged')).computed).toEqual(all);
    expect(await bytesOf('damaged')).toEqual(before);
  });

  test('that a disk changed in silence are found by verify', async () => {
    await extractTo('silent');
    const store = await openStore(join(folder, 'silent'));
    expect(verifyStore(store)).toEqual({ files: 2 * store.meta.taps.length, faults: [] });
    const path = join(folder, 'silent/train/logits.npy');
    await (await damage(path))();
    expect(verifyStore(store).faults).toEqual([{ file: 'train/logits.npy', fault: 'damaged' }]);
    // And from then on by every reader.
    expect((await extractTo('silent')).computed).toContain('logits');
  });
});

describe('a description that its files do not bear out is refused at once', () => {
  type Changed = Record<string, unknown> & { taps: Record<string, unknown>[]; splits: Record<string, { n: number }> };
  test.each<[string, RegExp, (meta: Changed) => void]>([
    [
      'features that no file holds',
      /is cut off, or meta.json is damaged/,
      ({ taps }) => Object.assign(taps[0] ?? {}, { features: 2 ** 32 }),
    ],
    [
      'more examples than names',
      /splits.train: its lists differ in length/,
      ({ splits }) => Object.assign(splits.train ?? {}, { n: 2 ** 32 }),
    ],
    [
      'a shape that pools to more',
      /pooled features, not 8/,
      ({ taps }) => Object.assign(taps[0] ?? {}, { shape: [2 ** 32, 16, 16] }),
    ],
    [
      'rows without number',
      /to \d+ cells along an axis/,
      (meta) =>
        Object.assign(
          meta,
          { pool: 'target:1e30' },
          {
            taps: meta.taps.map((t) => ({
              ...t,
              shape: [1, 2 ** 40, 2 ** 40],
              layout: { kind: 'map', axes: 'NCHW', prefix: 0, suffix: 0, grid: [2 ** 40, 2 ** 40] },
            })),
          },
        ),
    ],
  ])('%s', async (_, sentence, change) => {
    await extractTo('described');
    const path = join(folder, 'described/meta.json');
    const text = await readFile(path, 'utf8');
    const meta = JSON.parse(text);
    change(meta);
    await writeFile(path, JSON.stringify(meta));
    const read = async () => viewOf((await openStore(join(folder, 'described'))).meta);
    await expect(read()).rejects.toThrow(sentence);
    await writeFile(path, text);
  });
});

describe('the same request', () => {
  test('leaves the same bytes whatever the number of threads', async () => {
    const backbone = await loadBackbone(model, engine, { overrides: { size: 16 } });
    const stores = [];
    for (const threads of [1, 2, 5]) {
      const output = join(folder, `threads-${threads}`);
      await extract(backbone, requestOf(await readDataset(data)), await createOnnxRuntime({ threads }), {
        output,
        batch: 4,
        quiet: true,
      });
      stores.push(await bytesOf(`threads-${threads}`));
    }
    expect(Object.keys(stores[0] ?? {}).length).toBeGreaterThan(5);
    expect(stores[1]).toEqual(stores[0]);
    expect(stores[2]).toEqual(stores[0]);
  });
  test('again is a cache hit that reads no image', async () => {
    const copy = join(folder, 'vanishing');
    await cp(data, copy, { recursive: true, preserveTimestamps: true });
    await extractTo('cached', {}, copy);
    const path = join(copy, 'train/rot/000.png');
    const { size, atime, mtime } = await stat(path);
    await truncate(path, size - 1).then(() => appendFile(path, 'x'));
    await (await import('node:fs/promises')).utimes(path, atime, mtime);
    // The damaged image is not noticed because nothing is read.
    expect((await extractTo('cached', {}, copy)).computed).toEqual([]);
  });
  test('with more taps computes only those', async () => {
    await extractTo('growing', { taps: 'features' });
    const more = await extractTo('growing', { taps: 'features,s1.b1.*' });
    expect(more.computed).not.toContain('features');
    expect(more.meta.taps.map((t) => t.alias)).toContain('s1.b1.sum');
    const all = await extractTo('growing');
    expect(all.meta.taps.filter((t) => t.alias.startsWith('s') || t.alias === 'logits').length).toBeGreaterThan(3);
  });
  test('with another pooling is refused: the folder holds other features', async () => {
    await extractTo('first');
    await expect(extractTo('first', { pool: 'max' })).rejects.toThrow(
      /holds features of another request \(pooling differs\)/,
    );
  });
});

describe('interruptions', () => {
  test('kill -9 at any moment: the next call goes on and ends with the same bytes', { timeout: 120_000 }, async () => {
    const many = await writeImages(join(folder, 'many'), ['a', 'b'], 300);
    await extractTo('undisturbed', {}, many);
    const args = cli(['extract', model, many, '-o', join(folder, 'killed'), '--batch', '4', '--size', '16', '--quiet']);
    // As long as this machine takes: a call that ends before its time is begun anew, with less.
    let wait = 1500;
    let kills = 0;
    for (let attempt = 0; kills < 4 && attempt < 12; attempt++) {
      const child = spawn(process.execPath, args, { stdio: 'ignore' });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      await Promise.race([ended, sleep(wait)]);
      const killed = child.exitCode === null && child.kill('SIGKILL');
      await ended;
      if (killed) kills++;
      else await rm(join(folder, 'killed'), { recursive: true, force: true });
      wait *= killed ? 1.1 : 0.7;
    }
    await run(process.execPath, args);
    expect(kills).toBeGreaterThan(0);
    expect(await bytesOf('killed')).toEqual(await bytesOf('undisturbed'));
    expect(existsSync(join(folder, 'killed/.chunks'))).toBe(false);
  });
  test('two processes on one store do each other no harm', { timeout: 120_000 }, async () => {
    const args = cli(['extract', model, data, '-o', join(folder, 'shared'), '--batch', '4', '--size', '16', '--quiet']);
    await Promise.all([run(process.execPath, args), run(process.execPath, args)]);
    await extractTo('alone');
    expect(await bytesOf('shared')).toEqual(await bytesOf('alone'));
  });
  test('a chunk of an unfinished pass is used, not computed again', async () => {
    const output = join(folder, 'resumed');
    await extractTo('resumed', { taps: 'features' });
    await rm(join(output, 'meta.json'));
    expect((await extractTo('resumed', { taps: 'features' })).computed).toEqual(['features']);
  });
});

test('a chunk is whole, or none: cut off, longer, or with another bit it is computed again', async () => {
  const target = { root: folder, file: 'a.chunk' };
  const path = join(folder, target.file);
  const header = { start: 8, rows: 4, bad: [{ index: 9, message: 'no image' }] };
  await writeChunk(
    target,
    header,
    Float32Array.from({ length: 12 }, (_, i) => i),
  );
  expect(await readWholeChunk(path, 12)).toMatchObject(header);
  expect(await readWholeChunk(path, 16)).toBeUndefined();
  const bytes = await readFile(path);
  const changed = Buffer.from(bytes);
  changed[bytes.length - 5] = (changed[bytes.length - 5] as number) ^ 1;
  for (const damaged of [changed, bytes.subarray(0, -4), bytes.subarray(0, 3), Buffer.concat([bytes, bytes])]) {
    await writeFile(path, damaged);
    expect(await readWholeChunk(path, 12)).toBeUndefined();
  }
});

describe('bad input', () => {
  test('an unreadable image among many stops with its name; --skip-bad lists it and goes on', async () => {
    const copy = join(folder, 'one bad');
    await cp(data, copy, { recursive: true });
    await writeFile(join(copy, 'train/rot/007.png'), 'not an image');
    await expect(extractTo('bad', {}, copy)).rejects.toThrow(/cannot read the image .*007\.png/);
    const { meta } = await extractTo('bad', { skipBad: true }, copy);
    expect(meta.splits.train?.n).toBe(35);
    expect(meta.skipped).toEqual([
      expect.objectContaining({ split: 'train', file: expect.stringMatching(/007\.png$/) }),
    ]);
    const whole = await extractTo('first');
    const store = await openStore(join(folder, 'bad'));
    const tap = store.meta.taps.find((t) => t.alias === 'features');
    const wholeTap = whole.meta.taps.find((t) => t.alias === 'features');
    if (!tap || !wholeTap) throw new Error('no features');
    const kept = await store.read('train', tap, 0, 1);
    const before = await (await openStore(join(folder, 'first'))).read('train', wholeTap, 0, 1);
    const gone = whole.meta.splits.train?.files.findIndex((f) => f.endsWith('rot/007.png')) as number;
    expect([...kept]).toEqual([...before.slice(0, gone), ...before.slice(gone + 1)]);
  });
  test('NaN activations name the tap and the image', async () => {
    const graph = tinyNetwork();
    const constants = new Map(graph.constants);
    const [name, tensor] = [...constants].at(-1) as [string, ReturnType<typeof float32>];
    constants.set(
      name,
      float32(
        tensor.dims,
        Float32Array.from({ length: 4 }, () => Number.NaN),
      ),
    );
    const path = join(folder, 'nan.onnx');
    await writeFile(path, writeModel({ ...graph, constants }));
    const backbone = await loadBackbone(path, engine, { overrides: { size: 16 } });
    const work = extract(backbone, requestOf(await readDataset(data)), engine, {
      output: join(folder, 'nan'),
      quiet: true,
      batch: 4,
    });
    await expect(work).rejects.toThrow(/tap 'logits' .* NaN or infinite activations for .*\.png/);
  });
  test('a model that does not take the size says what it declares', async () => {
    const graph = tinyNetwork();
    const fixed = { ...graph, inputs: [{ name: 'input', type: 'float32' as const, shape: [1, 4, 16, 16] }] };
    const path = join(folder, 'four channels.onnx');
    await writeFile(path, writeModel(fixed));
    await expect(loadBackbone(path, engine)).rejects.toThrow(/4 channels; toehold reads RGB images/);
  });
  test('a store whose file was changed is noticed when read', async () => {
    await extractTo('tampered');
    const store = await openStore(join(folder, 'tampered'));
    const tap = store.meta.taps[0];
    if (!tap) throw new Error('no tap');
    await truncate(store.path('train', tap), 200);
    await expect(store.read('train', tap)).rejects.toThrow(/cut off/);
    await rename(join(folder, 'tampered/meta.json'), join(folder, 'tampered/gone.json'));
    await expect(openStore(join(folder, 'tampered'))).rejects.toThrow(/holds no features: run toehold extract/);
  });
  test.skipIf(process.getuid?.() === 0)('a read-only folder is one sentence', async () => {
    const locked = temporaryFolder();
    await chmod(locked, 0o555);
    const backbone = await loadBackbone(model, engine, { overrides: { size: 16 } });
    const work = extract(backbone, requestOf(await readDataset(data)), engine, {
      output: join(locked, 'store'),
      quiet: true,
    });
    await expect(work).rejects.toThrow(/read-only/);
  });
});

test('meta.json says nothing of when or how often it was written', async () => {
  const text = await readFile(join(folder, 'first/meta.json'), 'utf8');
  expect(text).not.toMatch(/seconds|date|time"/);
});
