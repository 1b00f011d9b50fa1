/**
 * Select, then refit: Head2Toe and its baselines differ only in how features are ranked.
 *
 * Everything is tuned inside the training rows: in each fold features are ranked on the fold's training part, probes on
 * the top fractions are fitted there and judged on its validation part. Features keep the values they were ranked with
 * (normalise, then select). Lambda and fraction are compared at one l2 penalty; the penalty is tuned for the chosen pair.
 */
import { stratifiedFolds } from '../../data/index.js';
import type { KernelFit, PathPoint } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import type { Fit } from '../methods/method.js';
import { type Ranking, rankBy } from '../ranking.js';
import { frequencies, keepCount, meanJaccard, topFeatures } from '../selection.js';
import { gramOf } from '../tuning/grams.js';
import { FoldProbes, fitL2 } from '../tuning/probes.js';
import { bestRow, Tally, type TuningRow } from '../tuning/tally.js';
import { predictLinear, validateL2 } from './l2.js';

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

/**
 * The sweep compares lambdas and fractions at this penalty: a nearly unpenalised probe of separable classes takes long
 * to fit and ranks the candidates alike.
 */
const SWEEP_L2 = 1e-4;
/** Precision of the sweep: relative gradient norm (see KernelLogistic). */
const sweepPrecision = { tolerance: 0.2, maxIterations: 80 };

/** @param fractions keep fractions to choose from */
export async function fitSelected(context: MethodContext, ranker: Ranker, fractions: readonly number[]): Promise<Fit> {
  const { engine, train, classes, designs, memo, progress } = context;
  const { matrix, labels } = train;
  const rising = [...new Set(fractions)].sort((a, b) => a - b);
  const swept = await sweep(context, ranker, rising);
  progress('ranking of all training rows');
  const full = await memo.once(ranker, context);
  const rows = swept.cells.map((cell) => ({ ...cell, row: cell.tally.row(settingsOf(full, cell, SWEEP_L2)) }));
  const winner = bestRow(rows.map(({ row }) => row));
  const chosen = rows.find(({ row }) => row === winner) as (typeof rows)[number];
  const k = keepCount(chosen.fraction, matrix.features);
  const refits = await tunePenalty(context, full, chosen, swept.folds);
  const best = bestRow(refits);
  const { l2 } = best.settings as { l2: number };

  const ranking = full.rankings[chosen.candidate] as Ranking;
  const features = topFeatures(ranking, k);
  progress('probe on the selected features');
  const design = await designs.get(matrix);
  const { model, converged } = await fitL2({ engine, design, indices: features, labels, classes, l2 });
  const selections = await repeatedSelections(context, ranker, swept.folds, chosen.candidate, k);
  const foldsConverged = swept.folds.every((fold) => fold.converged);
  const notes: string[] = [];
  if (ranking.support !== undefined && ranking.support < k) {
    notes.push(
      `${ranking.support} of the ${k} kept features have a weight in the group lasso; the others are the next to enter`,
    );
  }
  if (!foldsConverged) notes.push('a path of a fold did not reach its tolerance');
  return {
    predict: (inputs) => predictLinear(engine, model, inputs.matrix),
    model,
    tuned: best.settings,
    validation: best,
    grid: [...rows.map(({ row }) => row), ...refits],
    path: full.path,
    selection: {
      features,
      ranking,
      ...(full.entryLambda ? { entryLambda: full.entryLambda } : {}),
      ...(selections.length > 1
        ? { frequency: frequencies(selections, matrix.features), stability: meanJaccard(selections) }
        : {}),
      repeats: selections.length,
    },
    converged: foldsConverged && full.converged && best.converged && converged,
    notes,
  };
}

