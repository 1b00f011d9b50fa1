/** Ridge regression of one-hot labels on all taps, with a weight for each tap that is learned. */

import { roughPercent } from '../../base/index.js';
import { stratifiedFolds } from '../../data/index.js';
import { shapes } from '../../record/index.js';
import type { FoldLabels, TapWeights } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import { concluded } from '../fitting/conclusion.js';
import { equalTaps, type KernelProblem, linearModelOf, problemOf } from '../fitting/kernel-ridge.js';
import { linearFit } from '../fitting/l2.js';
import { type LearnedRidge, learnsOnParts, tuneOnParts } from '../fitting/many-examples.js';
import { kernelsOfTaps } from '../fitting/tap-kernels.js';
import { NEGLIGIBLE, triedSteps, weightsAfter } from '../fitting/tap-weights.js';
import { chooserBy } from '../tuning/choice.js';
import { Tally, type TuningRow } from '../tuning/tally.js';
import { type Tuned, tunedMethod } from './method.js';

export const tapRidge = tunedMethod({
  card: {
    id: 'tap-ridge',
    label: 'Tap-ridge',
    plain: 'ridge regression on all layers with learned weights',
    advice: 'probe all layers with a learned weight for each (Tap-ridge)',
    title: 'ridge regression of one-hot labels on all taps, with a learned weight for each tap',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#0b6e75',
    dark: '#62d0d8',
    shape: shapes.pentagon,
  },
  seconds: 25,
  pools: 'each',
  tune: async (context): Promise<Tuned> => {
    if (learnsOnParts(context, context.taps.length)) {
      return tuneOnParts(context, async (part) => (await tunedWeights(part)).learn(part.progress));
    }
    const { engine, options } = context;
    const { rows, best, problem, kernels, learn } = await tunedWeights(context);
    const finish: Tuned['finish'] = async (said) => {
      const { weights, penalty, notes } = await learn(said);
      const kernel = await kernels.sum(weights);
      return linearFit(engine, await linearModelOf(context, problem, { kernel, weights, penalty }), {
        tuned: { ...best.settings, penalty },
        ...concluded(context, rows, best, chooserBy(options)),
        grid: rows,
        converged: true,
        notes,
      });
    };
    return { validation: best, finish };
  },
});

/** Numbers of steps as they validate, and the weights that all training rows come to after the best of them. */
async function tunedWeights(context: MethodContext) {
  const { engine, train, taps, folds, options, progress } = context;
  const problem = await problemOf(context);
  const { examples } = problem;
  const { rows: equal } = await equalTaps(context);
  const choose = chooserBy(options);
  const start = choose(equal);
  const from = { penalty: start.settings.penalty as number, temperature: start.answers.temperature ?? 1 };
  const kernels = await kernelsOfTaps(context);
  const weighing = { engine, kernels, from, progress };
  const rows = await triedSteps(
    weighing,
    folds.map((fold, f) => ({ ...fold, examples: innerExamples(context, problem, f) })),
    (steps, scores): TuningRow => {
      const tally = new Tally(options);
      for (const [f, { validation }] of folds.entries()) {
        const truth = validation.map((row) => train.labels[row] as number);
        const own = scores[f];
        if (own) tally.add(own, truth, context.classes);
      }
      return tally.row({ steps });
    },
    choose,
  );
  const best = choose(rows);
  const learn = async (said: MethodContext['progress']): Promise<LearnedRidge> => {
    const { steps } = best.settings as { steps: number };
    const { learned, kept } = await weightsAfter({ ...weighing, progress: said }, examples, steps);
    return { weights: kept, penalty: learned.penalty, notes: [weightsNote(taps, learned)] };
  };
  return { rows, best, problem, kernels, learn };
}

/** What weights are learned on for a fold: its training rows, with the other folds, or new ones where there is one. */
function innerExamples({ train, folds, options }: MethodContext, { examples }: KernelProblem, f: number): FoldLabels {
  const rows = (folds[f] as MethodContext['folds'][number]).train;
  const place = new Map(rows.map((row, i) => [row, i]));
  const labels = rows.map((row) => train.labels[row] as number);
  const others = folds
    .filter((_, g) => g !== f)
    .map(({ validation }) => validation.map((row) => place.get(row) as number));
  const groups = train.groups && rows.map((row) => train.groups?.[row] as string);
  return {
    ...examples,
    labels,
    weights: Float64Array.from(rows, (row) => examples.weights[row] as number),
    folds:
      others.length > 1
        ? others
        : stratifiedFolds(
            { labels, groups },
            { k: options.folds, seed: `${options.seed}/weights of taps`, rare: 'train' },
          ).map(({ validation }) => validation),
  };
}

/** The taps with the largest weights. */
function weightsNote(taps: MethodContext['taps'], { weights }: TapWeights): string {
  const order = [...weights.keys()].sort((a, b) => (weights[b] as number) - (weights[a] as number));
  const kept = order.filter((t) => (weights[t] as number) >= NEGLIGIBLE);
  const share = (t: number) => `${taps[t]?.alias} ${roughPercent(weights[t] as number)}`;
  const rest = kept.length - 5;
  return `weights of taps (shares of the variance that the penalty sees): ${kept.slice(0, 5).map(share).join(', ')}${rest > 0 ? `, ${rest} more` : ''}${kept.length < order.length ? `; ${order.length - kept.length} below ${100 * NEGLIGIBLE} % left out` : ''}`;
}
