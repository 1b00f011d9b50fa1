/**
 * Head2Toe of values and labels: features with the largest group-lasso weights, refitted with l2 (ridge regression of values,
 * logistic regression of each label). As of classes (fitting/selected.ts), everything is chosen inside the training rows: each
 * fold ranks on its own training part; lambda and fraction are those of the least loss of left-out examples, and of the
 * fractions the smallest is kept that is within one standard error of the best.
 */
import type { Floats } from '../../solver/index.js';
import { standardErrorOf } from '../../stats/index.js';
import { candidatePoints } from '../fitting/group-lasso-ranking.js';
import { pathRankings, type Ranking } from '../ranking.js';
import { keepCount, topFeatures } from '../selection.js';
import { TopGrams } from '../tuning/tops.js';
import { valuedPath } from './group-lasso.js';
import { penaltyGrid } from './kernel-probe.js';
import { fitL2Valued, foldDesign, foldProducts, PenaltyComparison, type Tried } from './l2.js';
import { meanOf } from './loss.js';
import { checkKernels, leastLoss, othersOf, type ValuedContext, type ValuedFit, type ValuedMethod } from './method.js';

interface Ranked {
  readonly rankings: readonly Ranking[];
  /** Of each ranking. */
  readonly settings: readonly { readonly lambda: number; readonly ratio: number }[];
  readonly converged: boolean;
}

async function ranked(context: ValuedContext, rows?: readonly number[]): Promise<Ranked> {
  const { design, path } = await valuedPath(context, rows);
  const points = candidatePoints(path.points.length);
  return {
    rankings: await pathRankings(context.engine, design, path, points),
    settings: points.map((point) => {
      const { lambda, ratio } = path.points[point] as (typeof path.points)[number];
      return { lambda, ratio };
    }),
    converged: path.converged,
  };
}

interface Cell extends Tried {
  readonly candidate: number;
  readonly fraction: number;
}

async function selected(context: ValuedContext): Promise<ValuedFit> {
  const { matrix, folds, options, progress } = context;
  checkKernels(matrix.rows);
  const parts: Ranked[] = [];
  for (const [f, rows] of folds.entries()) {
    progress(`ranking, fold ${f + 1} of ${folds.length}`);
    parts.push(await ranked(context, othersOf(rows, matrix.rows)));
  }
  const top = (from: Ranked, candidate: number, fraction: number) =>
    topFeatures(from.rankings[candidate] as Ranking, keepCount(fraction, matrix.features));
  const foldTop = (candidate: number, fraction: number) => (f: number) => top(parts[f] as Ranked, candidate, fraction);
  const fractions = [...new Set(options.fractions)].sort((a, b) => a - b);
  const cells = await sweep(context, parts, fractions);
  progress('ranking of all training rows');
  const whole = await ranked(context);
  const { candidate, fraction } = smallest(context, cells, fractions);
  const features = { fold: foldTop(candidate, fraction), all: top(whole, candidate, fraction) };
  const fit = await fitL2Valued(context, features);
  const settingsOf = (c: number, keepFraction: number) => ({ ...whole.settings[c], keepFraction });
  const { support = 0 } = whole.rankings[candidate] as Ranking;
  return {
    ...fit,
    tuned: { ...settingsOf(candidate, fraction), ...fit.tuned },
    grid: [
      ...cells.map((cell) => ({ settings: settingsOf(cell.candidate, cell.fraction), loss: cell.loss })),
      ...fit.grid.map(({ settings, loss }) => ({
        settings: { ...settingsOf(candidate, fraction), ...settings },
        loss,
      })),
    ],
    converged: fit.converged && whole.converged && parts.every(({ converged }) => converged),
    notes:
      support < features.all.length
        ? [
            `${support} of the ${features.all.length} kept features have a weight in the group lasso; the others are the next to enter`,
          ]
        : [],
  };
}

/** Every candidate ranking at every fraction, by the better of few penalties. */
async function sweep(context: ValuedContext, parts: readonly Ranked[], fractions: readonly number[]): Promise<Cell[]> {
  const { engine, matrix, progress } = context;
  const { few } = penaltyGrid(context.kind, context.options.l2);
  const candidates = [...(parts[0] as Ranked).rankings.keys()];
  const cells = fractions.flatMap((fraction) =>
    candidates.map((candidate) => ({ candidate, fraction, comparison: new PenaltyComparison(context, few) })),
  );
  for (const [f, { rankings }] of parts.entries()) {
    progress(`keep fractions, fold ${f + 1} of ${parts.length}`);
    const shared = new TopGrams(engine, await foldDesign(context, f), rankings);
    for (const fraction of fractions) {
      const k = keepCount(fraction, matrix.features);
      // Few features lack rank, which float32 does not bear.
      const products = k < matrix.rows ? undefined : shared.of(k);
      for (const { candidate, comparison } of cells.filter((cell) => cell.fraction === fraction)) {
        const own = products
          ? ((await products.next()).value as Floats)
          : await foldProducts(context, f, topFeatures(rankings[candidate] as Ranking, k));
        await comparison.add(f, own);
      }
    }
  }
  return cells.flatMap(({ comparison, candidate, fraction }): Cell[] => {
    const tried = comparison.tried();
    return tried.length > 0 ? [{ ...leastLoss(tried), candidate, fraction }] : [];
  });
}

/** The best cell of the smallest fraction within one standard error of the best, the error of their difference on the same rows. */
function smallest({ folds, groups }: ValuedContext, cells: readonly Cell[], fractions: readonly number[]): Cell {
  const best = leastLoss(cells);
  const clusters = groups && folds.flat().map((row) => groups[row] as string);
  for (const fraction of fractions) {
    const own = cells.filter((cell) => cell.fraction === fraction);
    if (own.length === 0) continue;
    const cell = leastLoss(own);
    const difference = cell.losses.map((loss, i) => loss - (best.losses[i] as number));
    if (meanOf(difference) <= standardErrorOf(difference, { clusters })) return cell;
  }
  return best;
}

export const head2toe: ValuedMethod = {
  id: 'head2toe',
  title: 'features with the largest group-lasso weights, refitted with l2',
  sharesOf: 'features',
  fit: selected,
};
