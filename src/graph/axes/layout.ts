/** How the activations of a value lie in memory: where its channels are, and which places of the image it has. */

import { type Axis, isOf, isWhole, type Tokens, tokensOf } from './axis.js';
import type { Axes } from './propagate.js';

/** `heads`: the channels are on several axes; `unknown`: which axes are channels cannot be read from the network. */
export type TapKind = 'map' | 'tokens' | 'vector' | 'heads' | 'unknown';

/** What the axes of a value are. */
export interface Layout {
  readonly kind: TapKind;
  /** One letter an axis: N batch, C channels, H rows, W columns, T tokens (places in one axis), D a part of the channels. */
  readonly axes: string;
  /** Of tokens and heads: those that no patch made, before and after those of the image (CLS, registers). */
  readonly prefix: number;
  readonly suffix: number;
  /** Rows and columns of the image's own tokens, or of a map; undefined where they are in no known order. */
  readonly grid: readonly [rows: number, columns: number] | undefined;
}

/** Undefined where a value has not one row per example. */
export function layoutOf(axes: Axes, dims: readonly number[]): Layout | undefined {
  const batch = axes.findIndex((axis) => isWhole(axis, 'batch'));
  if (batch < 0 || axes.length < 2 || axes.length > 4) return undefined;
  const size = (letter: string) => letters.flatMap((l, i) => (l === letter ? [dims[i] ?? 1] : []));
  let letters = axes.map((axis, i) => (i === batch ? 'N' : letterOf(axis)));
  letters = placed(letters, axes);
  const text = letters.join('');
  const some = (letter: string) => letters.filter((l) => l === letter).length;
  const plain = { axes: text, prefix: 0, suffix: 0, grid: undefined };
  if (axes.length === 2) return { ...plain, kind: 'vector', axes: batch === 0 ? 'NC' : 'CN' };
  if (some('H') === 1 && some('W') === 1 && some('C') === 1) {
    return { ...plain, kind: 'map', grid: [size('H')[0] ?? 1, size('W')[0] ?? 1] };
  }
  if (some('T') === 1 && some('C') + some('D') >= 1 && !text.includes('?') && some('H') + some('W') === 0) {
    const axis = axes[letters.indexOf('T')] ?? [];
    const tokens = tokensOf(axis) ?? { before: 0, places: axis, after: 0 };
    const extra = tokens.places.length === 0;
    const [prefix, suffix] = extra ? [0, 0] : [tokens.before, tokens.after];
    const kind = some('C') === 1 && some('D') === 0 ? 'tokens' : 'heads';
    return { kind, axes: text, prefix, suffix, grid: gridOf(tokens) };
  }
  return { ...plain, kind: 'unknown' };
}

function letterOf(axis: Axis): string {
  if (axis.length === 0) return '1';
  if (isOf(axis, 'channel')) return 'C';
  if (isWhole(axis, 'row')) return 'H';
  if (isWhole(axis, 'column')) return 'W';
  return tokensOf(axis) ? 'T' : '?';
}

/**
 * Axes of one element are the places where these are lacking: a map that was pooled to 1 x 1. Several axes of channels
 * are heads (D).
 */
function placed(letters: readonly string[], axes: Axes): string[] {
  const result = [...letters];
  const channels = result.filter((l) => l === 'C').length;
  if (channels > 1) return result.map((l) => (l === 'C' ? 'D' : l));
  if (channels === 0 && result.filter((l) => l === '?').length === 0) {
    // A single channel: the axis of one element that stands where channels do.
    const at = result.indexOf('1');
    if (at >= 0) result[at] = 'C';
  }
  const wanted = axes.length === 4 ? ['H', 'W'] : ['T'];
  for (const letter of wanted) {
    const at = result.indexOf('1');
    if (at >= 0 && !result.includes(letter)) result[at] = letter;
  }
  return result;
}

/** A grid whose places stand row by row. */
function gridOf({ places }: Tokens): readonly [number, number] | undefined {
  const [rows, columns, ...others] = places;
  if (!rows || others.length > 0) return undefined;
  const whole = (axis: Axis, of: 'row' | 'column') => isWhole(axis, of);
  if (!columns) return whole([rows], 'row') ? [rows.size, 1] : whole([rows], 'column') ? [1, rows.size] : undefined;
  return whole([rows], 'row') && whole([columns], 'column') ? [rows.size, columns.size] : undefined;
}
