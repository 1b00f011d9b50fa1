/** The one layer whose probe answers best in validation. */
import { shapes } from '../../record/index.js';
import { concluded } from '../fitting/conclusion.js';
import { linearFit } from '../fitting/l2.js';
import { aloneFits } from '../layers.js';
import { chooserBy } from '../tuning/choice.js';
import type { Fit, ProbeMethod } from './method.js';

export const bestTap: ProbeMethod = {
  card: {
    id: 'best-tap',
    label: 'Best tap',
    plain: 'a probe on the one layer that validation prefers',
    advice: 'probe the one layer that validation prefers',
    title: 'l2 logistic regression on the one tap that is best in validation',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 0.5,
    light: '#00695c',
    dark: '#5fd3c3',
    shape: shapes.down,
  },
  seconds: 60,
  pools: 'each',
  everyTap: 'alone',
  fit: async (context): Promise<Fit> => {
    const { engine, options, taps } = context;
    const fits = await aloneFits(context);
    // What choosing each tap's penalty has gained is in its row, what choosing the tap gains is taken off here.
    const rows = fits.map(({ alone: { validation } }, tap) => ({
      ...validation,
      settings: { l2: validation.settings.l2 as number, tap },
    }));
    const choose = chooserBy(options);
    const best = choose(rows);
    const chosen = fits[rows.indexOf(best)] as (typeof fits)[number];
    return linearFit(engine, chosen.alone.model, {
      tuned: { l2: chosen.alone.l2 },
      ...concluded(context, rows, best, choose),
      grid: rows,
      converged: chosen.alone.converged,
      notes: [`takes '${chosen.alias}', of ${taps.length} taps`],
    });
  },
};
