/** The last layer and the one extra tap that is best on the test set: a bound for adding one layer. */
import { shapes } from '../../record/index.js';
import { layerFits } from '../layers.js';
import { lastTap } from '../task.js';
import type { ProbeMethod } from './method.js';

export const oracle: ProbeMethod = {
  card: {
    id: 'oracle',
    label: 'Oracle',
    plain: 'the last layer and the best other layer by test score',
    advice: 'add one layer',
    title: 'last layer and the one extra tap that is best on the TEST set',
    reads: 'all layers',
    role: 'bound',
    simplicity: 1,
    light: '#9a6700',
    dark: '#e3a93b',
    shape: shapes.up,
  },
  seconds: 90,
  everyTap: 'withLast',
  fit: async (context) => {
    const { taps } = context;
    const last = lastTap(taps);
    const fits = await layerFits(context);
    const others = fits.filter((_, block) => block !== last || taps.length === 1);
    return {
      alternatives: others.map(({ alias, withLast: { model, temperature, l2, converged } }) => ({
        name: alias,
        model,
        temperature,
        tuned: { l2 },
        converged,
      })),
      tuned: {},
      grid: [],
      path: [],
      converged: true,
      notes: ['chosen by test score: an upper bound for adding one layer, not a result'],
    };
  },
};
