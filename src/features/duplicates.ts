/** Taps that add nothing: every one of their pooled features is a feature of another tap. */
import type { Program } from '../engine/index.js';
import { hashOf } from '../graph/index.js';
import { transpose } from './chunk-pass.js';
import { type PassNetwork, passBuffer, runPass } from './pass.js';
import { type PoolItem, poolName } from './pooling.js';
import type { StoreMeta } from './store.js';
import type { PooledTap } from './tapped.js';
import { runsOf } from './views.js';

export interface Duplicates {
  /** Taps to leave out, with the tap that they repeat. */
  readonly dropped: StoreMeta['dropped'];
  /** Of the others, those that repeat one under a pooling of the pass by itself, where there are several. */
  readonly repeats: NonNullable<StoreMeta['repeats']>;
}

/** Runs the pass on noise images and compares pooled features column by column. */
export async function findDuplicates(
  program: Program,
  { backbone, taps, items, batch }: Pick<PassNetwork, 'backbone' | 'taps' | 'items' | 'batch'>,
): Promise<Duplicates> {
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
  const found = repetitions(taps, columns);
  const kept = [...taps.entries()].filter(([i]) => !found.some(({ tap }) => tap === taps[i]));
  const alone = (item: PoolItem) =>
    repetitions(
      kept.map(([, tap]) => tap),
      kept.map(([i, tap]) => {
        const runs = runsOf(tap, items, [item]) ?? [];
        return runs.flatMap(({ first, count }) => columns[i]?.slice(first, first + count) ?? []);
      }),
    ).map(({ tap, of }) => ({ pool: poolName(item), name: tap.name, of: of.name }));
  return {
    dropped: found.map(({ tap, of }) => ({
      name: tap.name,
      alias: tap.alias,
      reason: `identical to '${of.alias}'`,
    })),
    repeats: items.length > 1 ? items.flatMap(alone) : [],
  };
}

interface Repetition {
  readonly tap: PooledTap;
  readonly of: PooledTap;
}

/** Taps of which every column is a column of another one. `features` and `logits` are kept over maps. */
function repetitions(taps: readonly PooledTap[], columns: readonly (readonly Float32Array[])[]): Repetition[] {
  const found: Repetition[] = [];
  const isEnd = ({ alias }: PooledTap) => alias === 'features' || alias === 'logits';
  const gone = new Set<PooledTap>();
  // Ends first, so that the map goes and the feature vector stays; among maps the earlier one stays.
  const order = [...taps.entries()].sort(([i, a], [j, b]) => Number(isEnd(b)) - Number(isEnd(a)) || i - j);
  for (const [k, keeper] of order) {
    if (gone.has(keeper)) continue;
    const index = indexOf(columns[k] ?? []);
    for (const [i, tap] of taps.entries()) {
      if (tap === keeper || gone.has(tap) || (isEnd(tap) && !isEnd(keeper))) continue;
      if (!columns[i]?.every((column) => index(column))) continue;
      gone.add(tap);
      found.push({ tap, of: keeper });
    }
  }
  return found;
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
