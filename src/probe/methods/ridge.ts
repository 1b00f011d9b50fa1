/** Ridge regression of one-hot labels on the last layer. */
import { shapes } from '../../record/index.js';
import { fitRidge, predictLogits } from '../../solver/index.js';
import { validationGroups } from '../context.js';
import { concluded } from '../fitting/conclusion.js';
import { predictLinear } from '../fitting/l2.js';
import { foldDesign, lastLayer } from '../fitting/last-layer.js';
import { chooserBy, edgeNote } from '../tuning/choice.js';
import { Tally, type TuningRow } from '../tuning/tally.js';
import type { Fit, ProbeMethod } from './method.js';

export const ridge: ProbeMethod = {
  card: {
    id: 'ridge',
    label: 'Ridge',
    plain: 'ridge regression on the last layer',
    advice: 'probe the last layer by ridge regression',
    title: 'ridge regression of one-hot labels on the last layer',
    reads: 'last layer',
    role: 'candidate',
    simplicity: 0,
    light: '#8b2f4b',
    dark: '#f08fab',
    shape: shapes.pentagon,
  },
  seconds: 10,
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes, folds, options } = context;
    const { labels, groups } = train;
    // Leaving one example out leaves its group in: only folds that keep groups together are honest.
    const byFolds = groups !== undefined || folds.length === 1;
    const layer = await lastLayer(context);
    context.progress('all training rows');
    const solution = await fitRidge(engine, layer.design, labels, { classes });
    let rows: TuningRow[];
    if (byFolds) {
      const tallies = solution.points.map(() => new Tally(options));
      for (const [f, fold] of folds.entries()) {
        context.progress(`fold ${f + 1} of ${folds.length}`);
        const own = await fitRidge(engine, await foldDesign(context, layer, fold.train), labels, { classes });
        const truth = fold.validation.map((row) => labels[row] as number);
        for (const [i, tally] of tallies.entries()) {
          const logits = await predictLogits(engine, await own.model(i), layer.design.matrix, fold.validation);
          tally.add(logits, truth, classes);
        }
      }
      rows = tallies.map((tally, i) => tally.row({ lambda: solution.points[i]?.lambda as number }));
    } else {
      rows = solution.points.map(({ loo, lambda }) => {
        const tally = new Tally(options);
        tally.add(loo, labels, classes);
        return tally.row({ lambda });
      });
    }
    const choose = chooserBy(options);
    const best = choose(rows);
    const fitted = await solution.model(rows.indexOf(best));
    const model = { ...fitted, features: train.matrix.features, indices: layer.columns };
    const own = byFolds ? validationGroups(context) : undefined;
    const conclusion = concluded(context, rows, best, choose, own);
    const edge = { key: 'lambda', name: 'lambda' };
    return {
      predict: ({ matrix }) => predictLinear(engine, model, matrix, conclusion.temperature),
      model,
      tuned: best.settings,
      ...conclusion,
      grid: rows,
      path: [],
      converged: true,
      notes: [
        `lambda by ${byFolds ? 'validation' : 'exact leave-one-out'}; probabilities are the softmax of regression scores over a temperature from validation`,
        ...edgeNote(rows, best, edge, { options, groups: own }),
      ],
    };
  },
};
