/**
 * Pooling specs: how the activations of a tap become a vector of features, as a function on graphs.
 *
 * `gap`        mean over space; tokens: each prefix token (CLS) kept, and the mean of the patch tokens
 * `max`, `std` maximum and standard deviation over space or over all tokens
 * `target:T`   adaptive average pooling to the n x n grid with channels x n x n closest to but not above T; exact bins
 *              that cover every pixel; tokens on their 2-D grid with CLS kept apart
 * `head2toe:T` the rule of the Head2Toe reference implementation, dropped borders and CLS mixing included
 *
 * Several specs, comma-separated, are concatenated; pieces that come out the same are kept once.
 * Features of a piece are ordered by channel, then cell: index = channel * cells + cell.
 */
import { UserError } from '../base/index.js';
import { float32, type GraphBuilder, type TapKind } from '../graph/index.js';

export type PoolItem =
  | { readonly kind: 'gap' | 'max' | 'std' }
  | { readonly kind: 'target' | 'head2toe'; readonly size: number };

/** What one pooling item makes of one tap. Cells are the prefix tokens first, then the grid row by row. */
export interface PooledPiece {
  readonly pool: string;
  readonly channels: number;
  /** Tokens kept apart (CLS). */
  readonly prefix: number;
  readonly grid: readonly [rows: number, columns: number];
  readonly features: number;
}

const grammar = 'gap, max, std, target:T or head2toe:T';

/** @throws UserError for anything but the specs above. */
export function parsePool(spec: string): PoolItem[] {
  const items = spec.split(',').map((part): PoolItem => {
    const [kind, size, ...rest] = part.trim().split(':');
    if ((kind === 'gap' || kind === 'max' || kind === 'std') && size === undefined) return { kind };
    if (kind === 'mean' && size === undefined) return { kind: 'gap' };
    if ((kind === 'target' || kind === 'head2toe') && size !== undefined && rest.length === 0) {
      const n = Number(size);
      if (Number.isInteger(n) && n > 0) return { kind, size: n };
    }
    throw new UserError(
      `pooling '${part.trim()}' is not understood: use ${grammar} (T a positive number), several with commas`,
    );
  });
  return items;
}

export function poolName(item: PoolItem): string {
  return 'size' in item ? `${item.kind}:${item.size}` : item.kind;
}

