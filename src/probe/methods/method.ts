/**
 * A method turns training examples into a classifier. It sees training rows only; the one that looks at test labels
 * (oracle) says so, and is labelled as such wherever it is shown.
 */
import type { Engine } from '../../engine/index.js';
import type { LinearModel, PathPoint } from '../../solver/index.js';
import { type Designs, gramOf, type TuningFold, type TuningRow } from '../cross-validation.js';
import type { Ranking, Selection } from '../selection.js';
import type { Examples, ProbeOptions, ProbeTap } from '../task.js';

export interface MethodContext {
  readonly engine: Engine;
  readonly train: Examples;
  readonly taps: readonly ProbeTap[];
  /** K. */
  readonly classes: number;
  readonly folds: readonly TuningFold[];
  readonly options: ProbeOptions;
  readonly designs: Designs;
  /** Results that methods of one call share (Gram matrices, the features that head2toe kept). */
  readonly shared: Shared;
  /** Test examples with their labels; only for a method that `peeks`. */
  readonly peek?: Examples | undefined;
  readonly progress: (note: string) => void;
}

/** A fitted classifier and how it came about. */
export interface Fit {
  /** Class probabilities (n, K), row-major. */
  probabilities(examples: Examples): Promise<Float64Array>;
  /** The linear probe on the features of `train.matrix`, where the method is one. */
  readonly model?: LinearModel;
  /** Chosen settings: lambda, keepFraction, l2, k ... */
  readonly tuned: Readonly<Record<string, number>>;
  /** Validation accuracy of the chosen settings, over all validation rows and per fold; undefined when nothing was tuned. */
  readonly validation?: { readonly accuracy: number; readonly folds: readonly number[] } | undefined;
  readonly grid: readonly TuningRow[];
  readonly path: readonly PathPoint[];
  readonly selection?: Selection;
  /** Whether every solver behind the result reached its tolerance. */
  readonly converged: boolean;
  /** Sentences that belong beside the result. */
  readonly notes: readonly string[];
}

export interface Method {
  readonly name: string;
  /** What it is, in a few words. */
  readonly title: string;
  /** Uses test labels. */
  readonly peeks?: boolean;
  fit(context: MethodContext): Promise<Fit>;
}

/** Computed once per call, whoever asks first. */
export class Shared {
  readonly #values = new Map<string, Promise<unknown>>();

  once<T>(key: string, make: () => Promise<T>): Promise<T> {
    let value = this.#values.get(key);
    if (!value) {
      value = make();
      this.#values.set(key, value);
    }
    return value as Promise<T>;
  }

  /** What another method left under this key, if it ran. */
  found<T>(key: string): Promise<T> | undefined {
    return this.#values.get(key) as Promise<T> | undefined;
  }
}

/** The validation summary of a chosen grid row. */
export function summary(row: TuningRow): { accuracy: number; folds: readonly number[] } {
  return { accuracy: row.accuracy, folds: row.folds };
}

/** Gram of some features of the training matrix as a fold normalises them; shared where folds do not differ. */
export async function foldGram(
  context: MethodContext,
  key: string,
  matrix: Examples['matrix'],
  indices: Int32Array | undefined,
  rows?: readonly number[],
): Promise<Float32Array> {
  const { designs, engine, shared } = context;
  const own = designs.standardize ? rows : undefined;
  return shared.once(`gram ${key} ${own ? own.join() : ''}`, async () =>
    gramOf(engine, await designs.get(matrix, own), indices),
  );
}

/** Rankings of one set of training rows, one per candidate lambda (a single one for scores without lambda). */
export type Ranker = (context: MethodContext, rows: readonly number[] | undefined) => Promise<RankerResult>;

export interface RankerResult {
  readonly rankings: readonly Ranking[];
  readonly path: readonly PathPoint[];
  /** Points of the path that the rankings stand for. */
  readonly points: readonly number[];
  readonly entryLambda?: Float64Array;
  readonly converged: boolean;
}
