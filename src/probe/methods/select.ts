/**
 * Select, then refit: Head2Toe and its baselines differ only in how features are ranked.
 *
 * Everything is tuned inside the training rows: in each fold features are ranked on the fold's training part, probes on
 * the top fractions are fitted there and judged on its validation part. Features keep the values they were ranked with
 * (normalise, then select). Lambda and fraction are compared at one l2 penalty; the penalty is tuned for the chosen pair.
 */
import { UserError } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import { fitDesign, type KernelFit, predictLogits, probabilities } from '../../solver/index.js';
import { bestRow, fitL2, gramOf, Tally, type TuningRow, validateL2 } from '../cross-validation.js';
import {
  frequencies,
  keepCount,
  meanJaccard,
  pathRankings,
  type Ranking,
  rankBy,
  relevancePath,
  topFeatures,
} from '../selection.js';
import type { Fit, Method, MethodContext, Ranker, RankerResult } from './method.js';
import { summary } from './method.js';
import { fTest, mutualInformation, randomScores, variance } from './scores.js';
import { TUNING_TOLERANCE } from './sparse.js';

/** Points of the path whose rankings are tried: few, since neighbours select nearly the same features. */
const CANDIDATES = 4;

/** Evenly over the second half of the path in log lambda, where the support is large enough to rank by, end included. */
export function candidatePoints(count: number): number[] {
  const first = Math.floor(count / 4);
  const picks = Array.from({ length: CANDIDATES }, (_, i) =>
    Math.round(first + ((count - 1 - first) * i) / Math.max(1, CANDIDATES - 1)),
  );
  return [...new Set(picks)];
}

/** Ranks by the group-lasso path. */
const groupLasso: Ranker = async (context, rows) => {
  const { engine, train, classes, options, designs } = context;
  const { matrix, labels } = train;
  const design = rows
    ? await fitDesign(engine, matrix, { rows, standardize: designs.standardize })
    : await designs.get(matrix);
  const tolerance = rows ? Math.max(options.tolerance, TUNING_TOLERANCE) : options.tolerance;
  const path = await relevancePath(engine, design, labels, classes, options, tolerance);
  const points = candidatePoints(path.points.length);
  return {
    rankings: await pathRankings(engine, design, labels, path, points),
    path: path.points,
    points,
    entryLambda: path.entryLambda,
    converged: path.converged,
  };
};

/** The group-lasso ranking with every tap's features moved together, best mean score first. */
const tapByTap: Ranker = async (context, rows) => {
  const base = await shared(context, groupLasso, 'group lasso', rows);
  const { offsets, blocks } = context.train.matrix;
  const rankings = base.rankings.map(({ scores, order }): Ranking => {
    const position = new Float64Array(scores.length);
    for (const [rank, j] of order.entries()) position[j] = -rank;
    const means = new Float64Array(scores.length);
    for (let b = 0; b < blocks.length; b++) {
      const [from, to] = [offsets[b] as number, offsets[b + 1] as number];
      means.fill(scores.subarray(from, to).reduce((a, v) => a + v, 0) / Math.max(1, to - from), from, to);
    }
    return { scores: means, order: rankBy(means, position) };
  });
  return { ...base, rankings };
};

/**
 * The sweep compares lambdas and fractions at this penalty: a nearly unpenalised probe of separable classes takes long
 * to fit and ranks the candidates alike.
 */
const SWEEP_L2 = 1e-4;
/** Precision of the sweep: relative gradient norm (see KernelLogistic). */
const sweepPrecision = { tolerance: 0.2, maxIterations: 80 };

/** A ranker without lambda. */
function scored(score: (context: MethodContext, rows: readonly number[]) => Promise<Float64Array>): Ranker {
  return async (context, rows) => {
    const scores = await score(context, rows ?? Array.from(context.train.labels.keys()));
    return { rankings: [{ scores, order: rankBy(scores) }], path: [], points: [], converged: true };
  };
}

function shared(
  context: MethodContext,
  ranker: Ranker,
  key: string,
  rows: readonly number[] | undefined,
): Promise<RankerResult> {
  return context.shared.once(`ranking ${key} ${rows ? rows.join() : 'all'}`, () => ranker(context, rows));
}

interface Cell {
  readonly candidate: number;
  readonly fraction: number;
}

