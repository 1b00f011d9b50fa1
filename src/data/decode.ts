/**
 * Image file -> RGB bytes, equal to Pillow's `ImageOps.exif_transpose(image).convert('RGB')` byte for byte on 8-bit
 * JPEG, PNG, WebP, TIFF and GIF (test/data/decode.test.ts), because backbones were trained on such pixels:
 * - EXIF orientation is applied; embedded colour profiles are ignored.
 * - Alpha is dropped, not composited. Fully transparent GIF pixels come out black, where Pillow keeps their palette colour.
 * - Of 16-bit samples the high byte is taken, also for grey, where Pillow clips at 255 and so makes most images white. Samples
 *   of 12 bits in 16 are dark by that, in Pillow too; it is remarked.
 * - YCbCr in TIFF that is no JPEG data is converted by Pillow's integers (libvips takes it for RGB); where Pillow leaves it to
 *   libtiff, in compressed files, its values differ by one at most. Subsampled, it is refused.
 * - CMYK is converted by the formula R = (255 - C)(255 - K) / 255, without a colour profile.
 * - Of animations and multi-page files the first frame is taken.
 * Truncated files are errors; warnings that still give every pixel (stray bytes in JPEG) are not. A decoder sees only the
 * formats above, whatever a file is called, and no image of more pixels than the budget.
 */
import { messageOf, remark, UserError } from '../base/index.js';
import { formatNames, formatOf } from './format.js';
import { checkSize, type EncodedImage, imageName, readImageFile } from './image.js';
import { loadSharp } from './sharp.js';
import { tiffSamples } from './tiff.js';

/** The largest image that Pillow opens without asking: twice 2^30 / 4 / 3 pixels. */
export const defaultMaxPixels = 178_956_970;

let maxPixels = defaultMaxPixels;

/** The pixel budget of every image that this process decodes from now on; three bytes each are held while it is resized. */
export function setMaxPixels(pixels: number): void {
  maxPixels = pixels;
}

/** Bytes that an image of the budget can have at most: four samples of 16 bits, uncompressed, and what lies beside them. */
const mostBytes = () => 8 * maxPixels + 2 ** 26;

/** A decoded image: three bytes a pixel, row by row. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** Row-major, interleaved: height * width * 3. */
  readonly data: Uint8Array;
}

/** An image that cannot be decoded. */
export class UnreadableImage extends UserError {
  override name = 'UnreadableImage';
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`cannot read the image ${path}: ${reason}; replace or remove it, or pass --skip-bad`);
  }
}

const options = () => ({ ignoreIcc: true, autoOrient: true, failOn: 'error', limitInputPixels: maxPixels }) as const;

/**
 * Decodes on a thread of the pool; a file's bytes are read at once on the calling thread, which costs less than the many
 * small reads that the decoder would do itself (caltech101: 1.3 against 1.55 ms of CPU time an image).
 * @throws UnreadableImage
 */
export async function decodeImage(image: EncodedImage): Promise<RgbImage> {
  let bytes: Buffer;
  try {
    if (typeof image === 'string') bytes = readImageFile(image, mostBytes());
    else {
      bytes = asBuffer(await image.bytes());
      checkSize(image.name, bytes.length, mostBytes());
    }
  } catch (error) {
    throw new UnreadableImage(imageName(image), fileReason(error, imageName(image)));
  }
  if (bytes.length === 0) throw new UnreadableImage(imageName(image), 'the file is empty');
  if (!formatOf(bytes)) throw new UnreadableImage(imageName(image), `it is none of ${formatNames}`);
  const tiff = tiffSamples(bytes);
  if (tiff?.subsampled) {
    throw new UnreadableImage(
      imageName(image),
      'its colours are subsampled YCbCr outside of JPEG data: save it as RGB',
    );
  }
  try {
    if (await isCmyk(bytes)) return await decodeCmyk(bytes);
    const decoded = await decodeRgb(bytes);
    if (tiff?.rawYcbcr) toRgb(decoded.data);
    if ((tiff?.bits ?? pngBits(bytes)) === 16 && decoded.data.every((v) => v < 16)) {
      remark(
        '12 bits',
        `the 16-bit samples of ${imageName(image)} are below 4096, as of 12 bits, and perhaps those of more images: their high byte is taken, which leaves them almost black; scale them to the whole range first`,
      );
    }
    return decoded;
  } catch (error) {
    throw new UnreadableImage(imageName(image), reasonOf(error));
  }
}

