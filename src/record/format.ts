/** Numbers as the report prints them. Accuracies in percent, differences in points, true minus signs. */

import { percent, trueMinus } from '../base/index.js';

export { percent, quantity } from '../base/index.js';

/** Difference of accuracies in points with its sign: .041 -> "+4.1". */
export const points = (v: number): string => trueMinus(`${v > 0 ? '+' : ''}${(100 * v).toFixed(1)}`);

/** Interval of accuracies: "[78.1, 84.0]". */
export const percentInterval = ([low, high]: readonly [number, number]): string =>
  `[${percent(low)}, ${percent(high)}]`;

/** Interval of differences: "[+1.8, +6.4]". */
export const pointsInterval = ([low, high]: readonly [number, number]): string => `[${points(low)}, ${points(high)}]`;

/** p-values: two digits, never "0". */
export function pValue(p: number): string {
  if (p < 0.0001) return '< 0.0001';
  return p < 0.01 ? p.toPrecision(1).replace(/e.*/, '') : p.toFixed(2);
}

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 12345 -> "12,345". */
export const integer = (v: number): string => String(Math.round(v)).replace(/\B(?=(\d{3})+$)/g, ',');

/** A share as a percentage with sensible digits: .124 -> "12 %", .0042 -> "0.42 %". */
export function share(v: number): string {
  const p = 100 * v;
  if (p === 0) return '0 %';
  if (p < 0.01) return '< 0.01 %';
  return `${p >= 9.95 ? Math.round(p) : p >= 0.995 ? p.toFixed(1) : p.toFixed(2)} %`;
}

/** A sentence's beginning. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** "a", "a and b", "a, b and c". */
export function list(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
