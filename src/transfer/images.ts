/** Where training gets its pixels from. */
import { availableParallelism } from 'node:os';
import { WorkError } from '../base/index.js';
import { batches, type Loader } from '../data/index.js';
import type { Size } from './augment.js';

/** Labelled images of one size, decoded and resized, handed out by index. */
export interface ImageSource {
  /** Height and width in pixels. */
  readonly size: Size;
  /** Class index of every image. */
  readonly labels: Int32Array;
  /** Names for predictions.csv, one per image. */
  readonly files: readonly string[];
  /** Copies the images into (indices.length, height, width, 3) uint8. */
  read(indices: readonly number[], into: Uint8Array): Promise<void>;
}

/** Images that are all in memory: `data` is (n, height, width, 3) uint8. */
export function imagesInMemory(
  data: Uint8Array,
  size: Size,
  labels: Int32Array,
  files: readonly string[] = Array.from(labels, (_, i) => String(i)),
): ImageSource {
  const bytes = size[0] * size[1] * 3;
  if (data.length !== bytes * labels.length) {
    throw new WorkError(
      `${labels.length} images of ${size.join(' x ')} take ${bytes * labels.length} bytes, not ${data.length}`,
    );
  }
  return {
    size,
    labels,
    files,
    async read(indices, into) {
      indices.forEach((index, i) => {
        into.set(data.subarray(index * bytes, (index + 1) * bytes), i * bytes);
      });
    },
  };
}

/** Bytes of decoded images that are kept in memory. */
const keptBytes = 2 ** 31;

/**
 * Image files, decoded and resized: once, into memory, when they fit in `memory` bytes, otherwise whenever they are read.
 * @throws UnreadableImage
 */
export async function loadImages(
  paths: readonly string[],
  labels: Int32Array,
  names: readonly string[],
  loader: Loader,
  { memory = keptBytes, onImages = (_done: number) => {} } = {},
): Promise<ImageSource> {
  if (loader.bytes * paths.length > memory) return streamedImages(paths, labels, names, loader);
  const data = new Uint8Array(loader.bytes * paths.length);
  for await (const { start, count, pixels } of batches(paths, 64, loader)) {
    data.set(pixels.subarray(0, count * loader.bytes), start * loader.bytes);
    onImages(start + count);
  }
  return imagesInMemory(data, loader.size, labels, names);
}

function streamedImages(
  paths: readonly string[],
  labels: Int32Array,
  files: readonly string[],
  loader: Loader,
): ImageSource {
  return {
    size: loader.size,
    labels,
    files,
    async read(indices, into) {
      let next = 0;
      const worker = async () => {
        for (let i = next++; i < indices.length; i = next++) {
          const path = paths[indices[i] as number] as string;
          await loader.load(path, into.subarray(i * loader.bytes, (i + 1) * loader.bytes));
        }
      };
      await Promise.all(Array.from({ length: availableParallelism() }, worker));
    },
  };
}
