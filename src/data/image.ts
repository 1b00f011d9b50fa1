/** Encoded images, wherever their bytes lie. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileError, readBytes, UserError } from '../base/index.js';

/** The path of an image's file, or a way to its bytes where they are part of something larger: an archive, a table. */
export type EncodedImage = string | EmbeddedImage;

/** An image that lies within another file or in memory. */
export interface EmbeddedImage {
  /** Where the image is found, for messages; no other image of its container has this name. */
  readonly name: string;
  /** The file that it is part of: as long as that keeps its size and time of change, the image is taken to be the same. */
  readonly container?: string;
  /** The bytes of an image file, read when they are asked for. */
  bytes(): Promise<Uint8Array>;
}

/** An image that lies at a place within a larger file. */
export function imagePart(name: string, container: string, offset: number, length: number): EmbeddedImage {
  return { name, container, bytes: async () => readPart(container, offset, length) };
}

/**
 * Bytes of a file, read at once on the calling thread. No file is kept open: there may be thousands of shards.
 * @throws UserError when the file is not there or ends before
 */
export function readPart(path: string, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  readBytes(path, bytes, offset);
  return bytes;
}

/** How messages name an image. */
export function imageName(image: EncodedImage): string {
  return typeof image === 'string' ? image : image.name;
}

/** A FIFO would be waited for: it is opened without, and refused as no file. Windows has no such flag. */
const reading = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

const notAFile = (path: string) => new UserError(`${path} is no file: a folder, a device or a pipe`);

/**
 * All bytes of a regular file, read at once on the calling thread.
 * @param most bytes that an image can have
 * @throws UserError for what is no file and for a larger one; the file system's error
 */
export function readImageFile(path: string, most: number): Buffer {
  const file = openSync(path, reading);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw notAFile(path);
    checkSize(path, stats.size, most);
    const bytes = Buffer.allocUnsafeSlow(stats.size);
    let done = 0;
    while (done < bytes.length) {
      const read = readSync(file, bytes, done, bytes.length - done, done);
      // It was cut off meanwhile: the decoder says so.
      if (read === 0) break;
      done += read;
    }
    return bytes.subarray(0, done);
  } finally {
    closeSync(file);
  }
}

/** @throws UserError naming the file that cannot be read */
export async function readImage(image: EncodedImage): Promise<Uint8Array> {
  if (typeof image !== 'string') return image.bytes();
  try {
    const file = await open(image, reading);
    try {
      if (!(await file.stat()).isFile()) throw notAFile(image);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, image);
  }
}

/** @throws UserError for more bytes than an image of the pixel budget can have */
export function checkSize(name: string, bytes: number, most: number): void {
  if (bytes > most) {
    throw new UserError(`${name} has ${(bytes / 1e6).toFixed(0)} MB, more than an image within --max-pixels can have`);
  }
}
