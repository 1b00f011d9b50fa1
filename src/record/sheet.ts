/**
 * From answers to cells. A method leaves a sheet: its cell without scores, and what it says of the test examples. Whoever
 * owns the test labels turns sheets into cells; nobody else needs the labels. Sheets are JSON.
 */
import * as z from 'zod';
import { given, percent } from '../base/index.js';
import { mean } from '../stats/index.js';
import { count, DoneCell, type Selection } from './cell-schema.js';
import type { TapProbe, TapRecord } from './schema.js';
import {
  balancedInterval,
  type ClassPredictions,
  type ClassScore,
  type ClassTargets,
  meanScore,
  type Predictions,
  score,
  type Targets,
} from './score.js';
import {
  contributions,
  headline,
  intervalOf,
  type ValuedPredictions,
  type ValuedScore,
  type ValuedTargets,
  valuedScore,
} from './valued-score.js';

const unscored = {
  score: true,
  interval: true,
  effectiveN: true,
  meanPerClass: true,
  meanPerClassInterval: true,
  macroF1: true,
  logLoss: true,
  calibrationError: true,
  values: true,
  labels: true,
  suspect: true,
} as const;
const UnscoredCell = DoneCell.omit(unscored);
/** A finished cell before anybody looked at test labels. */
export type UnscoredCell = z.infer<typeof UnscoredCell>;

/** What a method leaves: its cell without scores, and what it says of the test examples. */
export interface Sheet {
  readonly cell: UnscoredCell;
  /** Of the test examples; absent without these, and for a bound. */
  readonly predictions?: Predictions | undefined;
  /** Of a bound: what each classifier says that it may choose by the test labels. */
  readonly alternatives?: readonly Alternative[] | undefined;
  /** One for each of the cell's rank windows. */
  readonly windows?: readonly ClassPredictions[] | undefined;
}

interface Alternative {
  readonly name: string;
  readonly predictions: ClassPredictions;
}

const StoredClasses = z.strictObject({ kind: z.literal('class'), predicted: z.array(count) });
const StoredValues = z.strictObject({ kind: z.literal('values'), values: z.array(z.number()).describe('(n, q)') });

/** A sheet in a file: predictions without their probabilities. */
export const StoredSheet = z.strictObject({
  cell: UnscoredCell,
  predictions: z.discriminatedUnion('kind', [StoredClasses, StoredValues]).optional(),
  alternatives: z.array(z.strictObject({ name: z.string(), predictions: StoredClasses })).optional(),
  windows: z.array(StoredClasses).optional(),
});
export type StoredSheet = z.infer<typeof StoredSheet>;

const stored = ({ kind, predicted }: ClassPredictions) => ({ kind, predicted: Array.from(predicted) });

const storedAnswer = (predictions: Predictions): NonNullable<StoredSheet['predictions']> =>
  predictions.kind === 'class' ? stored(predictions) : { kind: 'values', values: Array.from(predictions.values) };

/** A sheet as it is kept in a file. */
export function storeSheet({ cell, predictions, alternatives, windows }: Sheet): StoredSheet {
  return {
    cell,
    ...(predictions ? { predictions: storedAnswer(predictions) } : {}),
    ...(alternatives ? { alternatives: alternatives.map((a) => ({ ...a, predictions: stored(a.predictions) })) } : {}),
    ...(windows ? { windows: windows.map(stored) } : {}),
  };
}

/** A cell with its scores. */
export interface ScoredSheet {
  readonly cell: DoneCell;
  /** What the cell is scored by, of classes; of a bound the chosen alternative's. */
  readonly predictions?: ClassPredictions | undefined;
  /** Of values and labels: what each example adds to the score, (n). */
  readonly contributions?: Float64Array | undefined;
}

/**
 * Scores what a method said.
 * @param targets of the test examples; without them the cell stays without a score
 */
export function scoreSheet(
  { cell, predictions, alternatives, windows }: Sheet,
  targets: Targets | undefined,
): ScoredSheet {
  if (!targets) return { cell };
  if (targets.kind !== 'class') return predictions?.kind === 'values' ? valued(cell, predictions, targets) : { cell };
  const chosen = alternatives?.length ? best(alternatives, targets) : undefined;
  const answer = chosen?.predictions ?? predictions;
  if (answer?.kind !== 'class') return { cell };
  const scored = score(answer, targets);
  const { accuracy, interval, meanPerClass, meanPerClassInterval, macroF1, logLoss, calibrationError } = scored;
  const suspect = suspicion(scored, cell.validation);
  return {
    predictions: answer,
    cell: {
      ...cell,
      ...(chosen ? { settings: { ...cell.settings, tap: chosen.name } } : {}),
      ...given({
        score: accuracy,
        interval,
        meanPerClass,
        meanPerClassInterval,
        macroF1,
        logLoss,
        calibrationError,
        suspect,
      }),
      ...(cell.selection ? { selection: scoreWindows(cell.selection, windows ?? [], targets) } : {}),
    },
  };
}

