/** Inner products of examples over all features, in one streaming pass: what every probe with p > n needs of X. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { int64, type Tensor } from '../ir/index.js';
import type { Design } from './design.js';
import type { FeatureMatrix } from './matrix.js';
import { MathBuilder, programFor, tensor } from './programs.js';

/** Features per product. */
const FEATURES = 4096;

/** Gram matrix of the normalised training rows, (n, n) float64. */
export function gram(engine: Engine, design: Design): Promise<Float64Array> {
  return crossGram(engine, design, design.matrix, design.rows);
}

/**
 * Inner products of normalised rows of `matrix` (any with the design's features) with the training rows,
 * (rows.length, n) float64. Normalisation is the design's; products and sums are in float64.
 */
export async function crossGram(
  engine: Engine,
  design: Design,
  matrix: FeatureMatrix,
  rows: ArrayLike<number>,
): Promise<Float64Array> {
  if (matrix.features !== design.matrix.features) {
    throw new UserError(
      `${matrix.features} features where the probe was fitted on ${design.matrix.features}: use the same taps and pooling`,
    );
  }
  const n = design.rows.length;
  const m = rows.length;
  const program = await programFor(engine, 'gram', gramGraph);
  const same = matrix === design.matrix;
  const mine = index(design.rows);
  const theirs = index(rows);
  let total = new Float64Array(m * n);
  let next = new Float64Array(m * n);
  const step = Math.max(1, Math.min(FEATURES, Math.floor(2 ** 27 / (8 * Math.max(matrix.rows, design.matrix.rows)))));
  const other = same ? undefined : matrix.chunks(0, step);
  for await (const chunk of design.matrix.chunks(0, step)) {
    const pair = other ? (await other.next()).value : chunk;
    const scale = (of: FeatureMatrix, s: Float32Array | undefined): Tensor => tensor([1, of.rows], s ?? ones(of.rows));
    await program.run(
      {
        x: tensor([chunk.count, design.matrix.rows], chunk.data),
        s: scale(design.matrix, await design.matrix.rowScale(chunk.block)),
        rows: mine,
        x2: tensor([pair.count, matrix.rows], pair.data),
        s2: scale(matrix, await matrix.rowScale(pair.block)),
        rows2: theirs,
        mean: tensor([chunk.count, 1], design.mean.subarray(chunk.first, chunk.first + chunk.count)),
        scale: tensor([chunk.count, 1], design.scale.subarray(chunk.first, chunk.first + chunk.count)),
        total: tensor([m, n], total),
      },
      undefined,
      { sum: tensor([m, n], next) },
    );
    [total, next] = [next, total];
  }
  return total;
}

const ones = (length: number) => new Float32Array(length).fill(1);
const index = (rows: ArrayLike<number>): Tensor => int64(Array.from({ length: rows.length }, (_, i) => rows[i]));

function normalise(g: MathBuilder, x: string, s: string, rows: string, mean: string, scale: string): string {
  const wide = (value: string) => g.builder.op('Cast', [value], { to: 11 });
  const taken = wide(g.op('Gather', [x, rows], { axis: 1 }));
  const factors = wide(g.op('Gather', [s, rows], { axis: 1 }));
  return g.op('Mul', [g.op('Sub', [g.op('Mul', [taken, factors]), mean]), scale]);
}

function gramGraph() {
  const g = new MathBuilder('float64');
  const single = (name: string) => g.builder.input(name, 'float32');
  const [x, s, x2, s2] = [single('x'), single('s'), single('x2'), single('s2')];
  const [rows, rows2] = [g.builder.input('rows', 'int64'), g.builder.input('rows2', 'int64')];
  const [mean, scale, total] = [g.input('mean'), g.input('scale'), g.input('total')];
  const training = normalise(g, x, s, rows, mean, scale);
  const other = normalise(g, x2, s2, rows2, mean, scale);
  const product = g.op('MatMul', [g.op('Transpose', [other], { perm: [1, 0] }), training]);
  g.output(g.op('Add', [total, product]), 'sum');
  return g.builder.build();
}

/** Weights on the normalised features from weights on the training rows: X' a, (p, columns), for a (n, columns). */
export async function primalWeights(
  engine: Engine,
  design: Design,
  a: Float64Array,
  columns: number,
): Promise<Float64Array> {
  const { matrix, rows, mean, scale } = design;
  const program = await programFor(engine, 'primal', () => {
    const g = new MathBuilder('float64');
    const x = g.builder.input('x', 'float32');
    const s = g.builder.input('s', 'float32');
    const index = g.builder.input('rows', 'int64');
    const normal = normalise(g, x, s, index, g.input('mean'), g.input('scale'));
    g.output(g.op('MatMul', [normal, g.input('a')]), 'w');
    return g.builder.build();
  });
  const result = new Float64Array(matrix.features * columns);
  const taken = index(rows);
  const step = Math.max(1, Math.min(FEATURES, Math.floor(2 ** 27 / (8 * matrix.rows))));
  for await (const { block, first, count, data } of matrix.chunks(0, step)) {
    await program.run(
      {
        x: tensor([count, matrix.rows], data),
        s: tensor([1, matrix.rows], (await matrix.rowScale(block)) ?? ones(matrix.rows)),
        rows: taken,
        mean: tensor([count, 1], mean.subarray(first, first + count)),
        scale: tensor([count, 1], scale.subarray(first, first + count)),
        a: tensor([rows.length, columns], a),
      },
      undefined,
      { w: tensor([count, columns], result.subarray(first * columns, (first + count) * columns)) },
    );
  }
  return result;
}
