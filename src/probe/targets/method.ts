/** A method turns features and values, or labels that are true or not, into a linear model; settings by left-out examples. */
import { UserError } from '../../base/index.js';
import type { Engine } from '../../engine/index.js';
import type { ValuedKind } from '../../record/index.js';
import { type FeatureMatrix, kernelFits, type LinearModel } from '../../solver/index.js';
import type { ProbeOptions } from '../options.js';
import type { ProbeTap } from '../task.js';

/** How values and labels are fitted: as classes are, where both ask. */
export interface ValuedOptions
  extends Pick<
    ProbeOptions,
    'folds' | 'seed' | 'lambdaCount' | 'lambdaRatio' | 'lambdaRatios' | 'tolerance' | 'fractions' | 'l2'
  > {
  readonly standardize: boolean;
}

export interface ValuedContext {
  readonly engine: Engine;
  readonly matrix: FeatureMatrix;
  readonly taps: readonly ProbeTap[];
  /** (n, q). */
  readonly values: Float64Array;
  readonly outputs: number;
  readonly groups: readonly string[] | undefined;
  /** Rows that are left out together: disjoint, and all rows or those of the validation split. */
  readonly folds: readonly (readonly number[])[];
  readonly kind: ValuedKind;
  readonly options: ValuedOptions;
  readonly progress: (text: string) => void;
}

/** What a setting says of examples that it was not fitted to: values, or scores of labels. */
export interface LeftOutScores {
  readonly rows: readonly number[];
  /** (rows.length, q). */
  readonly scores: Float64Array;
}

export interface ValuedRow {
  readonly settings: Readonly<Record<string, number>>;
  /** Of left-out examples: squared error as a share of their variance, mean over outputs; or, of scores of labels, cross-entropy in nats. */
  readonly loss: number;
}

export interface ValuedFit {
  readonly model: LinearModel;
  readonly tuned: Readonly<Record<string, number>>;
  readonly grid: readonly ValuedRow[];
  /** Of the chosen setting. */
  readonly left: LeftOutScores;
  /** Share of each tap, (taps): of the variance that the penalty sees, or of the features that have a weight. */
  readonly shares: readonly number[];
  /** Whether every solver behind it reached its tolerance. */
  readonly converged: boolean;
  /** Sentences that belong beside the result. */
  readonly notes: readonly string[];
}

export interface ValuedMethod {
  readonly id: string;
  readonly title: string;
  /** What the shares of its fit's taps are shares of, where taps do not all count alike. */
  readonly sharesOf?: 'variance' | 'features';
  /** Fitted only where it is named. */
  readonly onRequest?: true;
  fit(context: ValuedContext): Promise<ValuedFit>;
}

/** What several folds say, as one. */
export function joined(parts: readonly LeftOutScores[]): LeftOutScores {
  const rows = parts.flatMap((part) => part.rows);
  const scores = new Float64Array(parts.reduce((sum, part) => sum + part.scores.length, 0));
  let at = 0;
  for (const part of parts) {
    scores.set(part.scores, at);
    at += part.scores.length;
  }
  return { rows, scores };
}

/** The rows that a fold leaves to fit to. */
export function othersOf(fold: readonly number[], rows: number): number[] {
  const held = new Set(fold);
  return Array.from({ length: rows }, (_, i) => i).filter((i) => !held.has(i));
}

/** Rows of values (n, q), one after another. */
export function rowsOf(values: Float64Array, q: number, rows: readonly number[]): Float64Array {
  const own = new Float64Array(rows.length * q);
  for (const [i, row] of rows.entries()) own.set(values.subarray(row * q, (row + 1) * q), i * q);
  return own;
}

/** @param kernels of taps that are held beside the one that is solved @throws UserError where they do not fit in memory */
export function checkKernels(rows: number, kernels = 0): void {
  if (kernelFits(rows, kernels)) return;
  throw new UserError(
    `the kernels of ${rows} training examples do not fit in memory: take fewer examples or fewer taps`,
  );
}

export const leastLoss = <T extends { readonly loss: number }>(rows: readonly T[]): T =>
  rows.reduce((best, row) => (row.loss < best.loss ? row : best));
