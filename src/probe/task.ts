/** What a probe is asked: features of examples, the labels of the training ones, and which taps the features come from. */
import { UserError } from '../base/index.js';
import type { ClassTargets } from '../record/index.js';
import type { FeatureMatrix } from '../solver/index.js';

/** How the features of one tap are laid out: pieces one after another, each by channel, then cell. */
export interface TapPiece {
  readonly channels: number;
  /** Cells before the grid (CLS). */
  readonly prefix: number;
  readonly grid: readonly [rows: number, columns: number];
  readonly features: number;
}

/** A block of the feature matrix. */
export interface ProbeTap {
  readonly alias: string;
  /** Name of the value in the ONNX graph. */
  readonly name: string;
  readonly features: number;
  readonly pieces?: readonly TapPiece[];
  /** Fraction of the network's learned layers below it. */
  readonly depth?: number;
  /** Multiply-adds and learned parameters that it is computed from. */
  readonly macs?: number;
  readonly params?: number;
}

/** Features of examples: all that a fitted probe reads of them. */
export interface Inputs {
  readonly matrix: FeatureMatrix;
  /** Name of every example, for predictions.csv. */
  readonly files: readonly string[];
  /** Last layer of a second backbone on the same examples. */
  readonly control?: FeatureMatrix | undefined;
}

/** Examples to learn from. */
export interface Labelled extends Inputs {
  /** Class of every example, (n). */
  readonly labels: Int32Array;
  /** Examples with one group stay on one side of every fold. */
  readonly groups?: readonly string[] | undefined;
}

/** Provenance, for records and for export. */
export interface ProbeSource {
  /** Folder of the feature store, when there is one. */
  readonly store?: string;
  readonly key?: string;
  readonly model?: {
    readonly name: string;
    readonly path: string;
    readonly sha256: string;
    readonly macs: number;
    readonly params: number;
  };
  /** Height of the images that features are of, in pixels. */
  readonly input?: number | undefined;
  /** sha256 of the test images, in order; absent where features are of no known images. */
  readonly testImages?: string;
  /** Name of the data set. */
  readonly data: string;
  readonly description: string;
}

/** Features and labels that probes are fitted to, and features that they are tested on. */
export interface ProbeTask {
  readonly train: Labelled;
  /** Rows of `train` that tuning validates on, where the data names them; folds of all rows otherwise. */
  readonly validation?: readonly number[] | undefined;
  readonly test?: Inputs | undefined;
  /** Class names; their number is K. */
  readonly classes: readonly string[];
  readonly taps: readonly ProbeTap[];
  readonly source: ProbeSource;
  /** How its features are pooled, where that is one choice of several. */
  readonly pool?: string | undefined;
  /** The same examples with features pooled otherwise: every method is fitted to each, and the best by validation counts. */
  readonly poolings?: readonly OnePooling[] | undefined;
  /** The same examples with every pooling of a tap as a tap of its own, for methods that weigh taps. */
  readonly each?: OnePooling | undefined;
}

/** Features of images of which nobody has to know what they show. */
export interface UnlabelledTask extends Pick<ProbeTask, 'taps' | 'source' | 'pool'> {
  readonly train: Inputs;
  /** sha256 of the image of every row. */
  readonly hashes: readonly string[];
}

type OnePooling = Omit<ProbeTask, 'poolings' | 'each'>;

/** A task, and what is true of its test examples. Only `score` reads that. */
export interface ScoredTask {
  readonly task: ProbeTask;
  readonly targets?: ClassTargets | undefined;
  /** How training, validation and test examples were told apart, one sentence. */
  readonly split: string;
  readonly warnings: readonly string[];
}

