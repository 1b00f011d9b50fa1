/**
 * Pooling specs: how the activations of a tap become a vector of features, as a function on graphs.
 *
 * `gap`        mean over space; tokens: each prefix token (CLS) kept, and the mean of the patch tokens
 * `cls`, `mean`, `mean+cls`  of tokens: those apart alone, the mean of the patches alone, the mean of all; of what has no
 *              tokens apart all three are `gap`
 * `max`, `std` maximum and standard deviation over space or over all tokens
 * `tokens`     every place by itself: each token, each cell of a map
 * `target:T`   adaptive average pooling to the n x n grid with channels x n x n closest to but not above T; exact bins
 *              that cover every pixel; tokens on their 2-D grid with CLS kept apart
 * `head2toe:T` the rule of the Head2Toe reference implementation, dropped borders and CLS mixing included
 *
 * `auto`       gap, std and target:512, target:2048, target:8192: probes choose among them, tap by tap
 *
 * Several specs, comma-separated, are concatenated; pieces that come out the same are kept once.
 * Features of a piece are ordered by channel, then cell: index = channel * cells + cell.
 */
import { UserError } from '../base/index.js';
import { float32, type GraphBuilder, type Layout } from '../graph/index.js';

/** One way of pooling a tap. */
export type PoolItem =
  | { readonly kind: 'gap' | 'cls' | 'mean' | 'mean+cls' | 'max' | 'std' | 'tokens' }
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

/** What `auto` stands for: from what a tap knows anywhere to where it knows it. */
const AUTO = 'gap,std,target:512,target:2048,target:8192';

const plain = ['gap', 'cls', 'mean', 'mean+cls', 'max', 'std', 'tokens'] as const;
const grammar = `auto, ${plain.join(', ')}, target:T or head2toe:T`;

