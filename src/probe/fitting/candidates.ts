/** Linear probes that a combination chooses from or adds up, each as it was validated. */
import type { MethodContext } from '../context.js';
import { allL2 } from '../methods/all-l2.js';
import { allRidge } from '../methods/all-ridge.js';
import { linear } from '../methods/linear.js';
import type { LinearFit, TunedMethod } from '../methods/method.js';
import { tapRidge } from '../methods/tap-ridge.js';
import type { TuningRow } from '../tuning/tally.js';
import { ridgeFits } from './many-examples.js';

/** A probe that was tuned, and is fitted to all training rows when it is wanted. */
export interface Candidate {
  readonly method: Pick<TunedMethod, 'card'>;
  readonly validation: TuningRow;
  fit(): Promise<LinearFit>;
}

/** Features, and values of them, up to which logistic regression on all takes part: what it adds to ridge regression is little. */
const LOGISTIC = { features: 50_000, values: 2e8 };

/** From the simplest; without those that would not fit in memory. */
export async function candidatesOf(context: MethodContext): Promise<Candidate[]> {
  const { rows, features } = context.train.matrix;
  const isQuick = features <= LOGISTIC.features && rows * features <= LOGISTIC.values;
  const isRidge = ridgeFits(rows, features);
  const methods = [linear, ...(isQuick || !isRidge ? [allL2] : []), ...(isRidge ? [allRidge, tapRidge] : [])];
  const candidates: Candidate[] = [];
  for (const method of methods) {
    const progress = (note: string) => context.progress(`${method.card.id}: ${note}`);
    const own = { ...context, progress };
    const { validation } = await context.memo.once(method.tune, own);
    candidates.push({ method, validation, fit: () => context.memo.once(method.fit, own) });
  }
  return candidates;
}
