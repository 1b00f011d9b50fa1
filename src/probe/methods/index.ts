/** Every probe, in the order of tables. To add one: its file in this folder, and its line here. */
import { nearest, UserError } from '../../base/index.js';
import { allL1 } from './all-l1.js';
import { allL2 } from './all-l2.js';
import { allL21 } from './all-l21.js';
import { allRidge } from './all-ridge.js';
import { linearHalf, linearQuarter, linearThreeQuarters } from './at-depth.js';
import { attentiveFusion } from './attentive-fusion.js';
import { auto } from './auto.js';
import { bestTap } from './best-tap.js';
import { centroid } from './centroid.js';
import { control } from './control.js';
import { efficientProbing } from './efficient-probing.js';
import { fTestK } from './f-test.js';
import { faithful } from './faithful.js';
import { head2toe } from './head2toe.js';
import { head2toeRidge } from './head2toe-ridge.js';
import { knn } from './knn.js';
import { lastFour } from './last-four.js';
import { layerwise } from './layerwise.js';
import { linear } from './linear.js';
import { loes } from './loes.js';
import { logistic } from './logistic.js';
import type { ProbeMethod } from './method.js';
import { mutualInformationK } from './mutual-information.js';
import { oracle } from './oracle.js';
import { random } from './random.js';
import { ridge } from './ridge.js';
import { stable } from './stable.js';
import { stack } from './stack.js';
import { tapRidge } from './tap-ridge.js';
import { varianceK } from './variance.js';

/** Every probe, in the order in which tables list them. */
export const methods: readonly ProbeMethod[] = [
  linear,
  logistic,
  linearQuarter,
  linearHalf,
  linearThreeQuarters,
  lastFour,
  control,
  oracle,
  bestTap,
  allL1,
  allL2,
  allL21,
  allRidge,
  tapRidge,
  stack,
  auto,
  head2toe,
  head2toeRidge,
  stable,
  faithful,
  attentiveFusion,
  efficientProbing,
  loes,
  layerwise,
  random,
  varianceK,
  fTestK,
  mutualInformationK,
  ridge,
  knn,
  centroid,
];

/**
 * The methods that a comma-separated list names, each once, in the order of `methods`.
 * @throws UserError for an unknown name
 */
export function selectMethods(names: string): ProbeMethod[] {
  const wanted = new Set<string>();
  const known = methods.map((m) => m.card.id);
  for (const name of names.split(',').map((n) => n.trim())) {
    if (name === '') continue;
    if (!known.includes(name)) {
      const guess = nearest(name, known);
      throw new UserError(
        `there is no method '${name}'; ${guess ? `did you mean '${guess}'?` : `methods: ${known.join(', ')}`}`,
      );
    }
    wanted.add(name);
  }
  if (wanted.size === 0) throw new UserError(`no method is named; methods: ${known.join(', ')}`);
  return methods.filter((m) => wanted.has(m.card.id));
}

export type { Alternative, EveryTap, Fit, ProbeMethod } from './method.js';
