/** How a TIFF file stores its samples, as far as its decoder does not say: the short entries of its first directory (TIFF 6.0). */

/** Tags by number. */
const tag = { bits: 258, compression: 259, photometric: 262, subsampling: 530 } as const;
const jpeg = [6, 7];
const ycbcr = 6;

export interface TiffSamples {
  /** Of the first sample of a pixel. */
  readonly bits: number;
  /** Brightness and two colour differences that the decoder hands on as they are: it converts them in JPEG data only. */
  readonly rawYcbcr: boolean;
  /** Several pixels share their colour differences. */
  readonly subsampled: boolean;
}

/** undefined for what is no TIFF file, or not a whole one */
export function tiffSamples(bytes: Buffer): TiffSamples | undefined {
  const order = bytes.toString('latin1', 0, 2);
  if ((order !== 'II' && order !== 'MM') || bytes.length < 16) return undefined;
  const short = (at: number) => (order === 'II' ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const long = (at: number) => (order === 'II' ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const version = short(2);
  if (version !== 42 && version !== 43) return undefined;
  // BigTIFF has 8 bytes for every count and place; what is beyond 2^53 is beyond the file.
  const size = version === 42 ? 4 : 8;
  const wide = (at: number) => {
    if (size === 4) return long(at);
    return order === 'II' ? long(at) + 2 ** 32 * long(at + 4) : 2 ** 32 * long(at) + long(at + 4);
  };
  const start = wide(size);
  const counted = size === 4 ? 2 : 8;
  if (start + counted > bytes.length) return undefined;
  const entries = new Map<number, readonly number[]>();
  const length = 4 + 2 * size;
  let left = size === 4 ? short(start) : wide(start);
  for (let at = start + counted; left > 0 && at + length <= bytes.length; at += length, left--) {
    const [type, count] = [short(at + 2), wide(at + 4)];
    // A few shorts lie in the entry itself, more where it points.
    const from = 2 * count <= size ? at + 4 + size : wide(at + 4 + size);
    if (type !== 3 || count === 0 || from + 4 > bytes.length) continue;
    entries.set(short(at), [short(from), short(from + 2)]);
  }
  const rawYcbcr =
    entries.get(tag.photometric)?.[0] === ycbcr && !jpeg.includes(entries.get(tag.compression)?.[0] ?? 1);
  // Two by two unless it is said.
  const [across = 2, down = 2] = entries.get(tag.subsampling) ?? [];
  return { bits: entries.get(tag.bits)?.[0] ?? 1, rawYcbcr, subsampled: rawYcbcr && across * down !== 1 };
}
