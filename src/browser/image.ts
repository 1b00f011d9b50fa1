/** Images as browsers have them -> RGB bytes. Structural types: this project is compiled without those of the DOM. */
import { UserError } from '../base/index.js';
import type { RgbImage } from '../data/index.js';

/** Pixels, as in ImageData: rows from the top, 3 or 4 bytes each (alpha is dropped). */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** What createImageBitmap takes: a Blob, an image or video element, a canvas, an ImageBitmap. */
export type Drawable = object;

/** What a page has of an image: its pixels, or anything that a canvas draws. */
export type ImageSource = Pixels | Drawable;

interface Bitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}
interface Canvas2d {
  drawImage(image: Bitmap, x: number, y: number): void;
  getImageData(x: number, y: number, width: number, height: number): Pixels;
}
interface BrowserGlobals {
  createImageBitmap?(image: Drawable, options: object): Promise<Bitmap>;
  OffscreenCanvas?: new (width: number, height: number) => { getContext(kind: '2d', options: object): Canvas2d | null };
}

const isPixels = (image: ImageSource): image is Pixels =>
  'data' in image && ArrayBuffer.isView(image.data) && 'width' in image && 'height' in image;

/**
 * RGB as toehold decodes it: oriented, without colour management, alpha dropped. Lossless images give the bytes of Node; JPEG
 * decoders differ by a few levels, and partly transparent pixels by the rounding of a canvas.
 * @throws UserError for what is no image
 */
export async function rgbOf(image: ImageSource): Promise<RgbImage> {
  const { width, height, data } = isPixels(image) ? image : await draw(image);
  const channels = data.length / (width * height);
  if (channels === 3) return { width, height, data: Uint8Array.from(data) };
  if (channels !== 4) {
    throw new UserError(
      `an image of ${width} x ${height} pixels has ${data.length} bytes: give 3 (RGB) or 4 (RGBA) for each pixel`,
    );
  }
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    rgb[to++] = data[from] as number;
    rgb[to++] = data[from + 1] as number;
    rgb[to++] = data[from + 2] as number;
  }
  return { width, height, data: rgb };
}

async function draw(image: Drawable): Promise<Pixels> {
  const { createImageBitmap, OffscreenCanvas } = globalThis as BrowserGlobals;
  if (!createImageBitmap || !OffscreenCanvas) {
    throw new UserError('there is no canvas here: give pixels as {width, height, data}');
  }
  let bitmap: Bitmap;
  try {
    bitmap = await createImageBitmap(image, {
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
      imageOrientation: 'from-image',
    });
  } catch (error) {
    throw new UserError(`this is no image that the browser can read: ${String(error)}`);
  }
  try {
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (!context) throw new UserError('the browser gives no canvas: give pixels as {width, height, data}');
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
  } finally {
    bitmap.close();
  }
}