/** A cell of values or labels with its scores. */
function valued(cell: UnscoredCell, predictions: ValuedPredictions, targets: ValuedTargets): ScoredSheet {
  const scored = valuedScore(predictions, targets);
  const own = contributions(predictions.values, targets);
  return {
    ...given({ contributions: own }),
    cell: {
      ...cell,
      ...(own ? { score: headline(scored), ...given({ interval: scored.interval }) } : {}),
      ...figuresOf(scored),
    },
  };
}

/** A number, or absent where it is not defined. */
const known = (v: number): number | undefined => (Number.isNaN(v) ? undefined : v);

function figuresOf(scored: ValuedScore): Pick<DoneCell, 'values' | 'labels'> {
  if ('mAP' in scored) {
    const { vocMAP, macroF1, microF1, labels } = scored;
    const outputs = labels.map(({ positive, averagePrecision, f1, logLoss, calibrationError }) => ({
      positive,
      ...given({ averagePrecision: known(averagePrecision) }),
      f1,
      logLoss,
      calibrationError,
    }));
    return { labels: { ...given({ vocMAP: known(vocMAP) }), macroF1, microF1, outputs } };
  }
  const { mae, rmse, spearman } = scored;
  const outputs = scored.outputs.map((own) => ({
    ...given({ r2: known(own.r2) }),
    mae: own.mae,
    rmse: own.rmse,
    ...given({ spearman: known(own.spearman) }),
  }));
  return { values: { mae, rmse, ...given({ spearman: known(spearman) }), outputs } };
}

/** The windows of its ranking with the scores of their predictions, in the same order. */
function scoreWindows(selection: Selection, windows: readonly ClassPredictions[], targets: ClassTargets): Selection {
  const { rankWindows } = selection;
  if (!rankWindows) return selection;
  return {
    ...selection,
    rankWindows: rankWindows.map((window, i) => {
      const own = windows[i] && score(windows[i], targets);
      return own ? { ...window, score: own.accuracy, interval: own.interval } : window;
    }),
  };
}

/** The alternative with the highest test score; of equals the first. */
function best(alternatives: readonly Alternative[], targets: ClassTargets): Alternative {
  const scores = alternatives.map((a) => score(a.predictions, targets).accuracy);
  return alternatives[scores.indexOf(Math.max(...scores))] as Alternative;
}

/** How far above chance validation must be, and above the test score, for a test score at chance to be our fault. */
const FAR = 0.2;

/**
 * A method that validates far above chance and scores at or below it on the test set has a broken final fit: that is a
 * fault of the program (or the test examples are of another kind), not a finding.
 */
function suspicion({ accuracy, n, confusion }: ClassScore, validation: number | undefined): string | undefined {
  const chance = Math.max(...confusion.map((row) => row.reduce((a, b) => a + b, 0))) / n;
  if (validation === undefined || accuracy > chance || validation < chance + FAR || validation < accuracy + FAR)
    return undefined;
  return `its test score of ${percent(accuracy)} % is no better than naming the most frequent class (${percent(chance)} %), while validation says ${percent(validation)} %: a fault of toehold unless the test examples are of another kind; please report it`;
}

/** Probes on one tap before anybody looked at test labels. */
export interface TapSheet {
  readonly alias: string;
  readonly alone: TapAnswer;
  readonly withLast?: TapAnswer | undefined;
}
interface TapAnswer {
  readonly validation: number;
  readonly validationBest?: number | undefined;
  readonly l2: number;
  readonly converged: boolean;
  readonly predictions?: ClassPredictions | undefined;
}

const StoredTapAnswer = z.strictObject({
  validation: z.number(),
  validationBest: z.number().optional(),
  l2: z.number(),
  converged: z.boolean(),
  predictions: StoredClasses.optional(),
});
/** What a probe of one tap leaves, in a file. */
export const StoredTapSheet = z.strictObject({
  alias: z.string(),
  alone: StoredTapAnswer,
  withLast: StoredTapAnswer.optional(),
});

/** A tap's sheet as it is kept in a file. */
export function storeTapSheet({ alias, alone, withLast }: TapSheet): z.infer<typeof StoredTapSheet> {
  const answer = ({ predictions, ...rest }: TapAnswer) => ({
    ...rest,
    ...(predictions ? { predictions: stored(predictions) } : {}),
  });
  return { alias, alone: answer(alone), ...(withLast ? { withLast: answer(withLast) } : {}) };
}

