/** A store as one matrix: a row an image, a column a feature, with a name for each of both. */
import { UserError } from '../../base/index.js';
import type { FeatureStore, StoredTap } from '../store.js';

/** A feature by where it comes from; row and column are those of its pooled grid, row -1 of a token apart. */
export interface FeatureColumn {
  /** `tap/pooling[channel,row,column]`. */
  readonly name: string;
  readonly tap: string;
  readonly pool: string;
  readonly channel: number;
  readonly row: number;
  readonly column: number;
}

export interface FeatureRow {
  readonly split: string;
  readonly file: string;
  /** -1 where the store holds none. */
  readonly label: number;
  /** '' where the store holds none. */
  readonly class: string;
  readonly group: string;
}

export interface FeatureTable {
  readonly classes: readonly string[];
  readonly columns: readonly FeatureColumn[];
  readonly rows: readonly FeatureRow[];
  /** Feature after feature, (p, n): whole taps, one at a time. */
  blocks(): AsyncGenerator<Float32Array, void, undefined>;
}

/**
 * @param splits all by default
 * @throws UserError when the store has no such split
 */
export function tableOf(store: FeatureStore, splits: readonly string[] = Object.keys(store.meta.splits)): FeatureTable {
  const { taps, classes } = store.meta;
  const rows = splits.flatMap((split): FeatureRow[] => {
    const { files, labels, groups } = store.split(split);
    return files.map((file, i) => {
      const label = labels?.[i] ?? -1;
      return { split, file, label, class: classes[label] ?? '', group: groups?.[i] ?? '' };
    });
  });
  return { classes, columns: taps.flatMap(columnsOf), rows, blocks: () => blocksOf(store, splits, rows.length) };
}

async function* blocksOf(store: FeatureStore, splits: readonly string[], n: number) {
  for (const tap of store.meta.taps) {
    const block = new Float32Array(tap.features * n);
    let first = 0;
    for (const split of splits) {
      const part = await store.read(split, tap);
      const own = store.split(split).n;
      for (let j = 0; j < tap.features; j++) block.set(part.subarray(j * own, (j + 1) * own), j * n + first);
      first += own;
    }
    yield block;
  }
}

/** In the order of a tap's features: pieces one after another, each by channel, then cell. */
export function columnsOf({ alias, pieces }: Pick<StoredTap, 'alias' | 'pieces'>): FeatureColumn[] {
  return pieces.flatMap(({ pool, channels, prefix, grid: [, width], features }) => {
    const cells = channels === 0 ? 1 : features / channels;
    return Array.from({ length: features }, (_, at): FeatureColumn => {
      const [channel, cell] = [Math.floor(at / cells), at % cells];
      const [row, column] = cell < prefix ? [-1, cell] : [Math.floor((cell - prefix) / width), (cell - prefix) % width];
      return { name: `${alias}/${pool}[${channel},${row},${column}]`, tap: alias, pool, channel, row, column };
    });
  });
}

/** Bytes of a matrix that is made in memory. */
const most = 2 ** 31 - 2 ** 16;

/** The whole matrix, (p, n). @throws UserError when it is larger than one piece of memory can be */
export async function wholeOf(table: FeatureTable, format: string): Promise<Float32Array> {
  const length = table.columns.length * table.rows.length;
  if (4 * length > most) {
    throw new UserError(
      `${table.rows.length} x ${table.columns.length} features are ${((4 * length) / 1e9).toFixed(1)} GB, more than a ${format} file is written of: take --format npy, fewer --splits, or extract fewer taps`,
    );
  }
  const whole = new Float32Array(length);
  let at = 0;
  for await (const block of table.blocks()) {
    whole.set(block, at);
    at += block.length;
  }
  return whole;
}
