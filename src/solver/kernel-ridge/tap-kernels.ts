/** One kernel per tap over the same examples, and their weighted sums. */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { giveBuffers, takeBuffer } from '../buffers.js';
import { allFeatures, type Design, normalisationOf } from '../design.js';
import { addGram } from '../gram-sum.js';
import { countMacs } from '../macs.js';
import { programFor, tensor } from '../programs.js';

/**
 * What divides each block's features so that the squared norms of its centred examples are one on average, (blocks): no tap
 * then counts for more because its values are larger or its features many. 0 for a block of constants.
 */
export function tapScales({ matrix, power }: Design): Float64Array {
  return Float64Array.from(matrix.blocks, (_, t) => {
    const total = power.subarray(matrix.offsets[t], matrix.offsets[t + 1]).reduce((sum, v) => sum + v, 0);
    return total > 0 ? 1 / Math.sqrt(total) : 0;
  });
}

/** Multiplier of every feature, (p), from one for every block. */
export function byFeature({ matrix }: Design, ofTaps: Float64Array): Float64Array {
  const result = new Float64Array(matrix.features);
  for (const [t, value] of ofTaps.entries()) result.fill(value, matrix.offsets[t], matrix.offsets[t + 1]);
  return result;
}

/** sum_t w_t K_t over all rows of a design's matrix, (rows, rows), in one pass over the features that count; not centred. */
export async function weightedKernel(engine: Engine, design: Design, weights: Float64Array): Promise<Float64Array> {
  const factors = byFeature(
    design,
    tapScales(design).map((s, t) => s * Math.sqrt(weights[t])),
  );
  const kernel = new Float32Array(design.matrix.rows ** 2);
  const counted = allFeatures(design.matrix).filter((j) => factors[j] > 0);
  const whole = counted.length === design.matrix.features;
  const { mean, scale } = normalisationOf(design, counted);
  const own = { mean, scale: scale.map((s, i) => s * factors[counted[i]]) };
  await addGram(engine, whole ? design.matrix : design.matrix.select(counted), own, kernel);
  return new Float64Array(kernel);
}

/** Linear kernels of the blocks of a design's matrix among some of its rows, each of a mean diagonal of one when centred. */
export class TapKernels {
  private constructor(
    private readonly engine: Engine,
    /** Number of examples. */
    readonly n: number,
    readonly count: number,
    /** Of each kernel the lower triangle, row by row: (count, n (n + 1) / 2). */
    readonly stack: Float32Array,
  ) {}

  /** Of a design's blocks, among all rows of its matrix. */
  static async of(engine: Engine, design: Design): Promise<TapKernels> {
    const { matrix } = design;
    const [n, count] = [matrix.rows, matrix.blocks.length];
    const stack = new Float32Array(count * triangle(n));
    const scales = tapScales(design);
    const whole = new Float32Array(n * n);
    for (let t = 0; t < count; t++) {
      const [from, to] = [matrix.offsets[t], matrix.offsets[t + 1]];
      const indices = Int32Array.from({ length: to - from }, (_, j) => from + j);
      const { mean, scale } = normalisationOf(design, indices);
      const own = { mean, scale: scale.map((s) => s * scales[t]) };
      await addGram(engine, matrix.select(indices), own, whole.fill(0));
      packRows(whole, n, stack.subarray(t * triangle(n), (t + 1) * triangle(n)));
    }
    return new TapKernels(engine, n, count, stack);
  }

  /** The kernels among some of the examples. @param rows rising */
  among(rows: readonly number[]): TapKernels {
    const size = triangle(rows.length);
    const stack = new Float32Array(this.count * size);
    const order = Int32Array.from(rows);
    if (order.some((row, i) => row <= order[i - 1])) throw new Error('rows of kernels must rise');
    for (let t = 0, to = 0; t < this.count; t++) {
      const own = this.stack.subarray(t * triangle(this.n), (t + 1) * triangle(this.n));
      for (let i = 0; i < order.length; i++) {
        const start = triangle(order[i]);
        for (let j = 0; j <= i; j++, to++) stack[to] = own[start + order[j]];
      }
    }
    return new TapKernels(this.engine, order.length, this.count, stack);
  }

