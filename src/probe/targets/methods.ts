/** The probes of real values and of several labels, by name. */
import { allL21 } from './group-lasso.js';
import { head2toe } from './head2toe.js';
import { allL2 } from './l2.js';
import type { ValuedMethod } from './method.js';
import { ridgeMethods } from './ridge.js';

/** Every probe of real values and of several labels. */
export const valuedMethods: readonly ValuedMethod[] = [...ridgeMethods, allL2, allL21, head2toe];

/** Those that are fitted where none is named. */
export const usualValued: readonly string[] = valuedMethods.flatMap(({ id, onRequest }) => (onRequest ? [] : [id]));
