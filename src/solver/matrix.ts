/**
 * Features as the solvers see them: blocks (one per tap) of feature-major float32 values, in memory or read from disk.
 * The value of feature j in row i is
 *
 *   s_i x_ij + c_j
 *
 * with x as stored, s the row scaling of the block (unit norm per tap and example, or ones) and c the shift of the
 * feature: zero but for blocks made from values of more precision than float32 (see shifted.ts).
 */
import { UserError } from '../base/index.js';

/** One tap: `features` rows of `n` values each (feature-major: a Fortran-order array of shape (n, features)). */
export interface FeatureBlock {
  readonly name: string;
  readonly features: number;
  /** All values, (features, n), when they are in memory. */
  readonly data?: Float32Array;
  /** Reads features [first, first + count) into `into`, (count, n). Needed when `data` is absent. */
  read?(first: number, count: number, into: Float32Array): Promise<void>;
  /** The file behind the block, for messages. */
  readonly source?: string;
  /** What was subtracted from each feature, (features); the rows of such a block have been scaled before. */
  readonly shift?: Float64Array;
}

/** What is done to features as they are read, and how many are held at once. */
export interface FeatureMatrixOptions {
  /** Divide every example's features of one tap by their l2 norm (rows of zeros stay zeros). */
  unitNorm: boolean;
  /** Bytes of feature values held at once: blocks that do not fit together are streamed. */
  memory: number;
}
/** What holds where nothing is said. */
export const featureMatrixDefaults: FeatureMatrixOptions = { unitNorm: false, memory: 2 ** 31 };

/** A run of features of one block as stored, before any scaling: `data` is (count, n). */
export interface Chunk {
  readonly block: number;
  /** Index of the first feature in the whole matrix. */
  readonly first: number;
  readonly count: number;
  readonly data: Float32Array;
}

/** Some rows of a matrix, in any order. */
export interface Rows {
  readonly matrix: FeatureMatrix;
  readonly rows: ArrayLike<number>;
}

/** Largest buffer of a streaming pass, in bytes; and its share of the memory for features, where that is less. */
const CHUNK_BYTES = 1 << 26;
const CHUNK_SHARE = 1 / 32;
/** Bytes of whole features that some of their rows are taken from at once. */
const TAKEN_BYTES = 1 << 22;

/** Features (n, p) in blocks that are read when they are needed. */
export class FeatureMatrix {
  readonly blocks: readonly FeatureBlock[];
  /** Number of examples. */
  readonly rows: number;
  /** Number of features in all blocks. */
  readonly features: number;
  /** First feature of each block; one more entry than there are blocks. */
  readonly offsets: Int32Array;
  /** Shift of every feature, (p). */
  readonly shift: Float64Array;
  readonly options: FeatureMatrixOptions;
  readonly #scales = new Map<number, Promise<Float32Array>>();
  readonly #ones: Promise<Float32Array>;
  /** The row scaling of a block, where it is another matrix's. */
  #inherited: ((block: number) => Promise<Float32Array>) | undefined;
  #buffers: Float32Array[] = [];

  /**
   * @throws UserError when there are no features or rows, or a block's length is not features x rows.
   */
  constructor(blocks: readonly FeatureBlock[], rows: number, options: Partial<FeatureMatrixOptions> = {}) {
    this.options = { ...featureMatrixDefaults, ...options };
    this.rows = rows;
    this.offsets = new Int32Array(blocks.length + 1);
    for (const [i, block] of blocks.entries()) {
      this.offsets[i + 1] = this.offsets[i] + block.features;
      if (block.data && block.data.length !== block.features * rows) {
        throw new UserError(
          `${label(block)}: ${block.data.length} values where ${block.features} features x ${rows} rows are ${block.features * rows}; check the array's shape`,
        );
      }
    }
    this.features = this.offsets[blocks.length];
    if (rows < 1) throw new UserError('the features have no rows: give at least two examples');
    if (this.features < 1) throw new UserError('there are no features (p = 0): give at least one tap or column');
    this.shift = new Float64Array(this.features);
    for (const [i, { shift }] of blocks.entries()) if (shift) this.shift.set(shift, this.offsets[i]);
    this.#ones = Promise.resolve(new Float32Array(rows).fill(1));
    const total = this.features * rows * 4;
    this.blocks =
      total <= this.options.memory ? blocks.map((b) => (b.data || !b.read ? b : remembering(b, rows))) : blocks;
  }

