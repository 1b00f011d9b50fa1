import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { onRemark, sha256, UserError } from '../../src/base/index.js';

sharp.concurrency(2);
const { decodeImage, defaultMaxPixels, setMaxPixels } = await import('../../src/data/index.js');
const afterImport = sharp.concurrency();

interface Fixture {
  file: string;
  width: number;
  height: number;
  sha256: string;
}
const fixtures = (
  JSON.parse(readFileSync(new URL('../fixtures/data/images.json', import.meta.url), 'utf8')) as {
    images: Record<string, Fixture>;
  }
).images;

const folder = mkdtempSync(join(tmpdir(), 'toehold-decode-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('decoding', () => {
  for (const [name, { file, ...expected }] of Object.entries(fixtures)) {
    test(`${name} gives Pillow's pixels`, async () => {
      const { data, ...size } = await decodeImage(write(name, Buffer.from(file, 'base64')));
      expect({ ...size, sha256: sha256(data) }).toEqual(expected);
    });
  }

  test("changes sharp's settings, which are the whole program's; importing toehold does not", async () => {
    expect(afterImport).toBe(2);
    await decodeImage(write('any.jpg', Buffer.from((fixtures['420.jpg'] as Fixture).file, 'base64')));
    expect(sharp.concurrency()).toBe(1);
  });

  test('the ending does not matter, nor do spaces and letters of any script in the path', async () => {
    const fixture = fixtures['420.jpg'] as Fixture;
    const { data } = await decodeImage(write('фото 写真 ñ %20.png', Buffer.from(fixture.file, 'base64')));
    expect(sha256(data)).toBe(fixture.sha256);
  });

  test('a colour profile is ignored', async () => {
    const fixture = fixtures['rgb.png'] as Fixture;
    const { data, info } = await sharp(Buffer.from(fixture.file, 'base64')).raw().toBuffer({ resolveWithObject: true });
    const tagged = await sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } })
      .withIccProfile('p3')
      .png()
      .toBuffer();
    const stored = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    expect((await sharp(tagged).metadata()).icc).toBeDefined();
    expect(Buffer.from((await decodeImage(write('p3.png', tagged))).data).equals(stored)).toBe(true);
  });

  test('transparent pixels of a GIF are black', async () => {
    const gif = await sharp({ create: { width: 4, height: 4, channels: 4, background: '#ff000000' } })
      .gif()
      .toBuffer();
    expect(new Set((await decodeImage(write('clear.gif', gif))).data)).toEqual(new Set([0]));
  });
});

describe('samples that say more or less than 8 bits', () => {
  const remarks: string[] = [];
  onRemark((sentence) => remarks.push(sentence));
  const grey16 = (most: number) => {
    const samples = Uint16Array.from({ length: 64 }, (_, i) => (i * most) / 63);
    return sharp(samples, { raw: { width: 8, height: 8, channels: 1 } }).toColourspace('grey16');
  };

  test('of 16 bits the high byte is taken, and 12 bits in 16 are remarked, once', async () => {
    const { data } = await decodeImage(write('16.png', await grey16(65535).png().toBuffer()));
    expect([data[0], data.at(-1)]).toEqual([0, 255]);
    const [first, second] = [
      write('12.png', await grey16(4095).png().toBuffer()),
      write('12.tif', await grey16(4095).tiff().toBuffer()),
    ];
    expect((await decodeImage(first)).data.at(-1)).toBe(15);
    await decodeImage(second);
    expect(remarks).toEqual([expect.stringMatching(/16-bit samples of .*12\.png are below 4096.*scale them/)]);
  });

  test('a dark image of 8 bits is none of these', async () => {
    onRemark((sentence) => remarks.push(sentence));
    const dark = sharp({ create: { width: 8, height: 8, channels: 3, background: '#010203' } });
    await decodeImage(write('dark.png', await dark.clone().png().toBuffer()));
    await decodeImage(write('dark.tif', await dark.clone().tiff().toBuffer()));
    expect(remarks).toHaveLength(1);
  });
});

