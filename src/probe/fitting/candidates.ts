/** Linear probes that a combination chooses from or adds up, each as it was validated. */
import { l2Fits, toFit } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import { allL2 } from '../methods/all-l2.js';
import { allRidge } from '../methods/all-ridge.js';
import { linear } from '../methods/linear.js';
import type { LinearFit, TunedMethod } from '../methods/method.js';
import { tapRidge } from '../methods/tap-ridge.js';
import type { TuningRow } from '../tuning/tally.js';

/** A probe that was tuned, and is fitted to all training rows when it is wanted. */
export interface Candidate {
  readonly method: Pick<TunedMethod, 'card'>;
  readonly validation: TuningRow;
  fit(): Promise<LinearFit>;
}

/** Features, and values of them, up to which logistic regression on all takes part: what it adds to ridge regression is little. */
const LOGISTIC = { features: 50_000, values: 2e8 };

/** Candidates, and sentences on those that take no part. */
export interface Candidates {
  readonly candidates: readonly Candidate[];
  readonly notes: readonly string[];
}

/** From the simplest; without those that would not fit in memory, and logistic regression on all where it would take long. */
export async function candidatesOf(context: MethodContext): Promise<Candidates> {
  const { rows, features } = context.train.matrix;
  const isQuick = features <= LOGISTIC.features && rows * features <= LOGISTIC.values;
  const fits = l2Fits(rows, features);
  const methods = [linear, ...(fits && isQuick ? [allL2] : []), ...(fits ? [allRidge, tapRidge] : [])];
  const size = `${rows} training examples with ${features} features`;
  const notes = fits
    ? isQuick
      ? []
      : [
          `leaves out all-l2: on ${size} it takes long and adds little to ridge regression (it takes part up to ${LOGISTIC.features} features and ${LOGISTIC.values} values; --method all-l2 fits it by itself)`,
        ]
    : [`leaves out all-l2, all-ridge and tap-ridge: ${size} do not fit in memory; ${toFit}`];
  const candidates: Candidate[] = [];
  for (const method of methods) {
    const progress = (note: string) => context.progress(`${method.card.id}: ${note}`);
    const own = { ...context, progress };
    const { validation } = await context.memo.once(method.tune, own);
    candidates.push({ method, validation, fit: () => context.memo.once(method.fit, own) });
  }
  return { candidates, notes };
}