/** The scored probes of every tap, by alias. */
export function scoreTaps(
  sheets: readonly TapSheet[],
  targets: Targets | undefined,
): Map<string, Pick<TapRecord, 'alone' | 'withLast'>> {
  const probe = ({ predictions, ...rest }: TapAnswer): TapProbe => {
    if (!predictions || targets?.kind !== 'class') return rest;
    const scored = score(predictions, targets);
    const { accuracy, interval } = scored;
    return { ...rest, ...given({ score: accuracy, interval, suspect: suspicion(scored, rest.validation) }) };
  };
  return new Map(
    sheets.map(({ alias, alone, withLast }) => [
      alias,
      { alone: probe(alone), ...(withLast ? { withLast: probe(withLast) } : {}) },
    ]),
  );
}

/** A scored run of a method with one seed. */
export interface SeedRun {
  readonly seed: number;
  readonly cell: DoneCell;
  /** Classes; absent where the cell has no score. */
  readonly predicted?: readonly number[] | undefined;
  /** Of values and labels, in their place. */
  readonly contributions?: readonly number[] | undefined;
}

/** Figures that are averaged over seeds. */
const averaged = [
  'validation',
  'validationBest',
  'validationMeanPerClass',
  'meanPerClass',
  'macroF1',
  'logLoss',
  'calibrationError',
] as const;

/**
 * Cells of one method that differ in their seed, as one: the mean score with its interval over examples and seeds, means of
 * the figures that every seed has. Settings, path and selection are the first seed's.
 */
export function overSeeds(runs: readonly SeedRun[], targets: Targets): DoneCell {
  const all = runs.map(({ cell }) => cell);
  const [first] = all;
  if (!first) throw new Error('no cell to merge');
  if (all.length === 1) return first;
  const {
    score,
    interval,
    effectiveN,
    suspect,
    failedToTrain,
    validation,
    validationBest,
    validationInterval,
    validationMeanPerClass,
    validationFolds,
    meanPerClass,
    meanPerClassInterval,
    macroF1,
    logLoss,
    calibrationError,
    values,
    labels,
    ...common
  } = first;
  const means = averaged.flatMap((key) => {
    const values = all.flatMap((cell) => cell[key] ?? []);
    return values.length === all.length ? [[key, mean(values)]] : [];
  });
  return {
    ...common,
    ...scoreOverSeeds(runs, targets),
    ...figuresOverSeeds(all),
    ...Object.fromEntries(means),
    seconds: all.reduce((sum, cell) => sum + cell.seconds, 0),
    converged: all.every((cell) => cell.converged),
    notes: [...new Set(all.flatMap((cell) => cell.notes))],
    ...given({
      failedToTrain: all.some((cell) => cell.failedToTrain) || undefined,
      suspect: all.find((cell) => cell.suspect !== undefined)?.suspect,
    }),
  };
}

/** Means over seeds of the further figures of values and labels. */
function figuresOverSeeds(cells: readonly DoneCell[]): Pick<DoneCell, 'values' | 'labels'> {
  const values = cells.flatMap((cell) => cell.values ?? []);
  if (values.length === cells.length) return { values: meanOf(values) };
  const labels = cells.flatMap((cell) => cell.labels ?? []);
  return labels.length === cells.length ? { labels: meanOf(labels) } : {};
}

/** The mean of figures, part by part; what not all have is left out. */
function meanOf<T>(all: readonly T[]): T {
  const [first] = all;
  if (typeof first === 'number') return mean(all as readonly number[] as number[]) as T;
  if (Array.isArray(first)) return first.map((_, i) => meanOf(all.map((own) => (own as unknown[])[i]))) as T;
  const keys = Object.keys(first as object).filter((key) => all.every((own) => key in (own as object)));
  return Object.fromEntries(
    keys.map((key) => [key, meanOf(all.map((own) => (own as Record<string, unknown>)[key]))]),
  ) as T;
}

/** Nothing where a seed has no score. */
function scoreOverSeeds(runs: readonly SeedRun[], targets: Targets): Partial<DoneCell> {
  const seeds = runs.flatMap(({ seed, cell: { score } }) => (score === undefined ? [] : [{ seed, score }]));
  const said = runs.flatMap(({ predicted, contributions: own }) =>
    (predicted ?? own) ? [predicted ?? own ?? []] : [],
  );
  if (seeds.length < runs.length || said.length < runs.length) return {};
  if (targets.kind !== 'class')
    return { score: mean(seeds.map((s) => s.score)), interval: intervalOf(said, targets), seeds };
  const predicted = said;
  const { mean: score, interval, effectiveN } = meanScore(predicted, targets);
  return { score, interval, effectiveN, meanPerClassInterval: balancedInterval(predicted, targets), seeds };
}
