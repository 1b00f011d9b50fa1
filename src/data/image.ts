/** Encoded images, wherever their bytes lie. */
import { readFile as readFileWithCallback } from 'node:fs';
import { promisify } from 'node:util';
import { fileError } from '../base/index.js';

// A third less CPU time a file than the function of the same name in node:fs/promises.
const readFile = promisify(readFileWithCallback);

/** The path of an image's file, or a way to its bytes where they are part of something larger: an archive, a table. */
export type EncodedImage = string | EmbeddedImage;

export interface EmbeddedImage {
  /** For messages: where the image is found. */
  readonly name: string;
  bytes(): Promise<Uint8Array>;
}

/** How messages name an image. */
export function imageName(image: EncodedImage): string {
  return typeof image === 'string' ? image : image.name;
}

/** @throws UserError naming the file that cannot be read */
export async function readImage(image: EncodedImage): Promise<Uint8Array> {
  if (typeof image !== 'string') return image.bytes();
  return readFile(image).catch((error) => {
    throw fileError(error, image);
  });
}