/** Bits of a sample, by a PNG's header; 8 for other formats. */
function pngBits(bytes: Buffer): number {
  return bytes[0] === 0x89 ? (bytes[24] ?? 8) : 8;
}

/** Shares of the colour differences, in units of 1/64, as Pillow rounds them. */
const shares = [1.402, -0.34414, -0.71414, 1.772].map((share) =>
  Int32Array.from({ length: 256 }, (_, v) => Math.trunc(64 * share * (v - 128) + 0.5)),
) as [Int32Array, Int32Array, Int32Array, Int32Array];

/** YCbCr of JFIF -> RGB, in place. */
function toRgb(data: Uint8Array): void {
  const [redOf, greenOfBlue, greenOfRed, blueOf] = shares;
  const byte = (v: number) => Math.min(255, Math.max(0, v));
  for (let i = 0; i < data.length; i += 3) {
    const [y, cb, cr] = [data[i] as number, data[i + 1] as number, data[i + 2] as number];
    data[i] = byte(y + ((redOf[cr] as number) >> 6));
    data[i + 1] = byte(y + (((greenOfBlue[cb] as number) + (greenOfRed[cr] as number)) >> 6));
    data[i + 2] = byte(y + ((blueOf[cb] as number) >> 6));
  }
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

async function decodeRgb(bytes: Buffer): Promise<RgbImage> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(bytes, options())
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`it has ${info.channels} channels after conversion to RGB`);
  return { width: info.width, height: info.height, data };
}

async function decodeCmyk(bytes: Buffer): Promise<RgbImage> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(bytes, options())
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += channels) {
    const light = 255 - (data[from + 3] as number);
    for (let c = 0; c < 3; c++) rgb[to++] = light - Math.round(((data[from + c] as number) * light) / 255);
  }
  return { width, height, data: rgb };
}

/** Reading the metadata costs a tenth of a decode, so JPEG, the format of most images, is recognised by its frame header. */
async function isCmyk(bytes: Buffer): Promise<boolean> {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegComponents(bytes) === 4;
  const isTiff = (bytes[0] === 0x49 && bytes[1] === 0x49) || (bytes[0] === 0x4d && bytes[1] === 0x4d);
  if (!isTiff) return false;
  const sharp = await loadSharp();
  return (await sharp(bytes, options()).metadata()).space === 'cmyk';
}

/** Number of components in a JPEG's first frame header (ITU T.81, B.2.2), 0 when there is none. */
function jpegComponents(bytes: Buffer): number {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1] as number;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return bytes[at + 9] as number;
    // A marker may be preceded by any number of fill bytes.
    at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2);
  }
  return 0;
}

/** Why a file was not read, as part of one sentence. */
function fileReason(error: unknown, name: string): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'it is not there';
  if (code === 'ELOOP') return 'it is a link to itself';
  if (code === 'EACCES' || code === 'EPERM') return 'it may not be read';
  return messageOf(error).replace(`${name} is no file`, 'it is no file').replace(`${name} has`, 'it has');
}

/** The decoder's message as part of one sentence. */
function reasonOf(error: unknown): string {
  if (messageOf(error).includes('exceeds pixel limit')) {
    return `it has more than ${maxPixels} pixels; --max-pixels raises the limit`;
  }
  const message = messageOf(error)
    .split('\n')[0]
    ?.trim()
    .replace(/^Input (buffer|file) /, 'the file ');
  return message || 'the decoder gives no reason';
}