/** @throws UserError for anything but the specs above. */
export function parsePool(spec: string): PoolItem[] {
  const items = (spec.trim() === 'auto' ? AUTO : spec).split(',').map((part): PoolItem => {
    const [kind, size, ...rest] = part.trim().split(':');
    const known = plain.find((own) => own === kind);
    if (known && size === undefined) return { kind: known };
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

/** A pooling as it is written in commands and stores. */
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

/** No image and no sequence of tokens is longer; a description that says so is damaged. */
const longest = 2 ** 20;

function range(n: number): number[] {
  if (!(n >= 0 && n <= longest)) throw new UserError(`a value cannot be pooled to ${n} cells along an axis`);
  return Array.from({ length: n }, (_, i) => i);
}

/** Adaptive bins: cell i covers floor(i n / g) to ceil((i + 1) n / g). */
function adaptive(n: number, g: number): Windows {
  const cells = range(g);
  return { starts: cells.map((i) => Math.floor((i * n) / g)), ends: cells.map((i) => Math.ceil(((i + 1) * n) / g)) };
}

/** Windows of p with stride p; what does not fill a window is dropped. */
function strided(n: number, p: number): Windows {
  const cells = range(Math.floor((n - p) / p) + 1).map((i) => i * p);
  return { starts: cells, ends: cells.map((s) => s + p) };
}

/** Channels and places of a value, however its axes lie. */
interface Extent {
  readonly channels: number;
  /** Tokens that no patch made, before those of the image and after. */
  readonly prefix: number;
  readonly suffix: number;
  /** Rows and columns; a single row where the order of the places is not known. */
  readonly grid: readonly [rows: number, columns: number];
  /** The grid is that of the image. */
  readonly known: boolean;
}

function extentOf({ layout, shape }: Poolable): Extent {
  const sizes = [...layout.axes.replace('N', '')].map((letter, i) => [letter, shape[i] ?? 1] as const);
  const product = (letters: string) => sizes.reduce((n, [l, d]) => (letters.includes(l) ? n * d : n), 1);
  const { prefix, suffix, grid } = layout;
  const places = product('HWT') - prefix - suffix;
  return { channels: product('CD'), prefix, suffix, grid: grid ?? [1, places], known: grid !== undefined };
}

function poolingOf(value: Poolable, item: PoolItem): Pooling {
  const {
    channels,
    prefix: first,
    suffix,
    grid: [height, width],
    known,
  } = extentOf(value);
  const extra = first + suffix;
  const make = (prefix: number, rows: Windows, columns: Windows): Pooling => {
    const grid = [rows.starts.length, columns.starts.length] as const;
    const features = channels * (prefix + grid[0] * grid[1]);
    return { piece: { pool: poolName(item), channels, prefix, grid, features }, rows, columns };
  };
  const whole = (n: number) => adaptive(n, Math.min(n, 1));
  if (value.layout.kind === 'vector') return make(0, whole(1), whole(1));
  const tokens = value.layout.kind !== 'map';
  if (item.kind === 'head2toe') {
    // The reference's rules, its quirks included: tokens are pooled in file order, CLS among them; a map is pooled globally
    // where a window would be empty (n > width).
    if (tokens) {
      const all = height * width + extra;
      const p = channels >= item.size ? 0 : Math.floor(all / (item.size / channels));
      return make(0, p === 0 ? whole(all) : strided(all, p), whole(1));
    }
    const n = Math.floor(Math.sqrt(Math.floor(item.size / channels)));
    const p = channels >= item.size ? 0 : Math.floor(width / n);
    return p === 0 ? make(0, whole(height), whole(width)) : make(0, strided(height, p), strided(width, p));
  }
  if (item.kind === 'tokens') return make(extra, adaptive(height, height), adaptive(width, width));
  if (tokens && (item.kind === 'max' || item.kind === 'std')) return make(0, whole(height * width + extra), whole(1));
  if (extra > 0) {
    if (item.kind === 'cls') return make(extra, whole(0), whole(0));
    if (item.kind === 'mean') return make(0, whole(height), whole(width));
    if (item.kind === 'mean+cls') return make(0, whole(height * width + extra), whole(1));
  }
  if (item.kind !== 'target' || !known) return make(extra, whole(height), whole(width));
  const cells = Math.max(1, Math.floor(item.size / channels) - extra);
  const rows = clamp(Math.floor(Math.sqrt((cells * height) / width)), 1, height);
  const columns = clamp(Math.min(Math.floor(cells / rows), Math.round((rows * width) / height)), 1, width);
  return make(extra, adaptive(height, rows), adaptive(width, columns));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, Number.isFinite(value) ? value : low));
}

export interface PlannedPool extends Pooling {
  readonly item: PoolItem;
  /** Equal keys pool equally: same statistic, same windows. */
  readonly key: string;
}

/** A value of a graph as pooling sees it; a tap is one. */
export interface PoolableValue {
  readonly name: string;
  readonly layout: Layout;
  /** Without the batch. */
  readonly shape: readonly number[];
}

type Poolable = Omit<PoolableValue, 'name'>;

/** The distinct poolings of a tap: two items with the same outcome (1 x 1 both, say) count once. None of an unknown layout. */
export function planPools(value: Poolable, items: readonly PoolItem[]): PlannedPool[] {
  if (value.layout.kind === 'unknown') return [];
  const seen = new Set<string>();
  return items.flatMap((item) => {
    const pooling = poolingOf(value, item);
    const vector = value.layout.kind === 'vector';
    const statistic = !vector && (item.kind === 'max' || item.kind === 'std') ? item.kind : 'mean';
    const key = JSON.stringify([statistic, pooling.piece.prefix, pooling.rows, pooling.columns]);
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ ...pooling, item, key }];
  });
}

/** Layout of a pooled tap, without building anything. */
export function pooledPieces(value: Poolable, items: readonly PoolItem[]): PooledPiece[] {
  return planPools(value, items).map(({ piece }) => piece);
}

/** Does this pooling commute with linear maps over channels? (maximum and deviation do not) */
export function isMean(item: PoolItem): boolean {
  return item.kind !== 'max' && item.kind !== 'std';
}

/** Channels-first maps are pooled as such, other values as tokens. */
const isMap = ({ layout }: Poolable) => layout.kind === 'map' && layout.axes === 'NCHW';

