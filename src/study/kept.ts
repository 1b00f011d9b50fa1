/**
 * What preparing a study finds out of its images and networks, kept in the run folder: every process of a run prepares the same
 * study, and need not read all images and look through all networks for it.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { canonicalJson, readJson, sha256, writeFileAtomic } from '../base/index.js';
import { type EncodedImage, fingerprintImages } from '../data/index.js';
import { imageHashes } from '../features/index.js';

const networkFacts = z.object({ features: z.number(), params: z.number(), macs: z.number() });
/** Of the taps that are read: the numbers that they leave of an image; of the whole network: learned numbers, multiply-adds. */
export type NetworkFacts = z.infer<typeof networkFacts>;

/** What decides the facts of a network. */
export interface NetworkKey {
  readonly sha256: string;
  readonly preprocess: object;
  readonly taps: string;
  readonly pool: string;
  readonly engine: string;
  /** Version of toehold. */
  readonly toehold: string;
}

export class Kept {
  /** @param folder run folder; without one nothing is kept */
  constructor(private readonly folder: string | undefined) {}

  /**
   * sha256 of every image, in the given order. Files whose size and time of change are as they were are not read again.
   * @param name of what they are the images of
   */
  images(name: string, images: readonly EncodedImage[]): Promise<string[]> {
    if (this.folder === undefined) return fingerprintImages(images);
    return imageHashes(images, join(this.folder, 'kept', `images-${sha256(name).slice(0, 16)}.json`));
  }

  /** Facts of a network: those that are known, or else found and kept. */
  async network(key: NetworkKey, find: () => Promise<NetworkFacts>): Promise<NetworkFacts> {
    if (this.folder === undefined) return find();
    const file = join(this.folder, 'kept', `network-${sha256(canonicalJson({ ...key })).slice(0, 16)}.json`);
    // What is damaged is found anew.
    const known = networkFacts.safeParse(await readJson(file).catch(() => undefined));
    if (known.success) return known.data;
    const facts = await find();
    await writeFileAtomic(file, `${JSON.stringify(facts)}\n`);
    return facts;
  }
}