async function fitSelected(context: MethodContext, name: string, key: string, ranker: Ranker): Promise<Fit> {
  const { engine, train, classes, folds, options, designs } = context;
  const { matrix, labels } = train;
  const p = matrix.features;
  const fixed = name === 'head2toe' ? undefined : await context.shared.found<number>('head2toe fraction');
  const fractions = fixed !== undefined ? [fixed] : [...new Set(options.fractions)].sort((a, b) => a - b);
  const counts = fractions.map((f) => keepCount(f, p));
  const grid = [...options.l2].sort((a, b) => b - a);

  const orders: (readonly Ranking[])[] = [];
  const tallies = new Map<string, { cell: Cell; tally: Tally }>();
  let converged = true;
  for (const [f, fold] of folds.entries()) {
    context.progress(`${name}: fold ${f + 1} of ${folds.length}`);
    const ranked = await shared(context, ranker, key, fold.train);
    orders.push(ranked.rankings);
    converged &&= ranked.converged;
    const design = await designs.get(matrix, fold.train);
    const last: KernelFit[] = [];
    for (const [candidate, ranking] of ranked.rankings.entries()) {
      const gram = new Float32Array(matrix.rows ** 2);
      let done = 0;
      for (const [i, k] of counts.entries()) {
        if (k > done) await gramOf(engine, design, ranking.order.slice(done, k).sort(), gram);
        done = k;
        const cell = { candidate, fraction: fractions[i] as number };
        const entry = tallies.get(`${candidate} ${i}`) ?? { cell, tally: new Tally() };
        tallies.set(`${candidate} ${i}`, entry);
        const options = { ...sweepPrecision, warm: last[i] };
        last[i] = await validateL2(
          engine,
          gram,
          matrix.rows,
          fold,
          labels,
          classes,
          [SWEEP_L2],
          [entry.tally],
          options,
        );
      }
    }
  }
  context.progress(`${name}: path on all training rows`);
  const full = await shared(context, ranker, key, undefined);
  const lambdaOf = (candidate: number): Record<string, number> => {
    const point = full.path[full.points[candidate] ?? -1];
    return point ? { lambda: point.lambda, ratio: point.ratio } : {};
  };
  const rowOf = new Map<TuningRow, Cell>();
  const sweep = [...tallies.values()]
    .sort((a, b) => a.cell.fraction - b.cell.fraction || a.cell.candidate - b.cell.candidate)
    .map(({ cell, tally }) => {
      const row = tally.row({ ...lambdaOf(cell.candidate), keepFraction: cell.fraction, l2: SWEEP_L2 });
      rowOf.set(row, cell);
      return row;
    });
  const { candidate, fraction } = rowOf.get(bestRow(sweep)) as Cell;
  const k = keepCount(fraction, p);

  // The penalty again, for the chosen lambda and fraction.
  const refits = grid.map(() => new Tally());
  for (const [f, fold] of folds.entries()) {
    context.progress(`${name}: penalty, fold ${f + 1} of ${folds.length}`);
    const design = await designs.get(matrix, fold.train);
    const chosen = topFeatures((orders[f] as readonly Ranking[])[candidate] as Ranking, k);
    const gram = await gramOf(engine, design, chosen);
    await validateL2(engine, gram, matrix.rows, fold, labels, classes, grid, refits);
  }
  const rows = refits.map((tally, i) =>
    tally.row({ ...lambdaOf(candidate), keepFraction: fraction, l2: grid[i] as number }),
  );
  const best = bestRow(rows);
  const { l2 } = best.settings as { l2: number };

  const ranking = full.rankings[candidate] as Ranking;
  const features = topFeatures(ranking, k);
  const design = await designs.get(matrix);
  const { model, converged: refitted } = await fitL2(engine, design, features, labels, classes, l2);
  if (name === 'head2toe') {
    await context.shared.once('head2toe fraction', async () => fraction);
    await context.shared.once('head2toe features', async () => features);
  }
  const selections = orders.map((fold) => topFeatures(fold[candidate] as Ranking, k));
  for (let r = 1; r < options.repetitions; r++) {
    const { groups } = train;
    const again = stratifiedFolds({ labels, groups }, { k: folds.length, seed: `${options.seed}/${r}`, rare: 'train' });
    for (const [f, fold] of again.entries()) {
      context.progress(`${name}: stability, repetition ${r}, fold ${f + 1}`);
      const ranked = await shared(context, ranker, key, fold.train);
      selections.push(topFeatures(ranked.rankings[candidate] as Ranking, k));
    }
  }
  const notes: string[] = [];
  if (fixed !== undefined) notes.push(`keeps as many features as head2toe (${k})`);
  if (ranking.support !== undefined && ranking.support < k) {
    notes.push(
      `${ranking.support} of the ${k} kept features have a weight in the group lasso; the others are the next to enter`,
    );
  }
  if (!converged) notes.push('a path of a fold did not reach its tolerance');
  return {
    probabilities: async (examples) => probabilities(await predictLogits(engine, model, examples.matrix), classes),
    model,
    tuned: best.settings,
    validation: summary(best),
    grid: [...sweep, ...rows],
    path: full.path,
    selection: {
      features,
      ranking,
      ...(full.entryLambda ? { entryLambda: full.entryLambda } : {}),
      frequency: frequencies(selections, p),
      stability: meanJaccard(selections),
    },
    converged: converged && full.converged && refitted,
    notes,
  };
}

function selector(name: string, title: string, key: string, ranker: Ranker): Method {
  return {
    name,
    title,
    fit: (context) => {
      if (context.train.matrix.features < 1) throw new UserError('there are no features (p = 0)');
      return fitSelected(context, name, key, ranker);
    },
  };
}

export const head2toe = selector(
  'head2toe',
  'features with the largest group-lasso weights, refitted with l2',
  'group lasso',
  groupLasso,
);
export const layerwise = selector('layerwise-k', 'whole taps by mean group-lasso weight', 'tap by tap', tapByTap);
export const random = selector('random-k', 'random features', 'random', scored(randomScores));
export const varianceK = selector('variance-k', 'features of largest variance', 'variance', scored(variance));
export const fTestK = selector('f-test-k', 'features by one-way F statistic', 'f-test', scored(fTest));
export const mutualInformationK = selector(
  'mutual-info-k',
  'features by mutual information with the class',
  'mutual information',
  scored(mutualInformation),
);
