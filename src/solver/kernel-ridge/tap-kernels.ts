/** One kernel per tap over the same examples, and their weighted sums. */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { type Design, normalisationOf } from '../design.js';
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

/** sum_t w_t K_t over all rows of a design's matrix, (rows, rows), in one pass over its features; not centred. */
export async function weightedKernel(engine: Engine, design: Design, weights: Float64Array): Promise<Float64Array> {
  const { matrix, mean, scale } = design;
  const factors = byFeature(
    design,
    tapScales(design).map((s, t) => s * Math.sqrt(weights[t])),
  );
  const kernel = new Float32Array(matrix.rows ** 2);
  await addGram(engine, matrix, { mean, scale: scale.map((s, j) => s * factors[j]) }, kernel);
  return new Float64Array(kernel);
}

/** Linear kernels of the blocks of a design's matrix among some of its rows, each of a mean diagonal of one when centred. */
export class TapKernels {
  private constructor(
    private readonly engine: Engine,
    /** Number of examples. */
    readonly n: number,
    readonly count: number,
    /** (count, n, n). */
    private readonly stack: Float32Array,
  ) {}

  /** @param rows of the matrix, in the order of the kernels' rows */
  static async of(engine: Engine, design: Design, rows: ArrayLike<number>): Promise<TapKernels> {
    const { matrix } = design;
    const [n, count] = [rows.length, matrix.blocks.length];
    const stack = new Float32Array(count * n * n);
    const scales = tapScales(design);
    const whole = new Float32Array(matrix.rows ** 2);
    for (let t = 0; t < count; t++) {
      const [from, to] = [matrix.offsets[t], matrix.offsets[t + 1]];
      const indices = Int32Array.from({ length: to - from }, (_, j) => from + j);
      const { mean, scale } = normalisationOf(design, indices);
      const own = { mean, scale: scale.map((s) => s * scales[t]) };
      await addGram(engine, matrix.select(indices), own, whole.fill(0));
      for (let i = 0, at = t * n * n; i < n; i++) {
        const start = rows[i] * matrix.rows;
        for (let j = 0; j < n; j++) stack[at++] = whole[start + rows[j]];
      }
    }
    return new TapKernels(engine, n, count, stack);
  }

  /** The kernels among some of the examples. */
  among(rows: readonly number[]): TapKernels {
    const [n, m] = [this.n, rows.length];
    const stack = new Float32Array(this.count * m * m);
    for (let t = 0, at = 0; t < this.count; t++) {
      for (const i of rows) {
        const from = (t * n + i) * n;
        for (const j of rows) stack[at++] = this.stack[from + j];
      }
    }
    return new TapKernels(this.engine, m, this.count, stack);
  }

  /** Sum of w_t K_t, (n, n). */
  async sum(weights: Float64Array): Promise<Float64Array> {
    const size = this.n ** 2;
    const program = await programFor(this.engine, 'sum of kernels', () => {
      const g = GraphBuilder.of('float32');
      g.output(g.matmul(g.input('w'), g.input('kernels')), 'sum');
      return g.build();
    });
    countMacs(this.engine, this.count * size);
    const { sum } = await program.run({
      w: tensor([1, this.count], Float32Array.from(weights)),
      kernels: tensor([this.count, size], this.stack),
    });
    return new Float64Array(sum.data as Float32Array);
  }

  /** Inner product of each kernel with a matrix (n, n), (count). */
  async inner(matrix: Float64Array): Promise<Float64Array> {
    const size = this.n ** 2;
    const program = await programFor(this.engine, 'inner products of kernels', () => {
      const g = GraphBuilder.of('float32');
      g.output(g.matmul(g.input('kernels'), g.input('d')), 'inner');
      return g.build();
    });
    countMacs(this.engine, this.count * size);
    const { inner } = await program.run({
      kernels: tensor([this.count, size], this.stack),
      d: tensor([size, 1], Float32Array.from(matrix)),
    });
    return new Float64Array(inner.data as Float32Array);
  }
}
