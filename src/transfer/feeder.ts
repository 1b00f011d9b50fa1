/** Supplies every step's data: images, or the activations of a frozen prefix. */
import type { Engine } from '../engine/index.js';
import { type ObservedValue, type OptimiserParameter, sizeOf, type Tensor, type TrainingForm } from '../graph/index.js';
import type { Colour } from './augment.js';
import { AugmentedImages } from './batches.js';
import type { ImageSource } from './images.js';
import type { TrainOptions } from './options.js';
import { type Cut, frozenCut, PrefixActivations, splitAt } from './prefix.js';

/** What is fed to what. */
export interface Feed {
  /** Training form with the input (batch, height, width, 3) uint8. */
  readonly form: TrainingForm;
  readonly input: string;
  /** Shapes of the values of the network at the batch size. */
  readonly values: ReadonlyMap<string, ObservedValue>;
  /** What learns. */
  readonly parameters: readonly OptimiserParameter[];
  readonly images: ImageSource;
  /** Height and width of the network's input. */
  readonly size: readonly [number, number];
  /** What pads images, see zeroColour. */
  readonly outside: Colour;
  readonly options: TrainOptions;
}

export interface Feeder {
  /** What remains to be run in every step. */
  readonly form: TrainingForm;
  /** Bytes of activations per image that are computed once; 0 without a frozen prefix. */
  readonly cachedBytes: number;
  feed(indices: readonly number[], epoch: number): Promise<Readonly<Record<string, Tensor>>>;
  dispose(): Promise<void>;
}

export async function createFeeder(engine: Engine, feed: Feed): Promise<Feeder> {
  const { form, input, options, values, parameters } = feed;
  const learned = new Set(parameters.map((p) => p.name));
  const cut = options.augmentation === 'none' ? frozenCut(form.graph, input, learned, values) : undefined;
  return cut && options.prefixBytes > 0 ? feedActivations(engine, feed, cut) : feedImages(feed);
}

async function feedActivations(engine: Engine, { form, images, options }: Feed, cut: Cut): Promise<Feeder> {
  const { prefix, rest } = splitAt(form.graph, cut);
  const activations = await PrefixActivations.compute(engine, prefix, cut, images, options.prefixBytes);
  const tensors = Object.fromEntries(
    cut.values.map(({ name, dims }): [string, Tensor] => [
      name,
      { type: 'float32', dims, data: new Float32Array(sizeOf(dims)) },
    ]),
  );
  return {
    form: { ...form, graph: rest },
    cachedBytes: cut.bytes,
    async feed(indices) {
      await activations.read(indices, tensors);
      return tensors;
    },
    dispose: () => activations.dispose(),
  };
}

function feedImages({ form, input, images, size, outside, options }: Feed): Feeder {
  const source = new AugmentedImages(images, options.augmentation, size, options.batch, options.seed, outside);
  const pixels = new Uint8Array(options.batch * size[0] * size[1] * 3);
  const tensors = { [input]: { type: 'uint8', dims: [options.batch, ...size, 3], data: pixels } } as const;
  return {
    form,
    cachedBytes: 0,
    async feed(indices, epoch) {
      await source.fill(indices, epoch, pixels);
      return tensors;
    },
    dispose: async () => undefined,
  };
}
