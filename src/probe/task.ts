/** What a probe is asked: features of labelled examples, which taps they come from, and how to tune and normalise. */
import { UserError } from '../base/index.js';
import type { FeatureMatrix } from '../solver/index.js';
import type { FaithfulOptions } from './methods/faithful.js';

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

export interface Examples {
  readonly matrix: FeatureMatrix;
  /** Class of every example, (n). */
  readonly labels: Int32Array;
  /** Name of every example, for predictions.csv. */
  readonly files: readonly string[];
  /** Examples with one group stay on one side of every fold. */
  readonly groups?: readonly string[] | undefined;
  /** Last layer of a second backbone on the same examples. */
  readonly control?: FeatureMatrix | undefined;
}

/** Provenance, for records and for export. */
export interface ProbeSource {
  /** Folder of the feature store, when there is one. */
  readonly store?: string;
  readonly key?: string;
  readonly model?: { readonly path: string; readonly sha256: string; readonly macs: number; readonly params: number };
  readonly description: string;
}

export interface ProbeTask {
  readonly train: Examples;
  readonly test?: Examples | undefined;
  /** Rows of `train` that settings are tuned on (the data's val); without them tuning makes folds inside train. */
  readonly validation?: readonly number[] | undefined;
  /** What the split policy decided, and what it warns of; absent for tasks that are made by hand. */
  readonly splits?: { readonly sentence: string; readonly warnings: readonly string[] };
  /** Class names; their number is K. */
  readonly classes: readonly string[];
  readonly taps: readonly ProbeTap[];
  readonly source: ProbeSource;
}

/** Normalisation: 'unit' divides each tap of each example by its norm; 'standard' standardises each feature. */
export const normalisations = ['unit', 'standard', 'unit+standard', 'none'] as const;
export type Normalisation = (typeof normalisations)[number];

export interface ProbeOptions {
  normalisation: Normalisation;
  folds: number;
  seed: number;
  /** Lambdas of the reported path, from lambda_max to ratio times it. */
  lambdaCount: number;
  lambdaRatio: number;
  /** Explicit ratios lambda / lambda_max of the path, falling; take the place of count and ratio. */
  lambdaRatios: readonly number[] | undefined;
  /** Relative duality gap of reported paths. */
  tolerance: number;
  /** Keep fractions tried. */
  fractions: readonly number[];
  /** l2 penalties tried, in lambda of mean loss + lambda / 2 ||W||^2. */
  l2: readonly number[];
  /** Extra selections for stability: the folds drawn again under other seeds. */
  repetitions: number;
  /** Settings of the paper's own recipe, where they differ from its defaults. */
  faithful: Partial<FaithfulOptions>;
}
export const probeDefaults: ProbeOptions = {
  normalisation: 'unit',
  folds: 5,
  seed: 0,
  lambdaCount: 20,
  lambdaRatio: 0.03,
  lambdaRatios: undefined,
  tolerance: 1e-3,
  fractions: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  l2: [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8],
  repetitions: 1,
  faithful: {},
};

/** @throws UserError naming the option that makes no sense. */
export function checkProbeOptions(options: ProbeOptions): void {
  const { folds, lambdaCount, lambdaRatio, lambdaRatios, tolerance, fractions, l2, repetitions } = options;
  if (!Number.isInteger(folds) || folds < 2) throw new UserError(`${folds} folds: give a whole number from 2`);
  if (!Number.isInteger(lambdaCount) || lambdaCount < 1) {
    throw new UserError(`${lambdaCount} lambdas: give a whole number from 1`);
  }
  if (!(lambdaRatio > 0 && lambdaRatio <= 1)) throw new UserError(`lambda ratio ${lambdaRatio}: it must lie in (0, 1]`);
  for (const [i, ratio] of (lambdaRatios ?? []).entries()) {
    if (!(ratio > 0 && ratio <= 1)) throw new UserError(`lambda ratio ${ratio}: it must lie in (0, 1]`);
    if (i > 0 && ratio >= (lambdaRatios?.[i - 1] as number)) {
      throw new UserError(`the lambda grid must fall: ${ratio} follows ${lambdaRatios?.[i - 1]}`);
    }
  }
  if (lambdaRatios?.length === 0) throw new UserError('the lambda grid is empty: give at least one ratio');
  if (!(tolerance > 0)) throw new UserError(`tolerance ${tolerance}: it must be positive`);
  if (fractions.length === 0) throw new UserError('no keep fractions are given: list at least one in (0, 1]');
  for (const f of fractions) {
    if (!(f > 0 && f <= 1)) throw new UserError(`keep fraction ${f}: it must lie in (0, 1]`);
  }
  if (l2.length === 0) throw new UserError('no l2 penalties are given: list at least one');
  for (const v of l2) {
    if (!(v > 0 && Number.isFinite(v))) throw new UserError(`l2 penalty ${v}: it must be positive`);
  }
  if (!Number.isInteger(repetitions) || repetitions < 1) {
    throw new UserError(`${repetitions} repetitions: give a whole number from 1`);
  }
}

/** @throws UserError when labels, rows, taps and classes do not belong together. */
export function checkTask(task: ProbeTask): void {
  const { train, test, classes, taps } = task;
  if (taps.length !== train.matrix.blocks.length) {
    throw new UserError(`${taps.length} taps are described and ${train.matrix.blocks.length} are given`);
  }
  if (train.matrix.rows < 2) throw new UserError('there is one training example: a probe needs at least two');
  checkExamples(train, classes, 'training');
  if (new Set(train.labels).size < 2) {
    throw new UserError(
      `the ${train.labels.length} training labels are all of class '${classes[train.labels[0] as number]}': a probe needs at least two classes`,
    );
  }
  if (!test) return;
  if (test.matrix.features !== train.matrix.features) {
    throw new UserError(
      `the training features have ${train.matrix.features} columns and the test features ${test.matrix.features}: use the same taps and pooling`,
    );
  }
  checkExamples(test, classes, 'test');
  const trained = new Set(train.labels);
  const unseen = [...new Set(test.labels)].filter((c) => !trained.has(c));
  if (unseen.length > 0) {
    throw new UserError(
      `class '${classes[unseen[0] as number]}' has test examples but no training example: add some or drop the class`,
    );
  }
}

function checkExamples({ matrix, labels, groups, control }: Examples, classes: readonly string[], which: string): void {
  if (labels.length !== matrix.rows) {
    throw new UserError(`${labels.length} ${which} labels for ${matrix.rows} rows of features: give one label per row`);
  }
  for (const [i, label] of labels.entries()) {
    if (!Number.isInteger(label) || label < 0 || label >= classes.length) {
      throw new UserError(
        `${which} label ${label} at row ${i}: labels are whole numbers from 0 to ${classes.length - 1}`,
      );
    }
  }
  if (groups && groups.length !== matrix.rows) {
    throw new UserError(`${groups.length} groups for ${matrix.rows} ${which} rows: give every row a group`);
  }
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

/** All features of a block, ascending. */
export function featuresOfBlock(matrix: FeatureMatrix, block: number): Int32Array {
  const first = matrix.offsets[block] as number;
  return Int32Array.from({ length: (matrix.offsets[block + 1] as number) - first }, (_, j) => first + j);
}

/** Where a feature of a tap sits: channel, and row and column of its cell ('' where the cell is a token apart or all). */
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
