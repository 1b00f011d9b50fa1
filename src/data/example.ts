/** What every source of examples is turned into: inputs, which have no label, and labelled examples. */
import type { Origin } from '../hub/index.js';
import type { EncodedImage } from './image.js';
import type { ClassLabel } from './targets.js';

/** What a network or a probe may read of an example. */
export interface Input {
  /** Name within the data set: for files the path relative to its root, with forward slashes. */
  readonly file: string;
  readonly image: EncodedImage;
  /** Examples of one group (track, patient, author) never stand on two sides of a split. */
  readonly group?: string;
  /** Other columns of a manifest. */
  readonly extra: Readonly<Record<string, string>>;
}

/** An input and the split that it stands in. */
export interface UnlabelledExample extends Input {
  /** 'train', 'val', 'test' (see splits.ts), or whatever else the source says. */
  readonly split: string;
}

/** An example with what is true of it. */
export interface Example extends UnlabelledExample, ClassLabel {}

/** Labelled examples with their classes, splits and groups; images are read when they are asked for. */
export interface Dataset {
  /** What the labels are; sources of other targets join as other kinds. */
  readonly kind: 'class';
  /** Where the data set lies: absolute path of the folder that files are relative to. */
  readonly root: string;
  /** Class names; in numeric order where they come from numbers. */
  readonly classes: readonly string[];
  readonly examples: readonly Example[];
  /** Where it comes from, if by name from a hub. */
  readonly origin?: Origin;
  /** What a user should know before trusting results: one sentence each. */
  readonly warnings: readonly string[];
}

/** Examples of which nothing is known to be true: features can be extracted of them, and nothing learned. */
export interface UnlabelledDataset extends Pick<Dataset, 'root' | 'origin' | 'warnings'> {
  readonly kind: 'none';
  readonly examples: readonly UnlabelledExample[];
  /** Why there are no labels: 'images lie directly in photos'. */
  readonly reason: string;
  /** How labels are given. */
  readonly remedy: string;
}
