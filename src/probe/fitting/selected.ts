/**
 * Select, then refit: Head2Toe and its baselines differ only in how features are ranked.
 *
 * Everything is tuned inside the training rows: in each fold features are ranked on the fold's training part, probes on
 * the top fractions are fitted there and judged on its validation part. Features keep the values they were ranked with
 * (normalise, then select). Lambda and fraction are compared by validation accuracy at one l2 penalty, at which log losses
 * would compare how strongly that penalty binds; of the fractions the smallest within one standard error of the best is
 * kept, the error of their difference on the same rows. The penalty is tuned for the chosen pair.
 */
import type { Design, PathPoint } from '../../solver/index.js';
import { standardErrorOf } from '../../stats/index.js';
import { type MethodContext, validationGroups } from '../context.js';
import type { Fit } from '../methods/method.js';
import { type Ranking, rankBy } from '../ranking.js';
import { type Kept, keepCount, topFeatures } from '../selection.js';
import { accuracyIn, chooserBy, edgeNote, estimateOf } from '../tuning/choice.js';
import { type FoldFit, FoldProbes, fitL2 } from '../tuning/probes.js';
import { asTable, type FoldFeatures, type FoldSource, sourceOf, tableSource } from '../tuning/sources.js';
import { type Answers, type Figures, Tally, type TuningRow } from '../tuning/tally.js';
import { TopGrams } from '../tuning/tops.js';
import { conclusionOf } from './conclusion.js';
import { penaltyNotes, predictLinear, validateL2 } from './l2.js';

/** Rankings of one set of training rows (all by default), one per candidate lambda. */
export type Ranker = (context: MethodContext, rows?: readonly number[]) => Promise<Ranked>;

export interface Ranked {
  /** A single one for scores without lambda. */
  readonly rankings: readonly Ranking[];
  readonly path: readonly PathPoint[];
  /** Points of the path that the rankings stand for. */
  readonly points: readonly number[];
  /** Largest lambda at which each feature has a weight, (p). */
  readonly entryLambda?: Float64Array;
  readonly converged: boolean;
}

/** A ranker by one score per feature, without lambda. */
export function byScore(score: (context: MethodContext, rows: readonly number[]) => Promise<Float64Array>): Ranker {
  return async (context, rows) => {
    const scores = await score(context, rows ?? Array.from(context.train.labels.keys()));
    return { rankings: [{ scores, order: rankBy(scores) }], path: [], points: [], converged: true };
  };
}

/** One point. */
const KEEP_MARGIN = 0.01;

/**
 * The sweep compares lambdas and fractions at this penalty: a nearly unpenalised probe of separable classes takes long
 * to fit and ranks the candidates alike.
 */
const SWEEP_L2 = 1e-4;
/** Precision of the sweep: relative gradient norm (see KernelLogistic). */
const sweepPrecision = { tolerance: 0.2, maxIterations: 80 };

/** @param fractions keep fractions to choose from */
export async function fitSelected(context: MethodContext, ranker: Ranker, fractions: readonly number[]): Promise<Fit> {
  const { engine, train, classes, options, designs, memo, progress } = context;
  const { matrix, labels } = train;
  const groups = validationGroups(context);
  const rising = [...new Set(fractions)].sort((a, b) => a - b);
  const swept = await sweep(context, ranker, rising);
  progress('ranking of all training rows');
  const full = await memo.once(ranker, context);
  const cells = swept.cells.map(({ tally, ...cell }) => ({
    ...cell,
    row: tally.row(settingsOf(full, cell, SWEEP_L2)),
  }));
  const rule = keepRule(context, cells);
  const place = rule.choose(cells.map(({ row }) => row));
  const chosen = cells[place] as Swept;
  const k = keepCount(chosen.fraction, matrix.features);
  const features = foldFeatures(context, swept.folds, chosen, k);
  const refits = (await validateL2(context, options.l2, features)).map(
    (row): TuningRow => ({ ...row, settings: settingsOf(full, chosen, row.settings.l2 as number) }),
  );
  const choose = chooserBy(options);
  const best = choose(refits);
  const { l2 } = best.settings as { l2: number };

  const ranking = full.rankings[chosen.candidate] as Ranking;
  const top = topFeatures(ranking, k);
  progress('probe on the selected features');
  const design = await designs.get(matrix);
  const { model, converged } = await fitL2({ engine, design, indices: top, labels, classes, l2 });
  const foldsConverged = swept.folds.every((fold) => fold.converged);

  // Pairs other than the chosen one have no tuned penalty: what tuning gains for it is taken to be theirs too.
  const sweepRows = cells.map(({ row }) => row);
  const pick = (drawn: readonly Figures[], others: readonly Figures[]) => {
    const tuned = drawn.slice(sweepRows.length);
    const after = others[sweepRows.length + tuned.indexOf(choose(tuned))] as Figures;
    const [now, before] = [others[rule.choose(drawn.slice(0, sweepRows.length))], others[place]] as [Figures, Figures];
    return {
      accuracy: now.accuracy + after.accuracy - before.accuracy,
      balanced: now.balanced + after.balanced - before.balanced,
    };
  };
  const estimate = estimateOf([...sweepRows, ...refits], best, pick, { groups, seed: options.seed });
  const conclusion = conclusionOf(best, estimate);
  return {
    predict: (inputs) => predictLinear(engine, model, inputs.matrix, conclusion.temperature),
    model,
    tuned: best.settings,
    ...conclusion,
    refit: { features, l2 },
    grid: [...sweepRows, ...refits],
    path: full.path,
    selection: {
      features: top,
      ranking,
      ...(full.entryLambda ? { entryLambda: full.entryLambda } : {}),
      again: async (rows) => {
        const { rankings } = await memo.once(ranker, context, rows);
        return topFeatures(rankings[chosen.candidate] as Ranking, k);
      },
      kept: rule.said(sweepRows),
    },
    converged: foldsConverged && full.converged && best.converged && converged,
    notes: [
      ...supportNote(ranking, k),
      ...fractionNotes(context, cells, chosen),
      ...penaltyNotes(context, refits, best),
      ...(foldsConverged ? [] : ['a path of a fold did not reach its tolerance']),
    ],
  };
}

