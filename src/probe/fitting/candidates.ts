/** Linear probes that a combination chooses from or adds up, each as it was validated. */
import type { MethodContext } from '../context.js';
import { allL2 } from '../methods/all-l2.js';
import { allRidge } from '../methods/all-ridge.js';
import { linear } from '../methods/linear.js';
import type { LinearFit, TunedMethod } from '../methods/method.js';
import { tapRidge } from '../methods/tap-ridge.js';
import type { TuningRow } from '../tuning/tally.js';
import { kernelFits } from './kernel-ridge.js';

/** A probe that was tuned, and is fitted to all training rows when it is wanted. */
export interface Candidate {
  readonly method: Pick<TunedMethod, 'card'>;
  readonly validation: TuningRow;
  fit(): Promise<LinearFit>;
}

/** Features up to which logistic regression on all of them takes part: what it adds to ridge regression is little. */
const LOGISTIC = 50_000;

/** From the simplest; without those whose kernels would not fit in memory. */
export async function candidatesOf(context: MethodContext): Promise<Candidate[]> {
  const { taps, train } = context;
  const { rows, features } = train.matrix;
  const methods = [
    linear,
    ...(features <= LOGISTIC || !kernelFits(rows) ? [allL2] : []),
    ...(kernelFits(rows) ? [allRidge] : []),
    ...(kernelFits(rows, taps.length) ? [tapRidge] : []),
  ];
  const candidates: Candidate[] = [];
  for (const method of methods) {
    const progress = (note: string) => context.progress(`${method.card.id}: ${note}`);
    const own = { ...context, progress };
    const { validation } = await context.memo.once(method.tune, own);
    candidates.push({ method, validation, fit: () => context.memo.once(method.fit, own) });
  }
  return candidates;
}
