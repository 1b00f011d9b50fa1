/**
 * Features that halves of the examples keep choosing (Meinshausen and Buehlmann, 2010), by complementary pairs, of which Shah
 * and Samworth (2013) bound how many a half selects no more often than chance: at most one on average here. The number that
 * each half may select follows from the bound; those that reach the threshold are refitted with l2.
 */
import { UserError } from '../../base/index.js';
import { shapes } from '../../record/index.js';
import { falseSelectionBound } from '../../stats/index.js';
import type { MethodContext } from '../context.js';
import { groupLassoRanking } from '../fitting/group-lasso-ranking.js';
import { linearFit, validateL2 } from '../fitting/l2.js';
import { type Ranking, rankBy } from '../ranking.js';
import { frequencies, topFeatures } from '../selection.js';
import { halvesOf } from '../stability.js';
import { chooserBy } from '../tuning/choice.js';
import { fitL2 } from '../tuning/probes.js';
import { sourceOf } from '../tuning/sources.js';
import type { Fit, ProbeMethod } from './method.js';

/** Share of the halves that have to select a feature, and how many selected by chance are allowed. */
const settings = { threshold: 0.9, expected: 1 };
/** Fewer pairs leave no bound to speak of. */
const LEAST_PAIRS = 5;

export const stable: ProbeMethod = {
  card: {
    id: 'stable',
    label: 'Stable',
    plain: 'the features that halves of the examples keep selecting',
    advice: 'select the features that halves of the examples keep selecting (stability selection)',
    title: 'features that nine of ten halves of the examples select by the group lasso, refitted with l2',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 2,
    light: '#6d4c41',
    dark: '#d7b9a8',
    shape: shapes.square,
  },
  seconds: 120,
  options: ['path'],
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes, options, designs, progress } = context;
    const { matrix, labels } = train;
    const p = matrix.features;
    const pairs = Math.max(LEAST_PAIRS, options.repetitions);
    const selected = mostPerHalf(pairs, p);
    const halves = await selections(context, pairs, selected);
    const frequency = frequencies(halves, p);
    const order = rankBy(frequency);
    const reached = frequency.reduce((count, share) => count + (share >= settings.threshold - 1e-9 ? 1 : 0), 0);
    if (reached === 0) {
      const most = frequency[order[0] as number] as number;
      throw new UserError(
        `no feature is selected by ${100 * settings.threshold} % of the halves (the most by ${Math.round(100 * most)} %): no selection is stable on so few examples; take all-ridge or head2toe`,
      );
    }
    const ranking: Ranking = { scores: frequency, order, support: frequency.filter((share) => share > 0).length };
    const indices = topFeatures(ranking, reached);
    progress('penalty of the probe');
    const features = {
      matrix,
      indices: () => indices,
      source: (fold: Fold) => sourceOf(designs, matrix, indices, fold),
    };
    const rows = await validateL2(context, options.l2, features);
    const best = chooserBy(options)(rows);
    const { l2 } = best.settings as { l2: number };
    const design = await designs.get(matrix);
    const { model, converged } = await fitL2({ engine, design, indices, labels, classes, l2 });
    return {
      ...linearFit(engine, model, {
        tuned: { l2, threshold: settings.threshold, pairs, perHalf: selected },
        temperature: best.answers.temperature,
        grid: [],
        converged: converged && best.converged,
        notes: [
          `${reached} ${reached === 1 ? 'feature does' : 'features do'} it: selected by at least ${100 * settings.threshold} % of ${2 * pairs} halves of the examples, ${selected} features each; of these at most ${boundOf(pairs, selected, p).toFixed(2)} on average by chance`,
          'no validation score: every training example took part in the selection',
        ],
      }),
      selection: { features: indices, ranking },
    };
  },
};

type Fold = MethodContext['folds'][number];

const boundOf = (pairs: number, selected: number, features: number) =>
  falseSelectionBound({ pairs, selected, features }, settings.threshold);

/** The most features that a half may select so that the bound holds. */
export function mostPerHalf(pairs: number, features: number): number {
  let [low, high] = [1, features];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (boundOf(pairs, middle, features) <= settings.expected) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** What each half selects, at the end of its path, where the support is largest. */
async function selections(context: MethodContext, pairs: number, count: number): Promise<Int32Array[]> {
  const { train, options, memo, progress } = context;
  const { labels, groups } = train;
  const found: Int32Array[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    for (const [h, { train: rows }] of halvesOf({ labels, groups }, `${options.seed}/half ${pair}`).entries()) {
      progress(`selection, pair ${pair + 1} of ${pairs}, half ${h + 1}`);
      const { rankings } = await memo.once(groupLassoRanking, context, rows);
      const ranking = rankings.at(-1) as Ranking;
      found.push(topFeatures(ranking, Math.min(count, ranking.support ?? count)));
    }
  }
  return found;
}