  /** Sums of the kernels between some of the examples and others. */
  between(rows: readonly number[], columns: readonly number[]): KernelBlocks {
    const order = Int32Array.from(columns);
    return {
      sum: async (weights) => {
        const whole = await this.sum(weights);
        const block = new Float64Array(rows.length * order.length);
        let at = 0;
        for (const row of rows) {
          for (let j = 0; j < order.length; j++, at++) block[at] = whole[row * this.n + order[j]];
        }
        giveBuffers(whole);
        return block;
      },
    };
  }

  /** Sum of w_t K_t, (n, n), in a buffer. */
  async sum(weights: Float64Array): Promise<Float64Array> {
    const packed = await weightedSum(this.engine, this, weights);
    const kernel = unpacked(packed, this.n);
    giveBuffers(packed);
    return kernel;
  }

  /** Inner product of each kernel with a matrix (n, n), (count). */
  async inner(matrix: Float32Array): Promise<Float64Array> {
    const size = triangle(this.n);
    const program = await programFor(this.engine, 'inner products of kernels', () => {
      const g = GraphBuilder.of('float32');
      g.output(g.matmul(g.input('kernels'), g.input('d')), 'inner');
      return g.build();
    });
    countMacs(this.engine, this.count * size);
    const packed = bothSides(matrix, this.n);
    const { inner } = await program.run({
      kernels: tensor([this.count, size], this.stack),
      d: tensor([size, 1], packed),
    });
    giveBuffers(packed);
    return new Float64Array(inner.data as Float32Array);
  }
}

/** A rectangle of the kernels. */
export interface KernelBlocks {
  /** Sum of w_t K_t, (rows, columns). */
  sum(weights: Float64Array): Promise<Float64Array>;
}

/** Sum of w_t times the rows of a stack (count, size), in a buffer. */
async function weightedSum(
  engine: Engine,
  { stack, count }: Pick<TapKernels, 'stack' | 'count'>,
  weights: Float64Array,
): Promise<Float32Array> {
  const program = await programFor(engine, 'sum of kernels', () => {
    const g = GraphBuilder.of('float32');
    g.output(g.matmul(g.input('w'), g.input('kernels')), 'sum');
    return g.build();
  });
  countMacs(engine, stack.length);
  const size = stack.length / count;
  const sum = takeBuffer(size, 'float32');
  const feeds = { w: tensor([1, count], Float32Array.from(weights)), kernels: tensor([count, size], stack) };
  await program.run(feeds, undefined, { sum: tensor([1, size], sum) });
  return sum;
}

/** Bytes of the kernels of so many blocks. */
export const kernelsTake = (n: number, blocks: number): number => blocks * triangle(n) * Float32Array.BYTES_PER_ELEMENT;

/** Numbers in the lower triangle of a matrix of this size. */
const triangle = (n: number): number => (n * (n + 1)) / 2;

/** The lower triangle of a symmetric matrix (n, n). */
function packRows(a: Float32Array, n: number, into: Float32Array): void {
  for (let i = 0; i < n; i++) into.set(a.subarray(i * n, i * n + i + 1), triangle(i));
}

/** A symmetric matrix from its lower triangle, in a buffer. */
function unpacked(packed: Float32Array, n: number): Float64Array {
  const a = takeBuffer(n * n);
  for (let i = 0, at = 0; i < n; i++) {
    for (let j = 0; j <= i; j++, at++) {
      a[i * n + j] = packed[at];
      a[j * n + i] = packed[at];
    }
  }
  return a;
}

/** What a symmetric matrix's lower triangle meets in an inner product with a (n, n), in a buffer. */
function bothSides(a: Float32Array, n: number): Float32Array {
  const packed = takeBuffer(triangle(n), 'float32');
  for (let i = 0, at = 0; i < n; i++) {
    for (let j = 0; j < i; j++) packed[at++] = a[i * n + j] + a[j * n + i];
    packed[at++] = a[i * n + i];
  }
  return packed;
}
