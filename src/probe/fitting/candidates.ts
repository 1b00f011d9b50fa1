/** Linear probes that a combination chooses from or adds up, each as it was validated. */
import type { LinearModel } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import { allL2 } from '../methods/all-l2.js';
import { allRidge } from '../methods/all-ridge.js';
import { linear } from '../methods/linear.js';
import type { Fit, ProbeMethod } from '../methods/method.js';
import { tapRidge } from '../methods/tap-ridge.js';
import type { TuningRow } from '../tuning/tally.js';
import { kernelFits } from './kernel-ridge.js';

export interface Candidate {
  readonly method: ProbeMethod;
  readonly fit: Fit & { readonly model: LinearModel; readonly validation: TuningRow };
}

/** Features up to which logistic regression on all of them takes part: what it adds to ridge regression is little. */
const LOGISTIC = 50_000;

/** From the simplest; without those whose kernels would not fit in memory. */
export async function candidateFits(context: MethodContext): Promise<Candidate[]> {
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
    const fit = await context.memo.once(method.fit, { ...context, progress });
    const { model, validation } = fit;
    if (!model || !validation) throw new Error(`${method.card.id} has no linear model that was validated`);
    candidates.push({ method, fit: { ...fit, model, validation } });
  }
  return candidates;
}