/** Windows of one axis: where each cell starts and ends. */
interface Windows {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** A piece with the windows of each axis that its cells pool. */
interface Pooling {
  readonly piece: PooledPiece;
  readonly rows: Windows;
  readonly columns: Windows;
}

/** Adaptive bins: cell i covers floor(i n / g) to ceil((i + 1) n / g). */
function adaptive(n: number, g: number): Windows {
  const cells = Array.from({ length: g }, (_, i) => i);
  return { starts: cells.map((i) => Math.floor((i * n) / g)), ends: cells.map((i) => Math.ceil(((i + 1) * n) / g)) };
}

/** Windows of p with stride p; what does not fill a window is dropped. */
function strided(n: number, p: number): Windows {
  const cells = Array.from({ length: Math.floor((n - p) / p) + 1 }, (_, i) => i * p);
  return { starts: cells, ends: cells.map((s) => s + p) };
}

/** Number of prefix tokens before a square grid of patches: 0, 1 (CLS) or 2 (CLS and distillation). */
export function tokenGrid(tokens: number): { prefix: number; side: number } | undefined {
  for (const prefix of [0, 1, 2]) {
    const side = Math.round(Math.sqrt(tokens - prefix));
    if (side > 1 && side * side === tokens - prefix) return { prefix, side };
  }
  return undefined;
}

function poolingOf(kind: TapKind, shape: readonly number[], item: PoolItem): Pooling {
  const make = (channels: number, prefix: number, rows: Windows, columns: Windows): Pooling => {
    const grid = [rows.starts.length, columns.starts.length] as const;
    const features = channels * (prefix + grid[0] * grid[1]);
    return { piece: { pool: poolName(item), channels, prefix, grid, features }, rows, columns };
  };
  const one = (n: number) => adaptive(n, 1);
  if (kind === 'vector') return make(shape[0] ?? 0, 0, one(1), one(1));
  if (kind === 'tokens') {
    const [tokens = 1, channels = 0] = shape;
    if (item.kind === 'max' || item.kind === 'std') return make(channels, 0, one(tokens), one(1));
    if (item.kind === 'head2toe') {
      const p = channels >= item.size ? tokens : Math.floor(tokens / (item.size / channels));
      return make(channels, 0, p === 0 ? one(tokens) : strided(tokens, p), one(1));
    }
    const square = tokenGrid(tokens);
    const { prefix, side } = square ?? { prefix: 0, side: 0 };
    if (!('size' in item) || !square) return make(channels, prefix, square ? one(side) : one(tokens), one(side || 1));
    const n = clamp(Math.floor(Math.sqrt(item.size / channels - prefix)), 1, side);
    return make(channels, prefix, adaptive(side, n), adaptive(side, n));
  }
  const [channels = 0, height = 1, width = 1] = shape;
  if (item.kind === 'head2toe') {
    const n = Math.floor(Math.sqrt(Math.floor(item.size / channels)));
    const p = channels >= item.size ? 0 : Math.floor(width / n);
    // The reference pools globally when a window would be empty: n > width.
    if (p === 0) return make(channels, 0, one(height), one(width));
    return make(channels, 0, strided(height, p), strided(width, p));
  }
  if (item.kind !== 'target') return make(channels, 0, one(height), one(width));
  const cells = Math.max(1, Math.floor(item.size / channels));
  const rows = clamp(Math.floor(Math.sqrt((cells * height) / width)), 1, height);
  const columns = clamp(Math.min(Math.floor(cells / rows), Math.round((rows * width) / height)), 1, width);
  return make(channels, 0, adaptive(height, rows), adaptive(width, columns));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, Number.isFinite(value) ? value : low));
}

export interface PlannedPool extends Pooling {
  readonly item: PoolItem;
  /** Equal keys pool equally: same statistic, same windows. */
  readonly key: string;
}

/** The distinct poolings of a tap: two items with the same outcome (1 x 1 both, say) count once. */
export function planPools(kind: TapKind, shape: readonly number[], items: readonly PoolItem[]): PlannedPool[] {
  const seen = new Set<string>();
  return items.flatMap((item) => {
    const pooling = poolingOf(kind, shape, item);
    const statistic = kind !== 'vector' && (item.kind === 'max' || item.kind === 'std') ? item.kind : 'mean';
    const key = JSON.stringify([statistic, pooling.piece.prefix, pooling.rows, pooling.columns]);
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ ...pooling, item, key }];
  });
}

/** Layout of a pooled tap, without building anything. `shape` is one example's, as in Tap. */
export function pooledPieces(kind: TapKind, shape: readonly number[], items: readonly PoolItem[]): PooledPiece[] {
  return planPools(kind, shape, items).map(({ piece }) => piece);
}

/** Does this pooling commute with linear maps over channels? (maximum and deviation do not) */
export function isMean(item: PoolItem): boolean {
  return item.kind !== 'max' && item.kind !== 'std';
}

/** A value of a graph as pooling sees it; a tap is one. */
export interface PoolableValue {
  readonly name: string;
  readonly kind: TapKind;
  /** Without the batch. */
  readonly shape: readonly number[];
}

/**
 * Adds one pooling of one value to a graph. A batch of -1 leaves it open.
 * @returns a (batch, channels, rows, columns) value for maps, (batch, cells, channels) for tokens, (batch, channels) for
 *   vectors and for the maximum and deviation of tokens
 */
export function addPooling(builder: GraphBuilder, value: PoolableValue, planned: PlannedPool, batch: number): string {
  if (value.kind === 'vector') return value.name;
  return value.kind === 'map' ? poolMap(builder, value, planned, batch) : poolTokens(builder, value, planned);
}

