/** Ridge regression of one-hot labels on the last layer. */
import { shapes } from '../../record/index.js';
import { fitRidge } from '../../solver/index.js';
import { validationGroups } from '../context.js';
import { tunedRidge, validateRidge } from '../fitting/ridge.js';
import { featuresOfBlock, lastTap } from '../task.js';
import { Tally } from '../tuning/tally.js';
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
    const all = featuresOfBlock(train.matrix, lastTap(context.taps));
    const columns = { all, fold: () => all };
    const leftOut = async () => {
      const { points } = await fitRidge(engine, await context.designs.on(train.matrix.select(all)), labels, {
        classes,
      });
      return points.map(({ loo, lambda }) => {
        const tally = new Tally(options);
        tally.add(loo, labels, classes);
        return tally.row({ lambda });
      });
    };
    const rows = byFolds ? await validateRidge(context, columns) : await leftOut();
    const fit = await tunedRidge(context, columns, rows, byFolds ? validationGroups(context) : undefined);
    const by = byFolds ? 'validation' : 'exact leave-one-out';
    return {
      ...fit,
      notes: [
        `lambda by ${by}; probabilities are the softmax of regression scores over a temperature from validation`,
        ...fit.notes,
      ],
    };
  },
};
