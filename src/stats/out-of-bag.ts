/**
 * What the best of several candidates is worth, when it is chosen by the very answers that measure it: the bootstrap
 * bias-corrected estimate (Tsamardinos, Greasidou and Borboudakis, 2018). Of examples drawn with replacement the rule
 * chooses a candidate, and the examples that were not drawn measure it; nothing is fitted again. Groups are drawn whole.
 */
import { Random, UserError } from '../base/index.js';

/** Means of every measure, by candidate: [candidate][measure]. */
export type Means = readonly Float64Array[];

/** What candidates answered for every example, and which of them are chosen by what. */
export interface Answered {
  /** Value of each example, (n), by candidate and measure. */
  readonly values: readonly (readonly ArrayLike<number>[])[];
  /** Weight of each example in a measure's mean, (n), by measure; equal weights where absent. */
  readonly weights?: readonly (ArrayLike<number> | undefined)[] | undefined;
  /** Group of every example, (n); each stands alone by default. */
  readonly clusters?: readonly (string | number)[] | undefined;
}

/** How the estimate is drawn. */
export interface OutOfBagOptions {
  seed: number;
  /** By default 500, fewer for large tables. */
  draws: number | undefined;
}
const defaults: OutOfBagOptions = { seed: 0, draws: undefined };

/** Products of one estimate, by default; and the fewest draws. */
const WORK = 3e8;
const FEWEST = 100;

/**
 * The mean over draws of `evaluate`, which is given the means over the drawn examples, to choose by, and those over the
 * others, to measure with.
 * @throws UserError unless every candidate has as many values
 */
export function outOfBag(
  { values, weights = [], clusters }: Answered,
  evaluate: (drawn: Means, others: Means) => readonly number[],
  options: Partial<OutOfBagOptions> = {},
): number[] {
  const n = values[0]?.[0]?.length ?? 0;
  const measures = values[0]?.length ?? 0;
  if (n === 0 || values.some((own) => own.length !== measures || own.some((v) => v.length !== n))) {
    throw new UserError('out-of-bag estimate: every candidate needs one value per example');
  }
  const { groups, of } = numbered(clusters, n);
  const gathered = values.map((own) => own.map((v, m) => sums(groups, of, v, weights[m])));
  const one = new Float64Array(n).fill(1);
  const sizes = Array.from({ length: measures }, (_, m) => sums(groups, of, one, weights[m]));
  const { seed, draws = Math.max(FEWEST, Math.min(500, Math.floor(WORK / (values.length * measures * groups)))) } = {
    ...defaults,
    ...options,
  };
  const random = new Random(seed, 'out of bag');
  const times = new Float64Array(groups);
  /** 1 for what was not drawn. */
  const left = new Float64Array(groups);
  const drawn = values.map(() => new Float64Array(measures));
  const others = values.map(() => new Float64Array(measures));
  let total: number[] | undefined;
  let used = 0;
  for (let draw = 0; draw < draws; draw++) {
    times.fill(0);
    for (let g = 0; g < groups; g++) times[random.integer(groups)] += 1;
    if (!times.includes(0)) continue;
    for (let g = 0; g < groups; g++) left[g] = times[g] === 0 ? 1 : 0;
    const [inside, outside] = [sizes.map(split(times, 'drawn')), sizes.map(split(times, 'others'))];
    for (let c = 0; c < values.length; c++) {
      for (let m = 0; m < measures; m++) {
        let [a, b] = [0, 0];
        const own = gathered[c][m];
        // Without a branch, which chance would make the processor guess wrong a third of the time.
        for (let g = 0; g < groups; g++) {
          a += times[g] * own[g];
          b += left[g] * own[g];
        }
        drawn[c][m] = a / inside[m];
        others[c][m] = b / outside[m];
      }
    }
    const found = evaluate(drawn, others);
    total = found.map((v, i) => v + (total?.[i] ?? 0));
    used++;
  }
  return (total ?? []).map((v) => v / used);
}

const split = (times: Float64Array, which: 'drawn' | 'others') => (sizes: Float64Array) => {
  let sum = 0;
  for (let g = 0; g < times.length; g++) {
    if (which === 'drawn') sum += times[g] * sizes[g];
    else if (times[g] === 0) sum += sizes[g];
  }
  return sum;
};

/** The number of each example's group. */
function numbered(clusters: Answered['clusters'], n: number): { groups: number; of: Int32Array } {
  if (!clusters) return { groups: n, of: Int32Array.from({ length: n }, (_, i) => i) };
  const numbers = new Map([...new Set(clusters)].map((name, g) => [name, g]));
  return { groups: numbers.size, of: Int32Array.from(clusters, (name) => numbers.get(name) as number) };
}

function sums(groups: number, of: Int32Array, values: ArrayLike<number>, weights?: ArrayLike<number>): Float64Array {
  const total = new Float64Array(groups);
  for (let i = 0; i < of.length; i++) total[of[i]] += (weights ? weights[i] : 1) * values[i];
  return total;
}