function poolMap(
  b: GraphBuilder,
  { name: value, shape }: PoolableValue,
  { item, rows, columns, piece }: PlannedPool,
  batch: number,
): string {
  const [channels = 0, height = 1, width = 1] = shape;
  if (item.kind === 'max') return b.op('GlobalMaxPool', [value]);
  if (item.kind === 'std') {
    const centred = b.sub(value, b.op('GlobalAveragePool', [value]));
    return b.sqrt(b.op('GlobalAveragePool', [b.mul(centred, centred)]));
  }
  if (height * width === 1) return value;
  const whole = piece.grid[0] * piece.grid[1] === 1 && rows.ends[0] === height && columns.ends[0] === width;
  if (whole) return b.op('GlobalAveragePool', [value]);
  const [kh, kw] = [evenWindow(rows), evenWindow(columns)];
  if (kh && kw) {
    // Pooling windows that step evenly stay in the engine's blocked layout.
    return b.op('AveragePool', [value], { kernel_shape: [kh.size, kw.size], strides: [kh.stride, kw.stride] });
  }
  const cells = piece.grid[0] * piece.grid[1];
  const weights = new Float32Array(height * width * cells);
  forEachCell(rows, columns, (cell, row, column, weight) => {
    weights[(row * width + column) * cells + cell] = weight;
  });
  const flat = b.reshape(value, [-1, height * width]);
  const pooled = b.matmul(flat, b.constant(float32([height * width, cells], weights)));
  return b.reshape(pooled, [batch, channels, ...piece.grid]);
}

function poolTokens(
  b: GraphBuilder,
  { name: value, shape: [tokens = 1] }: PoolableValue,
  { item, rows, columns, piece }: PlannedPool,
): string {
  if (item.kind === 'max') return b.reduce('ReduceMax', value, [1]);
  if (item.kind === 'std') {
    const centred = b.sub(value, b.mean(value, [1], true));
    return b.sqrt(b.mean(b.mul(centred, centred), [1]));
  }
  const cells = piece.prefix + piece.grid[0] * piece.grid[1];
  if (cells === 1 && rows.ends[0] === tokens) return b.mean(value, [1], true);
  if (piece.grid[0] * piece.grid[1] === 1) {
    // One sum over all tokens reads the value once; the prefix tokens are then taken off it.
    const kept = b.gather(value, b.ints(Array.from({ length: piece.prefix }, (_, i) => i)), 1);
    const all = b.sum(value, [1], true);
    const prefixes = piece.prefix === 1 ? kept : b.sum(kept, [1], true);
    const mean = b.mul(b.sub(all, prefixes), b.scalar(1 / (tokens - piece.prefix)));
    return b.concat([kept, mean], 1);
  }
  const weights = new Float32Array(cells * tokens);
  for (let i = 0; i < piece.prefix; i++) weights[i * tokens + i] = 1;
  const side = columns.ends[columns.ends.length - 1] ?? 1;
  forEachCell(rows, columns, (cell, row, column, weight) => {
    weights[(piece.prefix + cell) * tokens + piece.prefix + row * side + column] = weight;
  });
  return b.matmul(b.constant(float32([cells, tokens], weights)), value);
}

function evenWindow({ starts, ends }: Windows): { size: number; stride: number } | undefined {
  const size = (ends[0] ?? 0) - (starts[0] ?? 0);
  const stride = starts.length > 1 ? (starts[1] ?? 0) - (starts[0] ?? 0) : size;
  const even = starts.every((s, i) => s === i * stride && ends[i] === s + size);
  return even ? { size, stride } : undefined;
}

function forEachCell(
  rows: Windows,
  columns: Windows,
  visit: (cell: number, row: number, column: number, weight: number) => void,
): void {
  rows.starts.forEach((top, i) => {
    columns.starts.forEach((left, j) => {
      const [bottom, right] = [rows.ends[i] ?? top, columns.ends[j] ?? left];
      const weight = 1 / ((bottom - top) * (right - left));
      for (let r = top; r < bottom; r++) {
        for (let c = left; c < right; c++) visit(i * columns.starts.length + j, r, c, weight);
      }
    });
  });
}
