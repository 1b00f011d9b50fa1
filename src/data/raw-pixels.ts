/**
 * Pixels without a file format (IDX, CIFAR, NumPy) as the smallest file that holds them: uncompressed TIFF (TIFF 6.0, sections
 * 3 to 6). Whatever reads images reads these: decoder, fingerprints, thumbnails.
 */

/** Levels of an image without any format, row-major and interleaved. */
export interface RawPixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
  /** height * width * channels. */
  readonly data: Uint8Array;
}

const [short, long] = [3, 4];
const tagLength = 12;

/** A TIFF file of one strip; the fourth channel is alpha. */
export function tiffOf({ width, height, channels, data }: RawPixels): Uint8Array {
  const tags = (
    bitsAt: number,
    pixelsAt: number,
  ): (readonly [tag: number, type: number, count: number, value: number])[] => [
    [256, long, 1, width],
    [257, long, 1, height],
    [258, short, channels, channels === 1 ? 8 : bitsAt],
    [259, short, 1, 1],
    [262, short, 1, channels === 1 ? 1 : 2],
    [273, long, 1, pixelsAt],
    [277, short, 1, channels],
    [278, long, 1, height],
    [279, long, 1, data.length],
    ...(channels === 4 ? [[338, short, 1, 2] as const] : []),
  ];
  const bitsAt = 8 + 2 + tags(0, 0).length * tagLength + 4;
  const pixelsAt = bitsAt + (channels === 1 ? 0 : 2 * channels);
  const entries = tags(bitsAt, pixelsAt);
  const file = Buffer.alloc(pixelsAt + data.length);
  file.write('II*\0', 0, 'latin1');
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(entries.length, 8);
  entries.forEach(([tag, type, count, value], i) => {
    const at = 10 + i * tagLength;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    if (type === short && count === 1) file.writeUInt16LE(value, at + 8);
    else file.writeUInt32LE(value, at + 8);
  });
  for (let c = 0; bitsAt + 2 * c < pixelsAt; c++) file.writeUInt16LE(8, bitsAt + 2 * c);
  file.set(data, pixelsAt);
  return file;
}

/** Planes one after the other (c, h, w) -> interleaved (h, w, c). */
export function interleave(planes: Uint8Array, channels: number): Uint8Array {
  const area = planes.length / channels;
  const pixels = new Uint8Array(planes.length);
  for (let c = 0, from = 0; c < channels; c++) {
    for (let i = 0, to = c; i < area; i++, to += channels) pixels[to] = planes[from++] as number;
  }
  return pixels;
}
