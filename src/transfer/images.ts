/** Where training gets its pixels from. */
import { availableParallelism } from 'node:os';
import { WorkError } from '../base/index.js';
import { batches, createLoader, type Input, type Loader, type Preprocess } from '../data/index.js';
import type { Size } from './augment.js';

/** Images of one size, decoded and resized, handed out by index: all that a network may see of them. */
export interface ImageSource {
  /** Height and width in pixels. */
  readonly size: Size;
  /** Name of every image. */
  readonly files: readonly string[];
  /** Copies the images into (indices.length, height, width, 3) uint8. */
  read(indices: readonly number[], into: Uint8Array): Promise<void>;
}

/** Images to learn from. */
export interface LabelledImages extends ImageSource {
  /** Class index of every image; 0 where images have values. */
  readonly labels: Int32Array;
  /** In place of classes real values, or 1 for each label that is true and 0 for the others: (n, outputs). */
  readonly values?: Float64Array | undefined;
}

/** Images with their labels. @throws when there are not as many of one as of the other */
export function withLabels(images: ImageSource, labels: ArrayLike<number>): LabelledImages {
  if (labels.length !== images.files.length) {
    throw new WorkError(`${labels.length} labels for ${images.files.length} images: give every image one`);
  }
  return { ...images, labels: Int32Array.from(labels) };
}

/** Images with their values or labels, (n, outputs). @throws when they are not as many as the images */
export function withValues(images: ImageSource, values: Float64Array, outputs: number): LabelledImages {
  const n = images.files.length;
  if (values.length !== n * outputs) {
    throw new WorkError(`${values.length} values for ${n} images of ${outputs} each: give every image all of them`);
  }
  return { ...images, labels: new Int32Array(n), values };
}

/** Labelled images that are all in memory: `data` is (n, height, width, 3) uint8. */
export function imagesInMemory(
  data: Uint8Array,
  size: Size,
  labels: Int32Array,
  files: readonly string[] = Array.from(labels, (_, i) => String(i)),
): LabelledImages {
  return withLabels(inMemory(data, size, files), labels);
}

function inMemory(data: Uint8Array, size: Size, files: readonly string[]): ImageSource {
  const bytes = size[0] * size[1] * 3;
  if (data.length !== bytes * files.length) {
    throw new WorkError(
      `${files.length} images of ${size.join(' x ')} take ${bytes * files.length} bytes, not ${data.length}`,
    );
  }
  return {
    size,
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
 * Decodes and resizes images: once, into memory, when they fit in `memory` bytes, otherwise whenever they are read.
 * @throws UnreadableImage
 */
export async function loadImages(
  inputs: readonly Pick<Input, 'file' | 'image'>[],
  preprocess: Preprocess,
  { memory = keptBytes, onImages = (_done: number) => {} } = {},
): Promise<ImageSource> {
  const loader = createLoader(preprocess);
  if (loader.bytes * inputs.length > memory) return streamed(inputs, loader);
  const data = new Uint8Array(loader.bytes * inputs.length);
  const images = inputs.map((input) => input.image);
  for await (const { start, count, pixels } of batches(images, 64, loader)) {
    data.set(pixels.subarray(0, count * loader.bytes), start * loader.bytes);
    onImages(start + count);
  }
  return inMemory(
    data,
    loader.size,
    inputs.map((input) => input.file),
  );
}

function streamed(inputs: readonly Pick<Input, 'file' | 'image'>[], loader: Loader): ImageSource {
  return {
    size: loader.size,
    files: inputs.map((input) => input.file),
    async read(indices, into) {
      let next = 0;
      const worker = async () => {
        for (let i = next++; i < indices.length; i = next++) {
          const { image } = inputs[indices[i] as number] as Pick<Input, 'image'>;
          await loader.load(image, into.subarray(i * loader.bytes, (i + 1) * loader.bytes));
        }
      };
      await Promise.all(Array.from({ length: availableParallelism() }, worker));
    },
  };
}
