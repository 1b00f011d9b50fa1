import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import { batches, createLoader, type Loader, type LoadingOptions, parsePreprocess } from '../../src/data/index.js';

const folder = mkdtempSync(join(tmpdir(), 'toehold loader '));
let loader: Loader;
/** Ten images of different sizes; image i is all of grey level 20 i. */
const files = Array.from({ length: 10 }, (_, i) => join(folder, `${i}.png`));
const broken = join(folder, 'broken.png');

beforeAll(async () => {
  for (const [i, file] of files.entries()) {
    const v = 20 * i;
    const create = { width: 8 + i, height: 20 - i, channels: 3 as const, background: { r: v, g: v, b: v } };
    await sharp({ create }).png().toFile(file);
  }
  writeFileSync(broken, 'no image');
  loader = createLoader(parsePreprocess({ size: [4, 6] }, 'test'));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
});

/** The batches as plain data: of every image its set of values. */
async function collect(paths: readonly string[], size: number, options?: LoadingOptions) {
  const result = [];
  for await (const { start, count, pixels, bad } of batches(paths, size, loader, options)) {
    const images = Array.from({ length: size }, (_, i) => [
      ...new Set(pixels.subarray(i * loader.bytes, (i + 1) * loader.bytes)),
    ]);
    result.push({ start, count, images, bad: bad.map((b) => b.index) });
  }
  return result;
}

describe('loading', () => {
  test('writes one image into a slice of a batch', async () => {
    expect([loader.size, loader.bytes]).toEqual([[4, 6], 72]);
    const batch = new Uint8Array(3 * 72);
    await loader.load(files[3] as string, batch.subarray(72, 144));
    expect([0, 71, 72, 143, 144].map((i) => batch[i])).toEqual([0, 0, 60, 60, 0]);
    const small = loader.load(files[3] as string, new Uint8Array(10));
    await expect(small).rejects.toThrow('takes 72 bytes, not 10');
    await expect(small).rejects.toThrow(RangeError);
  });

  test('an image of the right size is copied as it is', async () => {
    const noise = Uint8Array.from({ length: 72 }, (_, i) => (i * 37) % 256);
    const file = join(folder, 'exact.png');
    await sharp(noise, { raw: { width: 6, height: 4, channels: 3 } })
      .png()
      .toFile(file);
    const pixels = new Uint8Array(72);
    await loader.load(file, pixels);
    expect(pixels).toEqual(noise);
  });
});

describe('batches', () => {
  test('come in order, the last one padded with zeros', async () => {
    expect(await collect(files, 4)).toEqual([
      { start: 0, count: 4, images: [[0], [20], [40], [60]], bad: [] },
      { start: 4, count: 4, images: [[80], [100], [120], [140]], bad: [] },
      { start: 8, count: 2, images: [[160], [180], [0], [0]], bad: [] },
    ]);
    expect(await collect([], 4)).toEqual([]);
  });

  test('are the same whatever is decoded ahead and however little memory it may take', async () => {
    const expected = await collect(files, 3);
    for (const options of [{ ahead: 0 }, { ahead: 1 }, { ahead: 100 }, { memory: 1 }]) {
      expect(await collect(files, 3, options)).toEqual(expected);
    }
  });

  test('an unreadable image is an error that names it, or is listed and left zero', async () => {
    const paths = [files[5] as string, broken, files[6] as string, files[7] as string, join(folder, 'none.jpg')];
    await expect(collect(paths, 2)).rejects.toThrow(UserError);
    await expect(collect(paths, 2)).rejects.toThrow(`cannot read the image ${broken}: `);
    expect(await collect(paths, 2, { skipBad: true })).toEqual([
      { start: 0, count: 2, images: [[100], [0]], bad: [1] },
      { start: 2, count: 2, images: [[120], [140]], bad: [] },
      { start: 4, count: 1, images: [[0], [0]], bad: [4] },
    ]);
  });

  test('a consumer may stop early', async () => {
    for await (const batch of batches(files, 2, loader)) {
      expect(batch.start).toBe(0);
      break;
    }
  });

  test('a batch size below one is an error', async () => {
    await expect(collect(files, 0)).rejects.toThrow('batch size 0 must be at least 1');
  });
});