function supportNote({ support }: Ranking, k: number): string[] {
  return support === undefined || support >= k
    ? []
    : [`${support} of the ${k} kept features have a weight in the group lasso; the others are the next to enter`];
}

/** A keep fraction at the upper edge of its grid; nothing is amiss with the smallest. */
function fractionNotes(context: MethodContext, cells: readonly Swept[], { fraction, row }: Swept): string[] {
  const own = cells.filter((c) => c.candidate === cells.find((d) => d.row === row)?.candidate).map((c) => c.row);
  const largest = Math.max(...cells.map((c) => c.fraction));
  if (fraction < largest || largest === 1) return [];
  const options = { ...context.options, choose: 'accuracy' as const };
  const edge = { key: 'keepFraction', name: 'keep fraction', flag: '--keep' };
  return edgeNote(own, row, edge, { options, groups: validationGroups(context) });
}

interface Candidate {
  readonly candidate: number;
  readonly fraction: number;
}

interface Swept extends Candidate {
  readonly row: TuningRow;
}

/** How lambda and fraction are chosen of what the sweep found; the best of each fraction over lambdas counts. */
function keepRule(context: MethodContext, cells: readonly Swept[]) {
  const { options } = context;
  const groups = validationGroups(context);
  const fractions = [...new Set(cells.map((c) => c.fraction))];
  const choose = chooserBy({ ...options, choose: 'accuracy' });
  const places = fractions.map((fraction) => cells.flatMap((c, i) => (c.fraction === fraction ? [i] : [])));
  const best = choose(cells.map(({ row }) => row));
  const slacks = new Map<string, number>();
  /** Standard error of the difference between two cells, which judged the same rows. */
  const slack = (i: number, j: number): number => {
    const key = `${Math.min(i, j)} ${Math.max(i, j)}`;
    const [a, b] = [cells[i] as Swept, cells[j] as Swept].map(({ row }) => row.answers) as [Answers, Answers];
    const known =
      slacks.get(key) ??
      standardErrorOf(
        Float64Array.from(a.right, (v, row) => v - (b.right[row] as number)),
        { clusters: groups, ...(options.classWeight === 'balanced' ? { strata: a.labels } : {}) },
      );
    slacks.set(key, known);
    return known;
  };
  const bestOf = <T extends Figures>(rows: readonly T[], own: readonly number[]): number => {
    const some = own.map((i) => rows[i] as T);
    return own[some.indexOf(choose(some))] as number;
  };
  /** The place of the chosen row. */
  const place = (rows: readonly Figures[]): number => {
    const top = rows.indexOf(choose(rows));
    if (options.keepRule === 'max') return top;
    const score = (i: number) => accuracyIn(rows[i] as Figures, options);
    const allowed = (i: number) =>
      options.keepRule === 'margin' ? (options.keepMargin ?? KEEP_MARGIN) : slack(i, top);
    const found = places
      .map((own) => bestOf(rows, own))
      .find((i) => score(top) - score(i) <= (i === top ? 0 : allowed(i)) + 1e-12);
    return found ?? top;
  };
  return {
    choose: place,
    said: (rows: readonly TuningRow[]): Kept => {
      const [chosen, top] = [place(rows), rows.indexOf(best)];
      return {
        points: fractions.map((fraction, i) => ({
          fraction,
          score: accuracyIn(rows[bestOf(rows, places[i] as number[])] as TuningRow, options),
        })),
        rule: options.keepRule,
        best: (cells[top] as Swept).fraction,
        standardError: chosen === top ? 0 : slack(chosen, top),
      };
    },
  };
}

