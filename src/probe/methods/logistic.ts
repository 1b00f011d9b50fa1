/**
 * Kornblith, Shlens and Le's (2019) logistic regression on the last layer: features as they are, 45 penalties of which
 * accuracy on one validation split chooses, refitted on training and validation rows together.
 */
import { shapes } from '../../record/index.js';
import { fitLogistic } from '../../solver/index.js';
import { logSpaced } from '../../stats/index.js';
import type { MethodContext } from '../context.js';
import { concluded } from '../fitting/conclusion.js';
import { predictLinear } from '../fitting/l2.js';
import { foldDesign, lastLayer } from '../fitting/last-layer.js';
import { chooserBy, edgeNote } from '../tuning/choice.js';
import { Tally } from '../tuning/tally.js';
import type { Fit, ProbeMethod } from './method.js';

/**
 * Penalties as published: lambda of sum of losses + lambda ||W||^2, the intercept free. In scikit-learn's terms C = 1 / (2
 * lambda); the published code's own convention. Strongest first: each is the next one's start.
 */
export const kornblithPenalties: readonly number[] = logSpaced(1e-6, 1e5, 45).reverse();

/**
 * Gradients are small enough beside the penalty's, or per example, where a penalty of 1e-6 leaves hardly any curvature: far
 * below what changes a prediction.
 */
const compared = { tolerance: 1e-2, floor: 1e-6 };
const reported = { tolerance: 1e-4, floor: 1e-7 };

export const logistic: ProbeMethod = {
  card: {
    id: 'logistic',
    label: 'Logistic regression',
    plain: 'logistic regression on the last layer',
    advice: 'fit a logistic regression to the last layer',
    title: 'logistic regression on the last layer, 45 penalties, as published',
    reads: 'last layer',
    role: 'candidate',
    simplicity: 0,
    light: '#1f6f78',
    dark: '#7fd3dc',
    shape: shapes.hexagon,
  },
  seconds: 30,
  choose: 'accuracy',
  normalisation: 'none',
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes, folds, options } = context;
    const { labels } = train;
    const choosing = { ...options, choose: 'accuracy' } as const;
    const layer = await lastLayer(context);
    // One split, as published: the data's own, or the first of the folds.
    const [fold] = folds as [(typeof folds)[number], ...(typeof folds)[number][]];
    context.progress(`${kornblithPenalties.length} penalties`);
    const tried = await fitLogistic(engine, await foldDesign(context, layer, fold.train), labels, {
      ...compared,
      lambdas: kornblithPenalties,
      classes,
    });
    const logits = await tried.logits({ matrix: layer.design.matrix, rows: Int32Array.from(fold.validation) });
    const truth = fold.validation.map((row) => labels[row] as number);
    const rows = kornblithPenalties.map((lambda, i) => {
      const tally = new Tally(options);
      tally.add(logits[i] as Float64Array, truth, classes, tried.points[i]?.converged);
      return tally.row({ lambda });
    });
    const choose = chooserBy(choosing);
    const best = choose(rows);
    const { lambda } = best.settings as { lambda: number };
    context.progress('all training rows');
    const solution = await fitLogistic(engine, layer.design, labels, { ...reported, lambdas: [lambda], classes });
    const fitted = await solution.model(0);
    const model = { ...fitted, features: train.matrix.features, indices: layer.columns };
    const own: MethodContext = { ...context, folds: [fold] };
    const groups = train.groups && fold.validation.map((row) => train.groups?.[row] as string);
    const conclusion = concluded(own, rows, best, choose);
    return {
      predict: ({ matrix }) => predictLinear(engine, model, matrix, conclusion.temperature),
      model,
      tuned: { lambda },
      ...conclusion,
      grid: rows,
      path: [],
      converged: best.converged && solution.converged,
      notes: [
        ...(options.normalisation === 'none'
          ? []
          : [
              `features were normalised (${options.normalisation}): the published protocol takes them as they are, --normalise none`,
            ]),
        ...edgeNote(rows, best, { key: 'lambda', name: 'penalty' }, { options: choosing, groups }),
      ],
    };
  },
};