  /** Block and position within it of a feature. */
  locate(feature: number): { block: number; index: number } {
    let low = 0;
    let high = this.blocks.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.offsets[middle] <= feature) low = middle;
      else high = middle;
    }
    return { block: low, index: feature - this.offsets[low] };
  }

  /** How messages name a feature: its block, its file and its index within the block. */
  describe(feature: number): string {
    const { block, index } = this.locate(feature);
    return `${label(this.blocks[block])}, feature ${index}`;
  }

  /**
   * The features in order, as runs within one block. Streamed blocks are read ahead by one chunk; a chunk's data is
   * valid until the next chunk is asked for.
   * @param bytes largest chunk; by default a part of the memory for features
   * @param most largest number of features in a chunk, when two matrices are to be walked in step
   */
  async *chunks(
    bytes = this.#chunkBytes,
    most = Math.max(1, Math.floor(bytes / (4 * this.rows))),
  ): AsyncGenerator<Chunk> {
    const n = this.rows;
    const plan: { block: number; index: number; count: number }[] = [];
    for (const [block, { features }] of this.blocks.entries()) {
      for (let index = 0; index < features; index += most) {
        plan.push({ block, index, count: Math.min(most, features - index) });
      }
    }
    const largest = plan.reduce((count, run) => Math.max(count, run.count), 0);
    const fetch = (i: number): Promise<Float32Array> | undefined => {
      if (i >= plan.length) return undefined;
      const { block, index, count } = plan[i];
      const { data } = this.blocks[block];
      if (data) return Promise.resolve(data.subarray(index * n, (index + count) * n));
      return this.#readBlock(block, index, count, this.#buffer(i & 1, largest * n).subarray(0, count * n));
    };
    let pending = fetch(0);
    for (const [i, { block, index, count }] of plan.entries()) {
      const data = (await pending) as Float32Array;
      pending = fetch(i + 1);
      pending?.catch(() => undefined);
      yield { block, first: this.offsets[block] + index, count, data };
    }
  }

  get #chunkBytes(): number {
    return Math.min(CHUNK_BYTES, CHUNK_SHARE * this.options.memory);
  }

  #buffer(slot: number, length: number): Float32Array {
    const held = this.#buffers[slot];
    if (held?.length >= length) return held;
    this.#buffers[slot] = new Float32Array(length);
    return this.#buffers[slot];
  }

  async #readBlock(block: number, first: number, count: number, into: Float32Array): Promise<Float32Array> {
    const b = this.blocks[block];
    if (b.data) into.set(b.data.subarray(first * this.rows, (first + count) * this.rows));
    else if (b.read) await b.read(first, count, into);
    else throw new UserError(`${label(b)}: neither values in memory nor a file to read`);
    return into;
  }

  /** Copies the given features (ascending) as stored, one after another, into `into`, (indices.length, n). */
  async gather(indices: ArrayLike<number>, into: Float32Array): Promise<Float32Array> {
    const n = this.rows;
    for (let i = 0; i < indices.length; ) {
      const { block, index } = this.locate(indices[i]);
      const room = this.blocks[block].features - index;
      let run = 1;
      while (run < room && i + run < indices.length && indices[i + run] === indices[i] + run) run++;
      await this.#readBlock(block, index, run, into.subarray(i * n, (i + run) * n));
      i += run;
    }
    return into;
  }

  /**
   * What the stored values of each example are multiplied by in this block, (n): 1 / l2 norm over the block's features
   * when unit norm was asked for (0 for a row of zeros), else 1. Computed once, in float64.
   */
  rowScale(block: number): Promise<Float32Array> {
    if (this.#inherited) return this.#inherited(block);
    if (!this.options.unitNorm || this.blocks[block].shift) return this.#ones;
    const scale = this.#scales.get(block) ?? this.#measureRows(block);
    this.#scales.set(block, scale);
    return scale;
  }

  async #measureRows(block: number): Promise<Float32Array> {
    const n = this.rows;
    const { features, data } = this.blocks[block];
    const squares = new Float64Array(n);
    const step = Math.max(1, Math.floor((1 << 22) / (4 * n)));
    const buffer = new Float32Array(data ? 0 : Math.min(step, features) * n);
    for (let first = 0; first < features; first += step) {
      const count = Math.min(step, features - first);
      const values = data
        ? data.subarray(first * n, (first + count) * n)
        : await this.#readBlock(block, first, count, buffer.subarray(0, count * n));
      addSquares(values, squares);
    }
    return Float32Array.from(squares, inverseNorm);
  }

  /**
   * A matrix of the given features only (ascending indices into this one), scaled by the norms of this matrix's whole
   * taps: normalise, then select.
   */
  select(indices: ArrayLike<number>): FeatureMatrix {
    const blocks: FeatureBlock[] = [];
    const parents: number[] = [];
    const n = this.rows;
    for (let i = 0; i < indices.length; ) {
      const { block } = this.locate(indices[i]);
      const end = this.offsets[block + 1];
      const from = i;
      while (i < indices.length && indices[i] < end) i++;
      const chosen = Int32Array.from({ length: i - from }, (_, k) => indices[from + k]);
      const { shift } = this.blocks[block];
      blocks.push({
        ...named(this.blocks[block]),
        features: chosen.length,
        ...(shift ? { shift: Float64Array.from(chosen, (j) => this.shift[j]) } : {}),
        read: async (first, count, into) => {
          await this.gather(chosen.subarray(first, first + count), into.subarray(0, count * n));
        },
      });
      parents.push(block);
    }
    const result = new FeatureMatrix(blocks, n, this.options);
    result.#inherited = (block) => this.rowScale(parents[block]);
    return result;
  }

  /**
   * The same features in one block, scaled and less a centre as they are read: for products with few features of each of many
   * taps, which are slow tap by tap.
   * @param centre of every feature, (p): near it float32 is fine enough for values that were scaled
   */
  merged(centre: Float64Array): FeatureMatrix {
    const n = this.rows;
    const read = async (first: number, count: number, into: Float32Array): Promise<void> => {
      await this.gather(
        Int32Array.from({ length: count }, (_, k) => first + k),
        into,
      );
      for (let k = 0; k < count; ) {
        const { block } = this.locate(first + k);
        const s = await this.rowScale(block);
        for (const end = Math.min(count, this.offsets[block + 1] - first); k < end; k++) {
          const shift = centre[first + k] - this.shift[first + k];
          for (let i = 0, at = k * n; i < n; i++, at++) into[at] = into[at] * s[i] - shift;
        }
      }
    };
    const block = { name: 'features', features: this.features, shift: centre, read };
    return new FeatureMatrix([block], n, this.options);
  }

  /** A matrix of the given rows only, with the scaling and the shift that they have here. */
  take(rows: ArrayLike<number>): FeatureMatrix {
    const n = this.rows;
    const m = rows.length;
    const blocks = this.blocks.map((block, b): FeatureBlock => {
      const read = async (first: number, count: number, into: Float32Array): Promise<void> => {
        const { data } = block;
        const step = Math.max(1, Math.floor(TAKEN_BYTES / (4 * n)));
        const buffer = new Float32Array(data ? 0 : Math.min(step, count) * n);
        for (let from = 0; from < count; from += step) {
          const some = Math.min(step, count - from);
          const whole = data
            ? data.subarray((first + from) * n, (first + from + some) * n)
            : await this.#readBlock(b, first + from, some, buffer.subarray(0, some * n));
          for (let k = 0; k < some; k++) for (let i = 0; i < m; i++) into[(from + k) * m + i] = whole[k * n + rows[i]];
        }
      };
      return { ...named(block), features: block.features, ...(block.shift ? { shift: block.shift } : {}), read };
    });
    const result = new FeatureMatrix(blocks, m, this.options);
    const scales = new Map<number, Promise<Float32Array>>();
    result.#inherited = (block) => {
      const scale =
        scales.get(block) ?? this.rowScale(block).then((s) => Float32Array.from({ length: m }, (_, i) => s[rows[i]]));
      scales.set(block, scale);
      return scale;
    };
    return result;
  }
}

