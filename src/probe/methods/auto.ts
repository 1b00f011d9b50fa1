/** The linear probe that validation prefers: of the last layer, of all layers, or a weighted sum of them. */
import { shapes } from '../../record/index.js';
import type { Candidate } from '../fitting/candidates.js';
import { concluded } from '../fitting/conclusion.js';
import { gainOfAll } from '../fitting/learning-curve.js';
import { stacked } from '../fitting/stacked.js';
import { chooserBy, excessOf, movedBy } from '../tuning/choice.js';
import type { TuningRow } from '../tuning/tally.js';
import type { Fit, ProbeMethod } from './method.js';
import { stack } from './stack.js';

export const auto: ProbeMethod = {
  card: {
    id: 'auto',
    label: 'Auto',
    plain: 'the linear probe that validation prefers',
    advice: 'take the linear probe that validation prefers (Auto)',
    title: 'of linear, All-ℓ2, All-ridge, Tap-ridge and their Stack the one with the best validation answers',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#7c1d6f',
    dark: '#f09ce0',
    shape: shapes.up,
  },
  seconds: 45,
  pools: 'each',
  fit: async (context): Promise<Fit> => {
    const choose = chooserBy(context.options);
    const { candidates, notes, validation: sum } = await context.memo.once(stacked, context);
    const tried = [...candidates, { method: stack, validation: sum, fit: () => context.memo.once(stack.fit, context) }];
    const rows = tried.map(({ validation }) => validation);
    const best = choose(rows);
    const { method, fit: fitted } = tried[rows.indexOf(best)] as Candidate;
    const fit = await fitted();
    const { estimate } = concluded(context, rows, best, choose);
    const gain = await gainOfAll(context);
    const chosen = fit.estimate && movedBy(fit.estimate, excessOf(estimate, best));
    return {
      ...fit,
      estimate: chosen && gain ? movedBy(chosen, gain) : chosen,
      notes: [
        `takes ${method.card.id}: ${tried.map(({ method: { card }, validation }) => `${card.id} ${figure(validation)}`).join(', ')} (log loss in validation)`,
        ...(gain && gain.accuracy >= 5e-4 ? [gainNote(gain.accuracy)] : []),
        ...fit.notes,
        // The sum of the candidates says so itself.
        ...notes.filter((note) => !fit.notes.includes(note)),
      ],
    };
  },
};

const figure = ({ logLoss }: TuningRow): string => logLoss.toPrecision(3);

const gainNote = (gain: number): string =>
  `its validation score counts ${(100 * gain).toFixed(1)} points for the examples that folds leave out (All-ridge without one fold less without two)`;
