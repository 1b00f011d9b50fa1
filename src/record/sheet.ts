/**
 * From answers to cells. A method leaves a sheet: its cell without scores, and what it says of the test examples. Whoever
 * owns the test labels turns sheets into cells; nobody else needs the labels. Sheets are JSON.
 */
import { z } from 'zod';
import { percent } from '../base/index.js';
import { meanOverSeeds, wilsonInterval } from '../stats/index.js';
import { count, DoneCell, type TapProbe, type TapRecord } from './schema.js';
import { type Predictions, type Score, score, type Targets } from './score.js';

const unscored = {
  score: true,
  interval: true,
  meanPerClass: true,
  logLoss: true,
  calibrationError: true,
  suspect: true,
} as const;
const UnscoredCell = DoneCell.omit(unscored);
/** A finished cell before anybody looked at test labels. */
export type UnscoredCell = z.infer<typeof UnscoredCell>;

export interface Sheet {
  readonly cell: UnscoredCell;
  /** Of the test examples; absent without these, and for a bound. */
  readonly predictions?: Predictions | undefined;
  /** Of a bound: what each classifier says that it may choose by the test labels. */
  readonly alternatives?: readonly Alternative[] | undefined;
  /** One for each of the cell's rank windows. */
  readonly windows?: readonly Predictions[] | undefined;
}

interface Alternative {
  readonly name: string;
  readonly predictions: Predictions;
}

const StoredPredictions = z.strictObject({ kind: z.literal('class'), predicted: z.array(count) });

/** A sheet in a file: predictions without their probabilities. */
export const StoredSheet = z.strictObject({
  cell: UnscoredCell,
  predictions: StoredPredictions.optional(),
  alternatives: z.array(z.strictObject({ name: z.string(), predictions: StoredPredictions })).optional(),
  windows: z.array(StoredPredictions).optional(),
});
export type StoredSheet = z.infer<typeof StoredSheet>;

const stored = ({ kind, predicted }: Predictions) => ({ kind, predicted: Array.from(predicted) });

export function storeSheet({ cell, predictions, alternatives, windows }: Sheet): StoredSheet {
  return {
    cell,
    ...(predictions ? { predictions: stored(predictions) } : {}),
    ...(alternatives ? { alternatives: alternatives.map((a) => ({ ...a, predictions: stored(a.predictions) })) } : {}),
    ...(windows ? { windows: windows.map(stored) } : {}),
  };
}

export interface ScoredSheet {
  readonly cell: DoneCell;
  /** What the cell is scored by; of a bound the chosen alternative's. */
  readonly predictions?: Predictions | undefined;
}

/** @param targets of the test examples; without them the cell stays without a score */
export function scoreSheet(sheet: Sheet, targets: Targets | undefined): ScoredSheet {
  const { cell, windows } = sheet;
  if (!targets) return { cell };
  const chosen = sheet.alternatives?.length ? best(sheet.alternatives, targets) : undefined;
  const predictions = chosen?.predictions ?? sheet.predictions;
  if (!predictions) return { cell };
  const scored = score(predictions, targets);
  const suspect = suspicion(scored, cell.validation);
  return {
    predictions,
    cell: {
      ...cell,
      ...(chosen ? { settings: { ...cell.settings, tap: chosen.name } } : {}),
      score: scored.accuracy,
      interval: scored.interval,
      meanPerClass: scored.meanPerClass,
      ...(scored.logLoss === undefined ? {} : { logLoss: scored.logLoss }),
      ...(scored.calibrationError === undefined ? {} : { calibrationError: scored.calibrationError }),
      ...(suspect === undefined ? {} : { suspect }),
      ...(windows && cell.selection?.rankWindows
        ? { selection: { ...cell.selection, rankWindows: scoreWindows() } }
        : {}),
    },
  };

  function scoreWindows() {
    return cell.selection?.rankWindows?.map((window, i) => {
      const own = score(windows?.[i] as Predictions, targets as Targets);
      return { ...window, score: own.accuracy, interval: own.interval };
    });
  }
}

/** The alternative with the highest test score; of equals the first. */
function best(alternatives: readonly Alternative[], targets: Targets): Alternative {
  const scores = alternatives.map((a) => score(a.predictions, targets).accuracy);
  return alternatives[scores.indexOf(Math.max(...scores))] as Alternative;
}

/** How far above chance validation must be, and above the test score, for a test score at chance to be our fault. */
const FAR = 0.2;

/**
 * A method that validates far above chance and scores at or below it on the test set has a broken final fit: that is a
 * fault of the program (or the test examples are of another kind), not a finding.
 */
function suspicion({ accuracy, n, confusion }: Score, validation: number | undefined): string | undefined {
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
  readonly l2: number;
  readonly converged: boolean;
  readonly predictions?: Predictions | undefined;
}

const StoredTapAnswer = z.strictObject({
  validation: z.number(),
  l2: z.number(),
  converged: z.boolean(),
  predictions: StoredPredictions.optional(),
});
export const StoredTapSheet = z.strictObject({
  alias: z.string(),
  alone: StoredTapAnswer,
  withLast: StoredTapAnswer.optional(),
});

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
    if (!predictions || !targets) return rest;
    const { accuracy, interval } = score(predictions, targets);
    return { ...rest, score: accuracy, interval };
  };
  return new Map(
    sheets.map(({ alias, alone, withLast }) => [
      alias,
      { alone: probe(alone), ...(withLast ? { withLast: probe(withLast) } : {}) },
    ]),
  );
}

/** Cells of one method that differ in their seed, as one: the mean, with the wider of the two intervals. */
export function overSeeds(cells: readonly { readonly seed: number; readonly cell: DoneCell }[], n: number): DoneCell {
  const [first] = cells as [(typeof cells)[number], ...(typeof cells)[number][]];
  if (cells.length === 1) return first.cell;
  const scores = cells.flatMap(({ seed, cell }) => (cell.score === undefined ? [] : [{ seed, score: cell.score }]));
  const { mean, interval } = meanOverSeeds(scores.map((s) => s.score));
  const [low, high] = wilsonInterval(Math.round(mean * n), n);
  return {
    ...first.cell,
    score: mean,
    interval: interval
      ? [Math.max(0, Math.min(low, interval[0])), Math.min(1, Math.max(high, interval[1]))]
      : [low, high],
    ...averages(cells.map(({ cell }) => cell)),
    seeds: scores,
    seconds: cells.reduce((sum, { cell }) => sum + cell.seconds, 0),
    converged: cells.every(({ cell }) => cell.converged),
    ...(cells.some(({ cell }) => cell.failedToTrain) ? { failedToTrain: true } : {}),
    ...suspectOf(cells.map(({ cell }) => cell)),
  };
}

/** Means of the figures that every seed has. */
function averages(cells: readonly DoneCell[]): Partial<DoneCell> {
  const keys = ['validation', 'meanPerClass', 'logLoss', 'calibrationError'] as const;
  return Object.fromEntries(
    keys.flatMap((key) => {
      const values = cells.flatMap((cell) => cell[key] ?? []);
      return values.length === cells.length ? [[key, values.reduce((a, b) => a + b, 0) / values.length]] : [];
    }),
  );
}

function suspectOf(cells: readonly DoneCell[]): { suspect?: string } {
  const found = cells.find((c) => c.suspect !== undefined)?.suspect;
  return found === undefined ? {} : { suspect: found };
}
