/** Ridge regression of one-hot labels on all taps, every tap counting alike. */
import { shapes } from '../../record/index.js';
import { type MethodContext, validationGroups } from '../context.js';
import { concluded } from '../fitting/conclusion.js';
import { equalTaps, linearModelOf } from '../fitting/kernel-ridge.js';
import { linearFit } from '../fitting/l2.js';
import { type LearnedRidge, learnsOnParts, tuneOnParts } from '../fitting/many-examples.js';
import { chooserBy, edgeNote } from '../tuning/choice.js';
import { type Tuned, tunedMethod } from './method.js';

export const allRidge = tunedMethod({
  card: {
    id: 'all-ridge',
    label: 'All-ridge',
    plain: 'ridge regression on all layers',
    advice: 'probe all layers by ridge regression (All-ridge)',
    title: 'ridge regression of one-hot labels on all taps, each with as much variance',
    reads: 'all layers',
    role: 'candidate',
    simplicity: 1,
    light: '#5b6b00',
    dark: '#c3d35a',
    shape: shapes.hexagon,
  },
  seconds: 3,
  pools: 'each',
  tune: async (context): Promise<Tuned> => {
    if (learnsOnParts(context)) return tuneOnParts(context, equalWeights);
    const { engine, options } = context;
    const { rows, kernel, weights, ...problem } = await equalTaps(context);
    const choose = chooserBy(options);
    const best = choose(rows);
    const { penalty } = best.settings as { penalty: number };
    const finish: Tuned['finish'] = async (progress) => {
      progress('all training rows');
      const model = await linearModelOf(context, problem, { kernel, weights, penalty });
      const conclusion = concluded(context, rows, best, choose);
      const edge = { key: 'penalty', name: 'ridge penalty' };
      return linearFit(engine, model, {
        tuned: best.settings,
        ...conclusion,
        grid: rows,
        converged: true,
        notes: edgeNote(rows, best, edge, { options, groups: validationGroups(context) }),
      });
    };
    return { validation: best, finish };
  },
});

/** Every tap alike, and the penalty that validates best. */
async function equalWeights(part: MethodContext): Promise<LearnedRidge> {
  const { rows, weights } = await equalTaps(part);
  return { weights, penalty: chooserBy(part.options)(rows).settings.penalty as number, notes: [] };
}