interface SweepCell extends Candidate {
  readonly tally: Tally;
}

/** Every candidate ranking at every fraction, judged on the validation rows of every fold. */
async function sweep(
  context: MethodContext,
  ranker: Ranker,
  fractions: readonly number[],
): Promise<{ folds: readonly Ranked[]; cells: readonly SweepCell[] }> {
  const { folds, memo, progress } = context;
  const ranked: Ranked[] = [];
  for (const [f, { train }] of folds.entries()) {
    progress(`ranking, fold ${f + 1} of ${folds.length}`);
    ranked.push(await memo.once(ranker, context, train));
  }
  const cells = fractions.flatMap((fraction) =>
    (ranked[0] as Ranked).rankings.map((_, candidate) => ({ candidate, fraction, tally: new Tally() })),
  );
  for await (const { f, fraction, sources } of topSources(context, ranked, fractions)) {
    progress(`keep fraction ${fraction}, fold ${f + 1} of ${folds.length}`);
    // Neighbours on the path select nearly the same features: each fit is the next one's start.
    let start: FoldFit | undefined;
    for (const cell of cells.filter((c) => c.fraction === fraction)) {
      const source = await sources();
      const probes = new FoldProbes({ ...problemOf(context, f), source }, sweepPrecision);
      if (start) await probes.startFrom(start);
      start = await probes.fit(SWEEP_L2, cell.tally);
    }
  }
  return { folds: ranked, cells };
}

function problemOf({ train, classes, designs, folds }: MethodContext, f: number) {
  return { designs, fold: folds[f] as MethodContext['folds'][number], labels: train.labels, classes };
}

interface TopSources {
  readonly f: number;
  readonly fraction: number;
  /** What the probes of the fold's candidates read, one after another. */
  readonly sources: () => Promise<FoldSource>;
}

/** The tops of all folds' rankings: folds that are normalised alike share what their rankings have in common. */
async function* topSources(
  { engine, train: { matrix }, designs, folds }: MethodContext,
  ranked: readonly Ranked[],
  fractions: readonly number[],
): AsyncGenerator<TopSources> {
  const alike = new Map<Design | undefined, number[]>();
  const tables = folds.every((fold) => asTable(matrix.features, fold));
  for (const [f, fold] of folds.entries()) {
    const design = tables ? undefined : await designs.get(matrix, fold.train);
    alike.set(design, [...(alike.get(design) ?? []), f]);
  }
  for (const [design, places] of alike) {
    const rankings = places.map((f) => (ranked[f] as Ranked).rankings);
    const grams = design && new TopGrams(engine, design, rankings.flat());
    for (const fraction of fractions) {
      const k = keepCount(fraction, matrix.features);
      const tops = grams?.of(k);
      for (const [i, f] of places.entries()) {
        const left = (rankings[i] as readonly Ranking[]).values();
        const sources = async (): Promise<FoldSource> => {
          if (tops) return { gram: (await tops.next()).value as Float32Array };
          return tableSource(designs, matrix, topFeatures(left.next().value as Ranking, k));
        };
        yield { f, fraction, sources };
      }
    }
  }
}

/** What the probe of each fold reads: the top of the fold's own ranking. */
function foldFeatures(
  { train, designs }: MethodContext,
  ranked: readonly Ranked[],
  { candidate }: Candidate,
  k: number,
): FoldFeatures {
  const { matrix } = train;
  const tops = ranked.map(({ rankings }) => topFeatures(rankings[candidate] as Ranking, k));
  return {
    matrix,
    indices: (f) => tops[f],
    source: (fold, f) => sourceOf(designs, matrix, tops[f], fold),
  };
}

/** What a setting is called in the grid: lambda of the path on all rows, where the ranking has one. */
function settingsOf(full: Ranked, { candidate, fraction }: Candidate, l2: number) {
  const point = full.path[full.points[candidate] ?? -1];
  return { ...(point ? { lambda: point.lambda, ratio: point.ratio } : {}), keepFraction: fraction, l2 };
}
