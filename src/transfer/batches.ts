/** The order of images and their augmentation: both depend on seed, epoch and index only, so that a resumed run sees the same. */
import { Random } from '../base/index.js';
import { type Augmentation, augment, type Colour, type Size } from './augment.js';
import type { ImageSource } from './images.js';

export interface BatchOptions {
  batch: number;
  /** Steps per epoch. */
  perEpoch: number;
  seed: number;
}

/** Indices of the images of one step (counted from 0). */
export class BatchOrder {
  #epoch = -1;
  #order: number[] = [];

  constructor(
    private readonly images: number,
    private readonly options: BatchOptions,
  ) {}

  indices(step: number): number[] {
    const { batch, perEpoch, seed } = this.options;
    const epoch = Math.floor(step / perEpoch);
    if (epoch !== this.#epoch) {
      this.#order = new Random(seed, 'order', epoch).permutation(this.images);
      this.#epoch = epoch;
    }
    const start = (step % perEpoch) * batch;
    return this.#order.slice(start, start + batch);
  }
}

/** Fills batches with augmented images. */
export class AugmentedImages {
  readonly #read: Uint8Array;

  /**
   * @param size height and width of the network's input; the source holds storedSize(augmentation, size)
   * @param outside see zeroColour
   */
  constructor(
    private readonly source: ImageSource,
    private readonly augmentation: Augmentation,
    private readonly size: Size,
    batch: number,
    private readonly seed: number,
    private readonly outside: Colour,
  ) {
    this.#read =
      augmentation === 'none' ? new Uint8Array(0) : new Uint8Array(batch * source.size[0] * source.size[1] * 3);
  }

  /** Writes (indices.length, height, width, 3) into `pixels`. */
  async fill(indices: readonly number[], epoch: number, pixels: Uint8Array): Promise<void> {
    if (this.augmentation === 'none') return this.source.read(indices, pixels);
    await this.source.read(indices, this.#read);
    const from = this.source.size;
    indices.forEach((index, i) => {
      augment(
        this.augmentation,
        { data: this.#read, offset: i * from[0] * from[1] * 3, size: from },
        { data: pixels, offset: i * this.size[0] * this.size[1] * 3, size: this.size },
        { seed: this.seed, epoch, index, outside: this.outside },
      );
    });
  }
}
