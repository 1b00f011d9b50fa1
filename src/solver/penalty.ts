/**
 * Penalties: sum over groups g of w_g [ (1 - mix) ||W_g||_2 + mix ||W_g||_1 ]. A group is one feature's row of W by
 * default; a whole tap, or any set of features, when asked for. mix = 1 is the element-wise l1 penalty.
 */
import { UserError } from '../base/index.js';
import type { FeatureMatrix } from './matrix.js';

export interface PenaltyOptions {
  /** 'feature': one row of W each (l2,1). 'tap': one block each. Or the group number of every feature. */
  groups: 'feature' | 'tap' | ArrayLike<number>;
  /** Share of the element-wise l1 norm: 0 group lasso, 1 lasso. */
  mix: number;
  /** Weight per group, positive; by default 1 per feature, sqrt(group size) for larger groups. */
  weights: ArrayLike<number> | undefined;
  /** Factor per block on the weights of its features' groups, for example increasing with depth. */
  tapWeights: ArrayLike<number> | undefined;
}
export const penaltyDefaults: PenaltyOptions = {
  groups: 'feature',
  mix: 0,
  weights: undefined,
  tapWeights: undefined,
};

export interface Penalty {
  readonly mix: number;
  /** Number of groups. */
  readonly count: number;
  readonly weights: Float64Array;
  /** Group of every feature; undefined when each feature is its own group. */
  readonly groupOf: Int32Array | undefined;
  /** Features of group g: members[starts[g] ... starts[g + 1]); undefined when each feature is its own group. */
  readonly starts: Int32Array | undefined;
  readonly members: Int32Array | undefined;
}

/** @throws UserError on groups that do not cover the features, weights that are not positive, or mix outside [0, 1]. */
export function resolvePenalty(matrix: FeatureMatrix, options: Partial<PenaltyOptions> = {}): Penalty {
  const { groups, mix, weights, tapWeights } = { ...penaltyDefaults, ...options };
  if (!(mix >= 0 && mix <= 1)) throw new UserError(`mix ${mix}: the share of the l1 norm must lie in [0, 1]`);
  const p = matrix.features;
  const groupOf = groupNumbers(matrix, groups);
  const count = groupOf ? groupOf.reduce((top, g) => Math.max(top, g + 1), 0) : p;
  let starts: Int32Array | undefined;
  let members: Int32Array | undefined;
  if (groupOf) {
    starts = new Int32Array(count + 1);
    for (const g of groupOf) starts[g + 1] += 1;
    for (let g = 0; g < count; g++) {
      if (starts[g + 1] === 0) throw new UserError(`group ${g} has no features: number the groups 0 ... ${count - 1}`);
      starts[g + 1] += starts[g];
    }
    const next = starts.slice();
    members = new Int32Array(p);
    for (let j = 0; j < p; j++) {
      const g = groupOf[j];
      members[next[g]] = j;
      next[g] += 1;
    }
  }
  const resolved = new Float64Array(count);
  for (let g = 0; g < count; g++) {
    const size = starts ? starts[g + 1] - starts[g] : 1;
    resolved[g] = weights ? weights[g] : Math.sqrt(size);
  }
  if (weights && weights.length !== count) throw new UserError(`${weights.length} group weights for ${count} groups`);
  if (tapWeights) {
    if (tapWeights.length !== matrix.blocks.length) {
      throw new UserError(`${tapWeights.length} tap weights for ${matrix.blocks.length} taps: give one each`);
    }
    for (let g = 0; g < count; g++) {
      const feature = starts && members ? members[starts[g]] : g;
      resolved[g] *= tapWeights[matrix.locate(feature).block];
    }
  }
  const bad = resolved.findIndex((w) => !(w > 0 && Number.isFinite(w)));
  if (bad >= 0) throw new UserError(`weight ${resolved[bad]} of group ${bad}: penalty weights must be positive`);
  return { mix, count, weights: resolved, groupOf, starts, members };
}

function groupNumbers(matrix: FeatureMatrix, groups: PenaltyOptions['groups']): Int32Array | undefined {
  if (groups === 'feature') return undefined;
  const p = matrix.features;
  if (groups === 'tap') {
    const numbers = new Int32Array(p);
    for (let b = 0; b < matrix.blocks.length; b++) numbers.fill(b, matrix.offsets[b], matrix.offsets[b + 1]);
    return numbers;
  }
  if (groups.length !== p)
    throw new UserError(`groups are given for ${groups.length} features of ${p}: cover them all`);
  return Int32Array.from({ length: p }, (_, j) => {
    const g = groups[j];
    if (!Number.isInteger(g) || g < 0) throw new UserError(`group ${g} of feature ${j}: groups are numbered from 0`);
    return g;
  });
}
