/** Taps that add nothing: every one of their pooled features is a feature of another tap. */
import type { Program } from '../engine/index.js';
import { hashOf } from '../graph/index.js';
import { transpose } from './chunk-pass.js';
import { type PassNetwork, passBuffer, runPass } from './pass.js';
import type { StoreMeta } from './store.js';

/**
 * Runs the pass on noise images and compares pooled features column by column.
 * @returns taps to leave out with the tap that they repeat; `features` and `logits` are kept over maps
 */
export async function findDuplicates(
  program: Program,
  { backbone, taps, batch }: Pick<PassNetwork, 'backbone' | 'taps' | 'batch'>,
): Promise<StoreMeta['dropped']> {
  const [height, width] = backbone.preprocess.size;
  const pixels = new Uint8Array(batch * height * width * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = hashOf(i) >>> 24;
  const rows = await runPass(program, backbone, batch, pixels, passBuffer(taps, batch));
  const data = new Float32Array(rows.length);
  transpose(rows, data, batch);
  let end = 0;
  const columns = taps.map((tap) => {
    const first = end;
    end += tap.features;
    return Array.from({ length: tap.features }, (_, j) => data.subarray((first + j) * batch, (first + j + 1) * batch));
  });
  const dropped: StoreMeta['dropped'] = [];
  const isEnd = (tap: number) => taps[tap]?.alias === 'features' || taps[tap]?.alias === 'logits';
  const gone = new Set<number>();
  // Ends first, so that the map goes and the feature vector stays; among maps the earlier one stays.
  const order = taps.map((_, i) => i).sort((a, b) => Number(isEnd(b)) - Number(isEnd(a)) || a - b);
  for (const keeper of order) {
    if (gone.has(keeper)) continue;
    const index = indexOf(columns[keeper] ?? []);
    taps.forEach((tap, i) => {
      if (i === keeper || gone.has(i) || (isEnd(i) && !isEnd(keeper))) return;
      if (!columns[i]?.every((column) => index(column))) return;
      gone.add(i);
      dropped.push({
        name: tap.name,
        alias: tap.alias,
        reason: `identical to '${taps[keeper]?.alias}'`,
      });
    });
  }
  return dropped;
}

/** Two ways of computing the same mean differ by rounding. */
const tolerance = 1e-4;

/** A test of whether a column, up to rounding, is among `columns`. */
function indexOf(columns: readonly Float32Array[]): (column: Float32Array) => boolean {
  const sorted = columns.toSorted((a, b) => (a[0] as number) - (b[0] as number));
  const firsts = Float32Array.from(sorted, (c) => c[0] as number);
  return (column) => {
    const value = column[0] as number;
    const scale = column.reduce((most, v) => Math.max(most, Math.abs(v)), 0) * tolerance;
    let low = 0;
    for (let high = firsts.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((firsts[middle] as number) < value - scale) low = middle + 1;
      else high = middle;
    }
    for (let k = low; k < firsts.length && (firsts[k] as number) <= value + scale; k++) {
      if (sorted[k]?.every((v, i) => Math.abs(v - (column[i] as number)) <= scale)) return true;
    }
    return false;
  };
}
