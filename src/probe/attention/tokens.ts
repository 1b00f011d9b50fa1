/** Layers, or the positions of one, as vectors: what attention reads of stored features. */
import { UserError } from '../../base/index.js';
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

/**
 * The positions of one layer: every token and every cell of a map is a vector. Of several taps the deepest one that has any, and
 * of its poolings the finest.
 * @param offsets first feature of each tap
 * @throws UserError where every layer is one vector
 */
export function positionTokens(taps: readonly ProbeTap[], offsets: ArrayLike<number>): LayerTokens {
  const placed = taps.flatMap(({ pieces = [], depth = 0 }, tap) => {
    const [piece] = pieces;
    const cells = piece ? cellsOf(piece) : 1;
    return piece && pieces.length === 1 && cells > 1 ? [{ tap, piece, cells, depth }] : [];
  });
  const [best] = placed.sort((a, b) => b.depth - a.depth || b.cells - a.cells || b.tap - a.tap);
  if (!best) {
    throw new UserError(
      'efficient-probing attends over the positions of a layer, and these features are one vector a layer: toehold extract MODEL DATA --tokens TAP keeps them',
    );
  }
  const { tap, piece, cells } = best;
  const { alias } = taps[tap] as ProbeTap;
  const first = offsets[tap] as number;
  const { channels, prefix } = piece;
  const tokens = Array.from({ length: cells }, (_, cell) => ({
    name: cell < prefix ? `${alias} (token ${cell})` : `${alias} (place ${cell - prefix})`,
    tap,
    features: Int32Array.from({ length: channels }, (_, channel) => first + channel * cells + cell),
  }));
  return {
    tokens,
    features: Int32Array.from({ length: channels * cells }, (_, j) => first + j),
    width: channels,
    wide: [],
  };
}

const cellsOf = ({ prefix, grid }: NonNullable<ProbeTap['pieces']>[number]): number => prefix + grid[0] * grid[1];

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

/** Where the vectors lie among their features, (k, D); `features.length` stands for a zero. */
export function tokenPlaces({ tokens, features, width: D }: LayerTokens): Int32Array {
  const place = new Map(Array.from(features, (feature, i) => [feature, i]));
  const places = new Int32Array(tokens.length * D).fill(features.length);
  for (const [t, token] of tokens.entries()) {
    for (const [j, feature] of token.features.entries()) places[t * D + j] = place.get(feature) as number;
  }
  return places;
}
