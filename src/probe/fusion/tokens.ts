/** Layers as tokens: what attention over the layers of a network reads of stored features. */
import { UserError } from '../../base/index.js';
import type { FeatureMatrix } from '../../solver/index.js';
import { blockEnds, lastTap, type ProbeTap } from '../task.js';

/** One vector of one tap: a token apart (CLS), or everything else that a pooling leaves of the tap. */
export interface LayerToken {
  /** The tap's alias, and which of its vectors it is. */
  readonly name: string;
  /** Place of the tap among the taps. */
  readonly tap: number;
  /** Features of the whole matrix, ascending. */
  readonly features: Int32Array;
}

export interface LayerTokens {
  readonly tokens: readonly LayerToken[];
  /** Features of all of them, ascending. */
  readonly features: Int32Array;
  /** D: the width of the widest; narrower ones are padded with zeros. */
  readonly width: number;
  /** Names of vectors that were left out, because they are wider than `WIDEST`. */
  readonly wide: readonly string[];
}

/** Weights of attention grow with the square of the width. */
export const WIDEST = 2048;
/** Values that are held at once. */
const LARGEST = 2 ** 29;

/**
 * The taps that are read: as published `ln2` of every block but the first, and `final_norm` or the last layer; where there is no `ln2`, the
 * outputs of the blocks and the last layer; where neither is known, all but the logits.
 */
export function fusedTaps(taps: readonly ProbeTap[]): number[] {
  const all = [...taps.keys()].filter((t) => taps[t]?.alias !== 'logits');
  const matching = (pattern: RegExp) => all.filter((t) => pattern.test(taps[t]?.alias ?? ''));
  const named = (t: number) => (taps[t]?.alias ?? '').replace(/@.*/, '');
  const normed = all.filter((t) => named(t) === 'final_norm');
  const last = normed.length > 0 ? normed : all.filter((t) => named(t) === named(lastTap(taps)));
  const norms = matching(/\.ln2(@|$)/);
  const [first] = norms.map(named);
  const inner = norms.filter((t) => named(t) !== first);
  const ends = inner.length > 0 ? inner : blockEnds(taps);
  return ends.length > 0 ? [...new Set([...ends, ...last])].sort((a, b) => a - b) : all;
}

/**
 * The vectors of the taps that are read (see fusedTaps). A token apart is a vector of its own, and the cells of a grid are one vector.
 * @param offsets first feature of each tap
 * @throws UserError when all are too wide
 */
export function layerTokens(taps: readonly ProbeTap[], offsets: ArrayLike<number>): LayerTokens {
  const all = fusedTaps(taps).flatMap((t) => tokensOfTap(taps[t] as ProbeTap, t, offsets[t] as number));
  const tokens = all.filter(({ features }) => features.length <= WIDEST);
  if (tokens.length === 0) {
    throw new UserError(
      `every layer has more than ${WIDEST} values, and attention over layers needs weights by the square of that: extract with --pool gap`,
    );
  }
  return {
    tokens,
    features: Int32Array.from(tokens.flatMap((token) => [...token.features])).sort(),
    width: tokens.reduce((width, { features }) => Math.max(width, features.length), 1),
    wide: all.filter((token) => !tokens.includes(token)).map(({ name }) => name),
  };
}

function tokensOfTap({ alias, features, pieces }: ProbeTap, tap: number, first: number): LayerToken[] {
  if (!pieces || pieces.length === 0) {
    return [{ name: alias, tap, features: Int32Array.from({ length: features }, (_, j) => first + j) }];
  }
  const result: LayerToken[] = [];
  let at = first;
  for (const { channels, prefix, grid, features: count } of pieces) {
    const cells = prefix + grid[0] * grid[1];
    const own = (from: number, to: number) =>
      Int32Array.from({ length: channels * (to - from) }, (_, j) => {
        const [channel, cell] = [Math.floor(j / (to - from)), from + (j % (to - from))];
        return at + channel * cells + cell;
      });
    for (let c = 0; c < prefix; c++) {
      result.push({ name: `${alias} (token ${c})`, tap, features: own(c, c + 1) });
    }
    if (cells > prefix) result.push({ name: alias, tap, features: own(prefix, cells) });
    at += count;
  }
  return result;
}

/** Every vector of every example divided by its norm (zeros stay zeros) and padded with zeros, (n, k, D). */
export async function readTokens(matrix: FeatureMatrix, { tokens, width: D }: LayerTokens): Promise<Float32Array> {
  const [n, k] = [matrix.rows, tokens.length];
  if (n * k * D > LARGEST) {
    throw new UserError(
      `${k} vectors of ${D} values of ${n} examples are too many to be held at once: use fewer taps, a coarser pooling, or a method that reads feature by feature (tap-ridge)`,
    );
  }
  const x = new Float32Array(n * k * D);
  for (const [t, { features }] of tokens.entries()) {
    const data = await matrix.gather(features, new Float32Array(features.length * n));
    for (let i = 0; i < n; i++) {
      const to = (i * k + t) * D;
      let squares = 0;
      for (const [j, feature] of features.entries()) {
        const value = (data[j * n + i] as number) + (matrix.shift[feature] as number);
        x[to + j] = value;
        squares += value * value;
      }
      const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
      for (let j = 0; j < features.length; j++) x[to + j] = (x[to + j] as number) * scale;
    }
  }
  return x;
}

/** Where the vectors lie among their features, (k, D); `features.length` stands for a zero. */
export function tokenPlaces({ tokens, features, width: D }: LayerTokens): Int32Array {
  const place = new Map(Array.from(features, (feature, i) => [feature, i]));
  const places = new Int32Array(tokens.length * D).fill(features.length);
  for (const [t, token] of tokens.entries()) {
    for (const [j, feature] of token.features.entries()) places[t * D + j] = place.get(feature) as number;
  }
  return places;
}
