/** Features of images: in memory, or as a store on disk. */
import { type ExamplesOptions, readExamples } from '../data/index.js';
import { extract as extractStore, type FeatureStore, openStore, type Precision, requestOf } from '../features/index.js';
import { Features } from './features.js';
import { type ImageLike, inputsOf } from './images.js';
import { type ModelLike, modelOf, requestedTaps, type TapsOptions } from './model.js';
import { type LongWork, stoppable } from './progress.js';

/** What is read of each image, and how the work goes about it. */
export interface ExtractImagesOptions extends TapsOptions, LongWork {
  /** Images per run of the network; chosen by their size otherwise. */
  readonly batch?: number | undefined;
}

/** How a data set is read, and what becomes of it. */
export interface StoreRequest extends ExamplesOptions {
  /** Folder of the store: written, added to, or taken as it is where everything asked for is there. */
  readonly output: string;
  /** Leaves unreadable images out, and lists them. */
  readonly skipBad?: boolean | undefined;
  /** What features are stored in; float16 takes half of the bytes. */
  readonly precision?: Precision | undefined;
}
export interface ExtractStoreOptions extends ExtractImagesOptions, StoreRequest {}

/**
 * One pass over images, all taps pooled on the way.
 * @param images paths, bytes, ImageData or arrays of levels
 * @returns the features in memory
 * @throws UserError for a tap that is not there or an image that cannot be read; WorkError for activations that are not numbers
 */
export function extract(
  model: ModelLike,
  images: readonly ImageLike[],
  options?: ExtractImagesOptions,
): Promise<Features>;
/**
 * The same of a data set, into a folder: resumable, and one .npy file a tap.
 * @param data whatever `toehold extract` takes: a folder of classes, a manifest, Parquet, tar, `hf:datasets/owner/name` ...
 */
export function extract(model: ModelLike, data: string, options: ExtractStoreOptions): Promise<FeatureStore>;
export async function extract(
  model: ModelLike,
  images: readonly ImageLike[] | string,
  options: ExtractImagesOptions | ExtractStoreOptions = {},
): Promise<Features | FeatureStore> {
  const { signal, onProgress, onNote: note = () => undefined } = options;
  const { batch = 0 } = options;
  const wanted = requestedTaps(options);
  const onImages = (done: number, total: number) => onProgress?.({ what: 'images', done, total });
  return stoppable(signal, async (guard) => {
    const opened = await modelOf(model);
    if (typeof images !== 'string') {
      const inputs = inputsOf(images);
      const pass = await opened.pass({ ...wanted, batch }, note);
      const data = await pass.rows(
        inputs.map(({ image }) => image),
        { onImages, signal },
      );
      const files = inputs.map(({ file }) => file);
      return new Features(data, pass.taps, files, opened, wanted.pool);
    }
    const { output, skipBad = false, precision = 'float32', ...dataset } = options as ExtractStoreOptions;
    const request = requestOf(await readExamples(images, dataset));
    await extractStore(opened.backbone, request, guard(opened.engine), {
      ...wanted,
      batch,
      output,
      skipBad,
      precision,
      quiet: true,
      log: note,
      onImages,
      signal,
    });
    return openStore(output);
  });
}
