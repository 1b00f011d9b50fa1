/** Every method by name. */
import { nearest, UserError } from '../../base/index.js';
import { faithful } from './faithful.js';
import { allL2, control, linear } from './l2.js';
import type { Method } from './method.js';
import { oracle } from './oracle.js';
import { fTestK, head2toe, layerwise, mutualInformationK, random, varianceK } from './select.js';
import { centroid, knn, ridge } from './simple.js';
import { allL1, allL21 } from './sparse.js';

/** head2toe comes before the baselines that keep as many features as it does. */
export const methods: readonly Method[] = [
  linear,
  allL2,
  allL1,
  allL21,
  head2toe,
  faithful,
  layerwise,
  random,
  varianceK,
  fTestK,
  mutualInformationK,
  knn,
  centroid,
  ridge,
  control,
  oracle,
];

/**
 * The methods that a comma-separated list names, each once, in the order of `methods`.
 * @throws UserError for an unknown name
 */
export function selectMethods(names: string): Method[] {
  const wanted = new Set<string>();
  for (const name of names.split(',').map((n) => n.trim())) {
    if (name === '') continue;
    if (!methods.some((m) => m.name === name)) {
      const known = methods.map((m) => m.name);
      const guess = nearest(name, known);
      throw new UserError(
        `there is no method '${name}'; ${guess ? `did you mean '${guess}'?` : `methods: ${known.join(', ')}`}`,
      );
    }
    wanted.add(name);
  }
  if (wanted.size === 0) throw new UserError(`no method is named; methods: ${methods.map((m) => m.name).join(', ')}`);
  return methods.filter((m) => wanted.has(m.name));
}

export { type FaithfulOptions, faithfulDefaults } from './faithful.js';
export type { Fit, Method, MethodContext } from './method.js';
export { Shared } from './method.js';
export { type TapAccuracy, type TapPrediction, tapAccuracies, tapPredictions } from './oracle.js';