/** The pooled form has its cells before its channels. */
export function cellsFirst(value: Poolable, { item, piece }: PlannedPool): boolean {
  return value.layout.kind !== 'vector' && !isMap(value) && isMean(item) && piece.features > piece.channels;
}

/**
 * Adds one pooling of one value to a graph. A batch of -1 leaves it open.
 * @returns a (batch, channels, rows, columns) value for channels-first maps, (batch, cells, channels) for other maps and
 *   tokens, (batch, channels) for vectors and for the maximum and deviation of tokens
 */
export function addPooling(b: GraphBuilder, value: PoolableValue, planned: PlannedPool, batch: number): string {
  if (value.layout.kind === 'vector') return value.layout.axes === 'NC' ? value.name : b.transpose(value.name, [1, 0]);
  return isMap(value) ? poolMap(b, value, planned, batch) : poolTokens(b, value, planned);
}

/** A value whose places and channels lie in any order, as (batch, tokens, channels). */
function asTokens(b: GraphBuilder, { name, layout: { axes }, shape }: PoolableValue): string {
  const at = (letters: string) => [...axes].flatMap((letter, i) => (letters.includes(letter) ? [i] : []));
  const places = axes.includes('T') ? at('T') : [...at('H'), ...at('W')];
  const order = [...at('N'), ...places, ...at('CD')];
  const turned = order.every((axis, i) => axis === i) ? name : b.transpose(name, order);
  if (order.length === 3) return turned;
  const sizes = shape.toSpliced(axes.indexOf('N'), 0, -1);
  const product = (of: readonly number[]) => of.reduce((n, axis) => n * (sizes[axis] ?? 1), 1);
  return b.reshape(turned, [-1, product(places), product(at('CD'))]);
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
  if (height * width === piece.grid[0] * piece.grid[1]) return value;
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

function poolTokens(b: GraphBuilder, tap: PoolableValue, { item, rows, columns, piece }: PlannedPool): string {
  const value = asTokens(b, tap);
  const { prefix: first, suffix, grid } = extentOf(tap);
  const places = grid[0] * grid[1];
  const tokens = first + places + suffix;
  if (item.kind === 'max') return b.reduce('ReduceMax', value, [1]);
  if (item.kind === 'std') {
    const centred = b.sub(value, b.mean(value, [1], true));
    return b.sqrt(b.mean(b.mul(centred, centred), [1]));
  }
  const cells = piece.prefix + piece.grid[0] * piece.grid[1];
  if (cells === 1 && rows.ends[0] === tokens) return b.mean(value, [1], true);
  // Tokens kept apart stand first, then the cells of the grid.
  if (cells === tokens && suffix === 0) return value;
  const extras = range(tokens).filter((i) => i < first || i >= first + places);
  if (cells === piece.prefix) return b.gather(value, b.ints(extras), 1);
  const isMeanOfPatches = item.kind === 'mean' && extras.length > 0;
  const kept = piece.prefix > 0 || isMeanOfPatches ? extras : [];
  if (piece.grid[0] * piece.grid[1] === 1) {
    if (kept.length === 0) return b.mean(value, [1], true);
    // One sum over all tokens reads the value once; those kept apart are then taken off it.
    const apart = b.gather(value, b.ints(kept), 1);
    const all = b.sum(value, [1], true);
    const extra = kept.length === 1 ? apart : b.sum(apart, [1], true);
    const mean = b.mul(b.sub(all, extra), b.scalar(1 / places));
    return isMeanOfPatches ? mean : b.concat([apart, mean], 1);
  }
  const weights = new Float32Array(cells * tokens);
  kept.forEach((token, i) => {
    weights[i * tokens + token] = 1;
  });
  const side = columns.ends[columns.ends.length - 1] ?? 1;
  const start = kept.length > 0 ? first : 0;
  forEachCell(rows, columns, (cell, row, column, weight) => {
    weights[(kept.length + cell) * tokens + start + row * side + column] = weight;
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