/** Adds each row's squares over some features to `into` (n). @param values feature-major, (count, n) */
export function addSquares(values: Float32Array | Float64Array, into: Float64Array): void {
  const n = into.length;
  for (let at = 0; at < values.length; at += n) for (let i = 0; i < n; i++) into[i] += values[at + i] * values[at + i];
}

/** 1 / norm of a row of which the squares sum to this; 0 for a row of zeros. */
export const inverseNorm = (squares: number): number => (squares > 0 ? 1 / Math.sqrt(squares) : 0);

/** A block that keeps its values after the first whole read. */
function remembering(block: FeatureBlock, rows: number): FeatureBlock {
  let held: Float32Array | undefined;
  let loading: Promise<Float32Array> | undefined;
  const load = (): Promise<Float32Array> => {
    loading ??= (async () => {
      const values = new Float32Array(block.features * rows);
      const step = Math.max(1, Math.floor(CHUNK_BYTES / (4 * rows)));
      for (let first = 0; first < block.features; first += step) {
        const count = Math.min(step, block.features - first);
        await block.read?.(first, count, values.subarray(first * rows, (first + count) * rows));
      }
      held = values;
      return values;
    })();
    return loading;
  };
  return {
    ...named(block),
    features: block.features,
    ...(block.shift ? { shift: block.shift } : {}),
    get data() {
      return held as Float32Array;
    },
    read: async (first, count, into) => {
      into.set((await load()).subarray(first * rows, (first + count) * rows));
    },
  };
}

function named({ name, source }: FeatureBlock): Pick<FeatureBlock, 'name' | 'source'> {
  return { name, ...(source === undefined ? {} : { source }) };
}

function label(block: FeatureBlock): string {
  return block.source ? `${block.source} (${block.name})` : block.name;
}
