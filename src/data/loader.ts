/** Encoded images -> batches of uint8 pixels of the backbone's size, decoded ahead of their use. */
import { availableParallelism } from 'node:os';
import { messageOf, UserError } from '../base/index.js';
import { decodeImage, type RgbImage, UnreadableImage } from './decode.js';
import { type EncodedImage, imageName } from './image.js';
import type { Preprocess } from './preprocess.js';
import { Resampler } from './resample.js';

/** Images as batches of network inputs. */
export interface Loader {
  /** Height and width of what it delivers. */
  readonly size: readonly [number, number];
  /** Bytes of one image: h * w * 3. */
  readonly bytes: number;
  /**
   * Decodes, resizes and writes one image.
   * @param into uint8 [h, w, 3], for example a slice of a batch [B, h, w, 3]
   * @throws UnreadableImage
   */
  load(image: EncodedImage, into: Uint8Array): Promise<void>;
  /** Resizes a decoded image; the second half of load. */
  resize(image: RgbImage, into: Uint8Array): void;
}

/** A loader for one preprocessing. It decodes on the pool's threads and resizes on the calling one. */
export function createLoader(preprocess: Preprocess): Loader {
  const [height, width] = preprocess.size;
  const bytes = height * width * 3;
  const resampler = new Resampler(preprocess);
  const resize = (image: RgbImage, into: Uint8Array) => {
    if (into.length !== bytes) throw new RangeError(`an image takes ${bytes} bytes, not ${into.length}`);
    resampler.resize(image, into);
  };
  return {
    size: [height, width],
    bytes,
    resize,
    load: async (image, into) => {
      const decoded = await decodeImage(image);
      const failure = attempt(image, () => resize(decoded, into));
      if (failure) throw failure;
    },
  };
}

/** How far a loader works ahead, and what it does about images that cannot be read. */
export interface LoadingOptions {
  /**
   * Images decoded ahead of the batch in hand, memory allowing; none unless given. Ahead pays where the consumer leaves
   * the cores alone (a GPU); where it computes on them there is no idle core to decode on.
   */
  ahead?: number;
  /** Lists unreadable images in `bad` and leaves their pixels zero, instead of throwing at the first. */
  skipBad?: boolean;
  /** Bound on decoded pixels that wait, in bytes. */
  memory?: number;
}

/** Images of one run of the network, (n, 3, height, width). */
export interface Batch {
  /** Index of the first image. */
  readonly start: number;
  /** Images in this batch; less than the batch size in the last one only. */
  readonly count: number;
  /** uint8 [B, h, w, 3], zeros after the last image. Overwritten when the next batch is asked for. */
  readonly pixels: Uint8Array;
  /** Unreadable images, by index into all images; their pixels are zero. */
  readonly bad: readonly { readonly index: number; readonly message: string }[];
}

const defaultMemory = 256 * 2 ** 20;

interface Decoded {
  readonly image: EncodedImage;
  readonly result: RgbImage | UnreadableImage;
}

/**
 * Delivers all images in order: the pool's threads decode while the main thread resizes what they have done. The number of
 * decodes in flight adapts to the size of the images: together they stay within `memory`, but there is always one for
 * each core.
 *
 * @throws UnreadableImage (a UserError) at the first unreadable image, unless skipBad
 */
export async function* batches(
  images: readonly EncodedImage[],
  batchSize: number,
  loader: Loader,
  { ahead = 0, skipBad = false, memory = defaultMemory }: LoadingOptions = {},
): AsyncGenerator<Batch, void, undefined> {
  if (!(batchSize >= 1)) throw new UserError(`batch size ${batchSize} must be at least 1`);
  const { bytes } = loader;
  const pixels = new Uint8Array(batchSize * bytes);
  const queue: Promise<Decoded>[] = [];
  let queued = 0;
  let largest = 0;

  const decode = async (image: EncodedImage): Promise<Decoded> => {
    const result = await decodeImage(image).catch((error: UnreadableImage) => error);
    // An outlier is forgotten after some hundred images.
    if (!(result instanceof Error)) largest = Math.max(result.data.length, 0.99 * largest);
    return { image, result };
  };
  const fill = (end: number) => {
    const least = availableParallelism();
    const affordable = largest === 0 ? least : Math.floor(memory / largest);
    const wanted = Math.max(least, Math.min(batchSize + ahead, affordable));
    const last = Math.min(images.length, end + ahead);
    while (queue.length < wanted && queued < last) queue.push(decode(images[queued++] as EncodedImage));
  };

  try {
    for (let start = 0; start < images.length; start += batchSize) {
      const count = Math.min(batchSize, images.length - start);
      const bad: { index: number; message: string }[] = [];
      for (let i = 0; i < count; i++) {
        fill(start + count);
        const { image, result } = await (queue.shift() as Promise<Decoded>);
        const into = pixels.subarray(i * bytes, (i + 1) * bytes);
        const failure = result instanceof Error ? result : attempt(image, () => loader.resize(result, into));
        if (!failure) continue;
        if (!skipBad) throw failure;
        bad.push({ index: start + i, message: failure.message });
        into.fill(0);
      }
      fill(start + count);
      pixels.fill(0, count * bytes);
      yield { start, count, pixels, bad };
    }
  } finally {
    // Nothing runs after the consumer has stopped.
    await Promise.allSettled(queue);
  }
}

/** The error of a resize (no memory for it), as that of its image. */
function attempt(image: EncodedImage, resize: () => void): UnreadableImage | undefined {
  try {
    resize();
    return undefined;
  } catch (error) {
    // The caller's mistake, not the image's.
    if (error instanceof RangeError) throw error;
    return new UnreadableImage(imageName(image), `it cannot be resized: ${messageOf(error)}`);
  }
}