interface SweepCell {
  readonly candidate: number;
  readonly fraction: number;
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
  const cells = new Map<string, SweepCell>();
  for (const [f, fold] of folds.entries()) {
    progress(`fold ${f + 1} of ${folds.length}`);
    const own = await memo.once(ranker, context, fold.train);
    ranked.push(own);
    const starts: (KernelFit | undefined)[] = fractions.map(() => undefined);
    for (const [candidate, ranking] of own.rankings.entries()) {
      for await (const { i, probes } of growing(context, fold, ranking, fractions)) {
        const fraction = fractions[i] as number;
        const cell = cells.get(`${i} ${candidate}`) ?? { candidate, fraction, tally: new Tally() };
        cells.set(`${i} ${candidate}`, cell);
        if (starts[i]) await probes.startFrom(starts[i]);
        starts[i] = await probes.fit(SWEEP_L2, cell.tally);
      }
    }
  }
  return {
    folds: ranked,
    cells: [...cells.values()].sort((a, b) => a.fraction - b.fraction || a.candidate - b.candidate),
  };
}

/** Probes of one fold on more and more features of a ranking: their Gram grows by what each fraction adds. */
async function* growing(
  { engine, train, classes, designs }: MethodContext,
  fold: MethodContext['folds'][number],
  { order }: Ranking,
  fractions: readonly number[],
): AsyncGenerator<{ i: number; probes: FoldProbes }> {
  const { matrix, labels } = train;
  const design = await designs.get(matrix, fold.train);
  const gram = new Float32Array(matrix.rows ** 2);
  let done = 0;
  for (const [i, fraction] of fractions.entries()) {
    const k = keepCount(fraction, matrix.features);
    if (k > done) await gramOf(engine, design, order.slice(done, k).sort(), gram);
    done = k;
    yield { i, probes: new FoldProbes({ engine, gram, total: matrix.rows, fold, labels, classes }, sweepPrecision) };
  }
}

/** The penalty, tuned for the chosen lambda and fraction. */
async function tunePenalty(
  context: MethodContext,
  full: Ranked,
  chosen: Omit<SweepCell, 'tally'>,
  ranked: readonly Ranked[],
): Promise<TuningRow[]> {
  const { engine, train, designs, options } = context;
  const { matrix } = train;
  const k = keepCount(chosen.fraction, matrix.features);
  const tops = ranked.map(({ rankings }) => topFeatures(rankings[chosen.candidate] as Ranking, k));
  const rows = await validateL2(context, options.l2, {
    matrix,
    indices: (f) => tops[f],
    gram: async (fold, f) => gramOf(engine, await designs.get(matrix, fold.train), tops[f]),
  });
  return rows.map((row) => ({ ...row, settings: settingsOf(full, chosen, row.settings.l2 as number) }));
}

/** What a setting is called in the grid: lambda of the path on all rows, where the ranking has one. */
function settingsOf(full: Ranked, { candidate, fraction }: Omit<SweepCell, 'tally'>, l2: number) {
  const point = full.path[full.points[candidate] ?? -1];
  return { ...(point ? { lambda: point.lambda, ratio: point.ratio } : {}), keepFraction: fraction, l2 };
}

/** The selections of the folds, and of folds drawn under other seeds as often as the options ask. */
async function repeatedSelections(
  context: MethodContext,
  ranker: Ranker,
  ranked: readonly Ranked[],
  candidate: number,
  k: number,
): Promise<Int32Array[]> {
  const { train, options, memo, progress } = context;
  const { labels, groups } = train;
  const selections = ranked.map(({ rankings }) => topFeatures(rankings[candidate] as Ranking, k));
  for (let r = 1; r < options.repetitions; r++) {
    const folds = stratifiedFolds(
      { labels, groups },
      { k: options.folds, seed: `${options.seed}/${r}`, rare: 'train' },
    );
    for (const [f, fold] of folds.entries()) {
      progress(`stability, draw ${r + 1}, fold ${f + 1} of ${folds.length}`);
      const { rankings } = await memo.once(ranker, context, fold.train);
      selections.push(topFeatures(rankings[candidate] as Ranking, k));
    }
  }
  return selections;
}