describe('YCbCr in TIFF', () => {
  /** A TIFF file (or, with 8 bytes for every place, a BigTIFF one) of 2 x 2 pixels of YCbCr, uncompressed. */
  function tiff(big: boolean, little: boolean, subsampling: readonly [number, number] | undefined): Buffer {
    const pixels = Buffer.from([200, 100, 150, 20, 128, 128, 90, 30, 220, 255, 128, 128]);
    const number = (value: number, bytes: number) => {
      const buffer = Buffer.alloc(bytes);
      if (little) buffer.writeUIntLE(value, 0, Math.min(bytes, 4));
      else buffer.writeUIntBE(value, Math.max(0, bytes - 4), Math.min(bytes, 4));
      return buffer;
    };
    const size = big ? 8 : 4;
    const head = big ? 16 : 8;
    const bits = Buffer.concat([8, 8, 8].map((v) => number(v, 2)));
    const at = head + pixels.length;
    const entry = (id: number, values: readonly Buffer[], type = 3) =>
      Buffer.concat([number(id, 2), number(type, 2), number(values.length, size), Buffer.concat(values, size)]);
    const short = (...values: number[]) => values.map((v) => number(v, 2));
    const entries = [
      entry(256, short(2)),
      entry(257, short(2)),
      // Three shorts lie in the entry of a BigTIFF file, elsewhere in the other.
      big ? entry(258, short(8, 8, 8)) : Buffer.concat([number(258, 2), number(3, 2), number(3, 4), number(at, 4)]),
      entry(259, short(1)),
      entry(262, short(6)),
      entry(273, [number(head, 4)], 4),
      entry(277, short(3)),
      entry(278, short(2)),
      entry(279, [number(pixels.length, 4)], 4),
      ...(subsampling ? [entry(530, short(...subsampling))] : []),
    ];
    const start = at + bits.length;
    return Buffer.concat([
      Buffer.from(little ? 'II' : 'MM'),
      number(big ? 43 : 42, 2),
      ...(big ? [number(8, 2), number(0, 2)] : []),
      number(start, size),
      pixels,
      bits,
      number(entries.length, big ? 8 : 2),
      ...entries,
      number(0, size),
    ]);
  }
  const layouts = [
    [false, true],
    [false, false],
    [true, true],
    [true, false],
  ] as const;

  test.each(layouts)('is converted (BigTIFF %s, little-endian %s)', async (big, little) => {
    const { data } = await decodeImage(write('ycbcr.tif', tiff(big, little, [1, 1])));
    // Pillow's, of the same samples.
    expect([...data]).toEqual([230, 193, 150, 20, 20, 20, 218, 58, 0, 255, 255, 255]);
  });

  test.each(layouts)('is refused where pixels share colours (BigTIFF %s, little-endian %s)', async (big, little) => {
    for (const shared of [[2, 2], [2, 1], undefined] as const) {
      await expect(decodeImage(write('shared.tif', tiff(big, little, shared)))).rejects.toThrow(
        /subsampled YCbCr .*save it as RGB/,
      );
    }
  });

  test('of JPEG data the decoder has made RGB', async () => {
    const flat = sharp({ create: { width: 32, height: 32, channels: 3, background: '#d04010' } });
    const file = await flat.tiff({ compression: 'jpeg', quality: 80 }).toBuffer();
    const { data } = await decodeImage(write('jpeg.tif', file));
    [0xd0, 0x40, 0x10].forEach((v, c) => expect(Math.abs((data[c] as number) - v)).toBeLessThan(6));
  });
});

describe('unreadable images', () => {
  for (const name of ['420.jpg', 'progressive.jpg', 'rgb.png', 'palette.png', 'rgb.gif', 'lossy.webp', 'lzw.tif']) {
    test(`${name}, cut short anywhere, is an error that names it`, async () => {
      const bytes = Buffer.from((fixtures[name] as Fixture).file, 'base64');
      for (const part of [0.05, 0.5, 0.9]) {
        const path = write(`cut ${name}`, bytes.subarray(0, Math.floor(bytes.length * part)));
        await expect(decodeImage(path)).rejects.toThrow(`cannot read the image ${path}: `);
      }
    });
  }

  test('absent, empty and other files say so', async () => {
    await expect(decodeImage(join(folder, 'none.png'))).rejects.toThrow('it is not there');
    await expect(decodeImage(write('empty.png', ''))).rejects.toThrow('the file is empty');
    await expect(decodeImage(write('text.png', 'no image'))).rejects.toThrow(
      'it is none of JPEG, PNG, WebP, TIFF and GIF',
    );
    await expect(decodeImage(folder)).rejects.toThrow(UserError);
  });

  test('other formats are refused by content, whatever they are called', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>';
    const avif = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .avif()
      .toBuffer();
    for (const [name, bytes] of [
      ['x.png', svg],
      ['y.jpg', `<?xml version="1.0"?>${svg}`],
      ['z.webp', avif],
    ] as const) {
      await expect(decodeImage(write(name, bytes))).rejects.toThrow('it is none of JPEG, PNG, WebP, TIFF and GIF');
    }
  });

  test('an image of more pixels than the budget is refused before it is decoded', async () => {
    const image = await sharp({ create: { width: 100, height: 50, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const path = write('large.png', image);
    setMaxPixels(4_999);
    try {
      await expect(decodeImage(path)).rejects.toThrow('it has more than 4999 pixels; --max-pixels raises the limit');
      setMaxPixels(5_000);
      expect(await decodeImage(path)).toMatchObject({ width: 100, height: 50 });
    } finally {
      setMaxPixels(defaultMaxPixels);
    }
  });

  test.skipIf(process.platform === 'win32')('a pipe is not waited for, a device is no file', async () => {
    spawnSync('mkfifo', [join(folder, 'pipe.png')]);
    for (const path of [join(folder, 'pipe.png'), '/dev/zero', folder]) {
      await expect(decodeImage(path)).rejects.toThrow('it is no file: a folder, a device or a pipe');
    }
  });

  test('stray bytes that lose no pixel are no error, as in Pillow', async () => {
    const bytes = Buffer.from((fixtures['420.jpg'] as Fixture).file, 'base64');
    const stray = Buffer.concat([bytes.subarray(0, -2), Buffer.from([1, 2, 3]), bytes.subarray(-2)]);
    expect(sha256((await decodeImage(write('stray.jpg', stray))).data)).toBe(fixtures['420.jpg']?.sha256);
  });
});
