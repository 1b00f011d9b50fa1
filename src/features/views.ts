/**
 * Poolings within a store. A pass by `target:512,target:8192` leaves the pieces of both of every tap, equal ones once; those
 * of `target:512` among them are what a pass by `target:512` alone leaves, to the engine's rounding. So one pass holds several
 * target sizes, and whoever reads a store may read it as if it were pooled by any part of its spec.
 */
import { UserError } from '../base/index.js';
import type { Layout, Tap } from '../graph/index.js';
import { type PooledPiece, type PoolItem, parsePool, planPools, pooledPieces, poolName } from './pooling.js';
import type { FeatureStore, StoredTap, StoreMeta } from './store.js';

/** A tap of a store under some of the store's poolings. */
export interface ViewedTap extends StoredTap {
  readonly stored: StoredTap;
  /** Where its features lie among those of the stored tap, in order. */
  readonly runs: readonly FeatureRun[];
}
interface FeatureRun {
  readonly first: number;
  readonly count: number;
}

/** The spec of the view in which every pooling of a tap is a tap of its own. */
export const eachPool = 'each';

/** A store as if it had been extracted with one of its poolings. */
export interface PooledView {
  /** What a pass of its own would be asked for. */
  readonly pool: string;
  readonly taps: readonly ViewedTap[];
}

/**
 * @param spec as in parsePool, or eachPool; all that the store holds by default
 * @throws UserError when the store does not hold it
 */
export function viewOf(meta: StoreMeta, spec: string = meta.pool): PooledView {
  if (spec === eachPool) return { pool: eachPool, taps: viewOf(meta).taps.flatMap(piecesOf) };
  const [held, items] = [parsePool(meta.pool), parsePool(spec)];
  const pool = items.map(poolName).join(',');
  const whole = pool === held.map(poolName).join(',');
  const taps = meta.taps.flatMap((tap) => {
    const found = viewTap(tap, held, items);
    if (!found) {
      throw new UserError(
        `the store is pooled by ${meta.pool}, which '${spec}' is no part of: extract again with --pool ${[...new Set([...held, ...items].map(poolName))].join(',')}`,
      );
    }
    return whole || !isRedundant(meta, found, items) ? [found] : [];
  });
  return { pool, taps };
}

/**
 * Where the features of some poolings lie among those of a tap pooled by `held`, in order; undefined where they are not.
 * @param features that the tap is said to have
 * @throws UserError when it cannot have so many
 */
export function runsOf(
  tap: Pick<Tap, 'layout' | 'shape'>,
  held: readonly PoolItem[],
  items: readonly PoolItem[],
  features?: number,
): FeatureRun[] | undefined {
  const places = new Map<string, FeatureRun>();
  let end = 0;
  for (const { key, piece } of planPools(tap, held)) {
    places.set(key, { first: end, count: piece.features });
    end += piece.features;
  }
  if (features !== undefined && end !== features) {
    throw new UserError(
      `the store's meta.json is damaged: a tap of shape ${tap.shape.join(' x ')} has ${end} pooled features, not ${features}; extract again`,
    );
  }
  const found = planPools(tap, items).map(({ key }) => places.get(key));
  return found.every((run) => run !== undefined) ? found : undefined;
}

function viewTap(tap: StoredTap, held: readonly PoolItem[], items: readonly PoolItem[]): ViewedTap | undefined {
  const value = { layout: layoutOfStored(tap), shape: tap.shape };
  const runs = runsOf(value, held, items, tap.features);
  if (!runs) return undefined;
  const constant: number[] = [];
  let features = 0;
  for (const { first, count } of runs) {
    for (const j of tap.constant) if (j >= first && j < first + count) constant.push(features + j - first);
    features += count;
  }
  const pieces = pooledPieces(value, items).map(pieceOf);
  return { ...tap, features, pieces, constant, stored: tap, runs };
}

/** Each piece of a tap as a tap, unless all that it says is constant. */
function piecesOf(tap: ViewedTap): ViewedTap[] {
  if (tap.pieces.length === 1) return [tap];
  let end = 0;
  return tap.pieces.flatMap((piece, i) => {
    const first = end;
    end += piece.features;
    const constant = tap.constant.filter((j) => j >= first && j < end).map((j) => j - first);
    if (constant.length === piece.features) return [];
    const alias = `${tap.alias}@${piece.pool.replace('target:', '')}`;
    return [{ ...tap, alias, features: piece.features, pieces: [piece], constant, runs: tap.runs.slice(i, i + 1) }];
  });
}

/** The layout of a stored tap; stores of 0.1 have channels-first maps, and tokens before which their pieces say how many. */
function layoutOfStored({ kind, shape, layout, pieces }: StoredTap): Layout {
  if (layout) return { ...layout, grid: layout.grid };
  const prefix = kind === 'tokens' ? Math.max(0, ...pieces.map((piece) => piece.prefix)) : 0;
  if (kind !== 'tokens') {
    const [, rows = 1, columns = 1] = shape;
    const grid = kind === 'map' ? ([rows, columns] as const) : undefined;
    return { kind, axes: kind === 'map' ? 'NCHW' : 'NC', prefix, suffix: 0, grid };
  }
  const side = Math.round(Math.sqrt((shape[0] ?? 0) - prefix));
  const square = side * side + prefix === shape[0];
  return { kind, axes: 'NTC', prefix, suffix: 0, grid: square ? [side, side] : undefined };
}

const pieceOf = ({ grid, ...piece }: PooledPiece) => ({ ...piece, grid: [...grid] as [number, number] });

/** Would a pass of its own have left the tap out? All that it says is constant, or said by another tap. */
function isRedundant(meta: StoreMeta, tap: ViewedTap, items: readonly PoolItem[]): boolean {
  if (tap.constant.length === tap.features) return true;
  const of = items.map((item) => {
    const pool = poolName(item);
    return meta.repeats?.find((r) => r.name === tap.name && r.pool === pool)?.of;
  });
  return of[0] !== undefined && of.every((name) => name === of[0]);
}

/** Reads features [first, first + count) of a tap under its pooling, feature-major: (count, n). */
export async function readView(
  store: FeatureStore,
  split: string,
  { stored, runs }: ViewedTap,
  first: number,
  count: number,
  into: Float32Array = new Float32Array(count * store.split(split).n),
): Promise<Float32Array> {
  const { n } = store.split(split);
  let before = 0;
  for (const run of runs) {
    const from = Math.max(first, before);
    const to = Math.min(first + count, before + run.count);
    if (from < to) {
      const part = into.subarray((from - first) * n, (to - first) * n);
      await store.read(split, stored, run.first + from - before, to - from, part);
    }
    before += run.count;
  }
  return into;
}
