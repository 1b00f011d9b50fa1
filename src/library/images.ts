/** Images as programs have them -> images as the data room reads them. */
import { fileURLToPath } from 'node:url';
import { UserError } from '../base/index.js';
import { type EncodedImage, type Input, type RawPixels, tiffOf } from '../data/index.js';

/** Levels from 0 to 255, row by row, channels side by side: the shape (height, width) or (height, width, channels). */
export interface PixelArray {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** What an image may be: the path or file URL of an image file, its bytes, ImageData, or an array of levels. */
export type ImageLike =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | { readonly data: ArrayLike<number>; readonly width: number; readonly height: number }
  | PixelArray;

/** @throws UserError naming the first that is no image */
export function inputsOf(images: readonly ImageLike[]): Input[] {
  if (images.length === 0) throw new UserError('there are no images: give at least one');
  return images.map((image, i) => {
    const encoded = encodedImage(image, i);
    return { file: typeof encoded === 'string' ? encoded : encoded.name, image: encoded, extra: {} };
  });
}

function encodedImage(image: ImageLike, i: number): EncodedImage {
  const name = `image ${i}`;
  if (typeof image === 'string') return image;
  if (image instanceof URL) return fileURLToPath(image);
  if (image instanceof ArrayBuffer) return { name, bytes: async () => new Uint8Array(image) };
  if (image instanceof Uint8Array) return { name, bytes: async () => image };
  const pixels = pixelsOf(image, name);
  return { name, bytes: async () => tiffOf(pixels) };
}

function pixelsOf(image: Exclude<ImageLike, string | URL | Uint8Array | ArrayBuffer>, name: string): RawPixels {
  const [height, width, channels = 1] = 'shape' in image ? image.shape : [image.height, image.width, 4];
  const { data } = image;
  if (height === undefined || width === undefined || ![1, 3, 4].includes(channels)) {
    throw new UserError(`${name} has shape (${[height, width, channels].join(', ')}): give (height, width, 1, 3 or 4)`);
  }
  if (data.length !== height * width * channels || data.length === 0) {
    throw new UserError(`${name} has ${data.length} values for ${height} x ${width} x ${channels}: give one a level`);
  }
  const levels = Uint8Array.from(data);
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    const at = levels.findIndex((level, k) => level !== data[k]);
    if (at >= 0) {
      throw new UserError(
        `${name} has the value ${data[at]}: levels are whole numbers from 0 to 255; scale and round them`,
      );
    }
  }
  return { width, height, channels: channels as RawPixels['channels'], data: levels };
}