/** @throws UserError when labels, rows, taps and classes do not belong together. */
export function checkTask({ train, validation, test, classes, taps }: ProbeTask): void {
  const { matrix, labels, groups } = train;
  if (taps.length !== matrix.blocks.length) {
    throw new UserError(`${taps.length} taps are described and ${matrix.blocks.length} are given`);
  }
  if (matrix.rows < 2) throw new UserError('there is one training example: a probe needs at least two');
  if (labels.length !== matrix.rows) {
    throw new UserError(`${labels.length} training labels for ${matrix.rows} rows of features: give one label per row`);
  }
  for (const [i, label] of labels.entries()) {
    if (!Number.isInteger(label) || label < 0 || label >= classes.length) {
      throw new UserError(
        `training label ${label} at row ${i}: labels are whole numbers from 0 to ${classes.length - 1}`,
      );
    }
  }
  if (groups && groups.length !== matrix.rows) {
    throw new UserError(`${groups.length} groups for ${matrix.rows} training rows: give every row a group`);
  }
  if (new Set(labels).size < 2) {
    throw new UserError(
      `the ${labels.length} training labels are all of class '${classes[labels[0] as number]}': a probe needs at least two classes`,
    );
  }
  if (validation && (validation.length === 0 || validation.length >= matrix.rows)) {
    throw new UserError(`${validation.length} of ${matrix.rows} training rows are for validation: some must be left`);
  }
  checkControl(train, 'training');
  if (!test) return;
  if (test.matrix.features !== matrix.features) {
    throw new UserError(
      `the training features have ${matrix.features} columns and the test features ${test.matrix.features}: use the same taps and pooling`,
    );
  }
  checkControl(test, 'test');
}

/** @throws UserError for test labels of other examples, or of a class that training has not seen */
export function checkTargets({ train, test, classes }: ProbeTask, targets: ClassTargets): void {
  const { labels } = targets;
  if (labels.length !== test?.matrix.rows) {
    throw new UserError(
      `${labels.length} test labels for ${test?.matrix.rows ?? 0} rows of features: give one label per row`,
    );
  }
  const trained = new Set(train.labels);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (!Number.isInteger(label) || label < 0 || label >= classes.length) {
      throw new UserError(`test label ${label} at row ${i}: labels are whole numbers from 0 to ${classes.length - 1}`);
    }
    if (!trained.has(label)) {
      throw new UserError(
        `class '${classes[label]}' has test examples but no training example: add some or drop the class`,
      );
    }
  }
}

function checkControl({ matrix, control }: Inputs, which: string): void {
  if (control && control.rows !== matrix.rows) {
    throw new UserError(
      `the second backbone has ${control.rows} ${which} rows and the first ${matrix.rows}: extract both from the same data`,
    );
  }
}

/** The block of the last layer: tap 'features', else the last block. */
export function lastTap(taps: readonly ProbeTap[]): number {
  const named = taps.findIndex((tap) => tap.alias === 'features');
  if (named >= 0) return named;
  const beforeLogits = taps.findLastIndex((tap) => tap.alias !== 'logits');
  return beforeLogits >= 0 ? beforeLogits : taps.length - 1;
}

/** The outputs of blocks, by their names; none where no tap is known as one. */
export function blockEnds(taps: readonly ProbeTap[]): number[] {
  return [...taps.keys()].filter((t) => /\.(?:out|sum)\d*(?:@|$)/.test(taps[t]?.alias ?? ''));
}

/** All features of a block, ascending. */
export function featuresOfBlock(matrix: FeatureMatrix, block: number): Int32Array {
  const first = matrix.offsets[block] as number;
  return Int32Array.from({ length: (matrix.offsets[block + 1] as number) - first }, (_, j) => first + j);
}

/** Where a feature of a tap sits: channel, and row and column of its cell (row -1 where the cell is a token apart). */
export function placeOf(tap: ProbeTap, index: number): { piece: number; channel: number; row: number; column: number } {
  let at = index;
  for (const [piece, { features, prefix, grid }] of (tap.pieces ?? []).entries()) {
    if (at >= features) {
      at -= features;
      continue;
    }
    const cells = prefix + grid[0] * grid[1];
    const cell = at % cells;
    const channel = Math.floor(at / cells);
    if (cell < prefix) return { piece, channel, row: -1, column: cell };
    return {
      piece,
      channel,
      row: Math.floor((cell - prefix) / grid[1]),
      column: (cell - prefix) % grid[1],
    };
  }
  return { piece: 0, channel: index, row: 0, column: 0 };
}
