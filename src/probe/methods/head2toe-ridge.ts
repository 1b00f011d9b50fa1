/** Head2Toe's selection with a ridge regression in place of its logistic one. */
import { shapes } from '../../record/index.js';
import { tunedRidge, validateRidge } from '../fitting/ridge.js';
import { head2toeOf } from './head2toe.js';
import type { Fit, ProbeMethod } from './method.js';

export const head2toeRidge: ProbeMethod = {
  card: {
    id: 'head2toe-ridge',
    label: 'Head2Toe-ridge',
    plain: 'ridge regression on a selection of features from all layers',
    advice: 'select features from all layers, and probe them by ridge regression',
    title: 'features with the largest group-lasso weights, refitted by ridge regression of one-hot labels',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 2,
    light: '#00838f',
    dark: '#6fd3de',
    shape: shapes.square,
  },
  seconds: 65,
  options: ['path', 'fractions'],
  fit: async (context): Promise<Fit> => {
    const selected = await head2toeOf(context);
    const { refit, selection, tuned, path } = selected;
    if (!refit || !selection) throw new Error('Head2Toe selected nothing');
    const columns = {
      all: selection.features,
      // Each fold's own selection, as Head2Toe judged it.
      fold: (f: number) => refit.features.indices(f) as Int32Array,
    };
    const fit = await tunedRidge(context, columns, await validateRidge(context, columns));
    return {
      ...fit,
      tuned: { keepFraction: tuned.keepFraction as number, ...fit.tuned },
      path,
      selection,
      converged: selected.converged,
      notes: [`reads the ${selection.features.length} features that head2toe selected`, ...fit.notes],
    };
  },
};
