/** What units of each kind are given and what they leave in their records. */
import type { UnitRecord } from '../folder.js';
import type { Json } from '../plan.js';

/** Names of what a unit works on, looked up when it runs; its inputs name the same by content. */
export interface Sources {
  readonly task: string;
  readonly backbone: string;
  readonly control?: string;
  readonly [key: string]: Json | undefined;
}

/** Training rows of a cell: all, or n per class drawn with a seed. */
export interface Subset {
  readonly perClass: number;
  readonly seed: number;
  readonly [key: string]: Json | undefined;
}

export interface ExtractedTap {
  readonly alias: string;
  readonly name: string;
  readonly depth: number;
  readonly features: number;
  readonly params: number;
  readonly macs: number;
}

export interface ExtractResult {
  /** Folder of the feature store, relative to the run folder. */
  readonly store: string;
  readonly taps: readonly ExtractedTap[];
  readonly features: number;
  readonly images: number;
  readonly cost: CellCost;
}

/** What it takes to train a method, and to keep what it learnt for one task. */
export interface CellCost {
  readonly trainMacs: number;
  readonly storedBytes: number;
}

/** A method's answer, before anybody looked at test labels. */
export interface CellResult {
  /** Predicted class of every test example; absent for units that only validate. */
  readonly predicted?: readonly number[];
  /** Mean accuracy on validation rows of the settings that were chosen. */
  readonly validation?: number;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly cost: CellCost;
}

export interface ProbeResult extends CellResult {
  readonly features: number;
  readonly taps: number;
  /** By tap: features kept and share of the relevance scores. */
  readonly kept?: readonly { readonly alias: string; readonly kept: number; readonly share: number }[];
  readonly path?: readonly {
    readonly lambda: number;
    readonly ratio: number;
    readonly objective: number;
    readonly gap: number;
    readonly nonzero: number;
    readonly inactiveShare?: number;
    readonly seconds?: number;
    readonly validation?: number;
  }[];
  readonly chosenRatio?: number;
  readonly gapTolerance?: number;
  readonly converged?: boolean;
  /** Validation accuracy by keep fraction. */
  readonly fractions?: readonly { readonly fraction: number; readonly features: number; readonly accuracy: number }[];
  readonly chosenFraction?: number;
  /** Windows of consecutive ranks, each with its own predictions. */
  readonly windows?: readonly {
    readonly offset: number;
    readonly size: number;
    readonly predicted: readonly number[];
  }[];
  /** Every tap alone and with the last layer, each with its own predictions. */
  readonly singles?: readonly {
    readonly alias: string;
    readonly alone?: readonly number[];
    readonly withLast?: readonly number[];
  }[];
  readonly stability?: {
    readonly repeats: number;
    readonly over: 'seeds' | 'folds' | 'bootstrap';
    readonly jaccard: number;
    readonly interval?: readonly [number, number];
    readonly chance?: number;
    readonly frequencies: readonly { readonly times: number; readonly features: number }[];
  };
}

export interface TrainResult extends CellResult {
  readonly steps: number;
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
  readonly failedToTrain?: boolean;
  /** Why it never got to an end, for a setting that was only tried. */
  readonly diverged?: string;
  /** The trained network, in the unit's folder. */
  readonly model?: string;
}

export interface ScoreResult {
  readonly n: number;
  /** True classes of the test examples. */
  readonly labels: readonly number[];
  /** Absent for a unit that looks at layers one by one and chooses none. */
  readonly accuracy?: number;
  readonly predicted?: readonly number[];
  /** The oracle's choice. */
  readonly best?: string;
  readonly singles?: readonly { readonly alias: string; readonly alone?: number; readonly withLast?: number }[];
  readonly windows?: readonly { readonly offset: number; readonly size: number; readonly accuracy: number }[];
}

/** The result in a record, of the kind that its unit leaves. */
export function resultOf<R>(record: UnitRecord): R {
  return record.result as unknown as R;
}
