/** How right predictions of real values and of several labels are. */
import { WorkError } from '../base/index.js';
import {
  averagePrecisionContributions,
  figureInterval,
  type Interval,
  mean,
  type RegressionScore,
  r2Contributions,
  regressionScore,
  type SeveralLabelsScore,
  severalLabelsScore,
  TestDesign,
} from '../stats/index.js';

/** Kinds whose examples have numbers: real values, or 1 for each label that is true and 0 for the others. */
export type ValuedKind = 'regression' | 'multilabel';

/** What is true of examples that have q numbers each. */
export interface ValuedTargets<K extends ValuedKind = ValuedKind> {
  readonly kind: K;
  /** Names of the values or labels, (q). */
  readonly outputs: readonly string[];
  /** (n, q), row-major. */
  readonly values: ArrayLike<number>;
  /** What each example belongs to, (n); every one stands alone where absent. */
  readonly groups?: readonly string[] | undefined;
}

/** What a method says of every example: values, or probabilities of labels. */
export interface ValuedPredictions {
  readonly kind: 'values';
  /** (n, q), row-major. */
  readonly values: ArrayLike<number>;
}

/** Scores of real values: means over the values, and each one's. NaN where nothing of it is defined. */
export interface ValuesScore extends RegressionScore {
  readonly outputs: readonly RegressionScore[];
}

/** How right a method is; the interval is of R2 or of mAP, 95 %, over groups of examples where there are groups. */
export type ValuedScore<K extends ValuedKind = ValuedKind> = Figures[K] & {
  readonly n: number;
  readonly interval?: Interval;
};
interface Figures {
  readonly regression: ValuesScore;
  readonly multilabel: SeveralLabelsScore;
}

/** R2, the mean over values, or mean average precision: what methods are compared by. */
export const headline = (score: ValuedScore): number => ('mAP' in score ? score.mAP : score.r2);

/** What metrics of valued targets are called. */
export const valuedMetrics = { regression: 'R²', multilabel: 'mean average precision' } as const;

/**
 * @param withInterval computed where asked for
 * @throws WorkError when predictions and targets are not of the same examples
 */
export function valuedScore<K extends ValuedKind>(
  { values: said }: Pick<ValuedPredictions, 'values'>,
  { kind, outputs, values, groups }: ValuedTargets<K>,
  { withInterval = true }: { readonly withInterval?: boolean } = {},
): ValuedScore<K> {
  if (said.length !== values.length) {
    throw new WorkError(
      `${said.length} predicted values for ${values.length} true ones: they are not of the same examples; run again in a new folder`,
    );
  }
  const q = outputs.length;
  const n = values.length / q;
  const figures = (
    kind === 'multilabel' ? severalLabelsScore(said, values, q) : valuesScore(said, values, q)
  ) as Figures[K];
  const own = withInterval ? contributions(said, { kind, outputs, values }) : undefined;
  return { n, ...figures, ...(own ? { interval: intervalOf([own], { kind, outputs, values, groups }) } : {}) };
}

function valuesScore(said: ArrayLike<number>, truth: ArrayLike<number>, q: number): ValuesScore {
  const outputs = Array.from({ length: q }, (_, k) => regressionScore(column(said, q, k), column(truth, q, k)));
  const over = (key: keyof RegressionScore) => {
    const known = outputs.map((own) => own[key]).filter((v) => !Number.isNaN(v));
    return known.length > 0 ? mean(known) : Number.NaN;
  };
  return { r2: over('r2'), mae: over('mae'), rmse: over('rmse'), spearman: over('spearman'), outputs };
}

/**
 * What each example adds to R2 or mAP, (n): their mean is the figure (stats/contributions.ts). Undefined where the figure
 * is not defined: no value varies, or no label is true of any example.
 */
export function contributions(
  said: ArrayLike<number>,
  { kind, outputs, values }: Omit<ValuedTargets, 'groups'>,
): Float64Array | undefined {
  const of = kind === 'regression' ? r2Contributions : averagePrecisionContributions;
  const each = outputs
    .map((_, k) => of(column(said, outputs.length, k), column(values, outputs.length, k)))
    .filter((own) => !Number.isNaN(own[0]));
  const [first] = each;
  return first?.map((_, i) => mean(each.map((own) => own[i] as number)));
}

/**
 * 95 % interval of R2 or mAP over examples, by group, and over runs that differ in their seed; at most 1.
 * @param runs what examples add to the figure in each
 */
export function intervalOf(
  runs: readonly ArrayLike<number>[],
  { kind, outputs, values, groups }: ValuedTargets,
): Interval {
  const q = outputs.length;
  const design = new TestDesign(values.length / q, { clusters: groups });
  const positives = outputs.map((_, k) => column(values, q, k).reduce((sum, v) => sum + v, 0));
  const [low, high] = figureInterval(runs, design, kind === 'multilabel' ? { worth: worthOf(positives) } : {});
  return [low, Math.min(1, high)];
}

/**
 * Independent answers that a mean average precision counts as, each true label being one: the mean over labels of proportions of
 * P answers has the variance of one proportion of so many.
 * @param positives examples with each label, P; a label without any counts nothing
 */
export function worthOf(positives: readonly number[]): number {
  const known = positives.filter((p) => p > 0);
  return known.length ** 2 / known.reduce((sum, p) => sum + 1 / p, 0);
}

function column(values: ArrayLike<number>, q: number, k: number): Float64Array {
  return Float64Array.from({ length: values.length / q }, (_, i) => values[i * q + k] as number);
}
