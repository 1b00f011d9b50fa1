/**
 * Gram matrices of features over all examples in float32, for cross-validation. Every l2-penalised probe depends on its
 * features through these alone, so folds are sub-blocks of one Gram, nested selections add to one another, and p never
 * appears again. (Fits that are reported use float64 Grams of their training rows: gram-exact.ts.)
 */
import type { Engine } from '../engine/index.js';
import { type Normalisation, storedMean } from './design.js';
import type { FeatureMatrix } from './matrix.js';
import { MathBuilder, programFor, tensor } from './programs.js';

/** Bytes of features in one product. */
const CHUNK_BYTES = 1 << 23;

/**
 * Adds to `into` (n, n) the Gram of all features of `matrix` over all of its rows. Values are shifted by `mean` (any
 * constants near the features' means: sums stay exact in float32, centring later takes the rest) and scaled.
 */
export async function addGram(
  engine: Engine,
  matrix: FeatureMatrix,
  normalisation: Normalisation,
  into: Float32Array,
): Promise<void> {
  const n = matrix.rows;
  const program = await programFor(engine, 'gram sum', gramGraph);
  const sum = tensor([n, n], into);
  let [from, to] = [sum, tensor([n, n], new Float32Array(n * n) as Float32Array)];
  const mean = Float32Array.from(storedMean(normalisation, matrix));
  const scale = Float32Array.from(normalisation.scale);
  for await (const { block, first, count, data } of matrix.chunks(CHUNK_BYTES)) {
    const feeds = {
      x: tensor([count, n], data),
      s: tensor([1, n], await matrix.rowScale(block)),
      m: tensor([count, 1], mean.subarray(first, first + count)),
      f: tensor([count, 1], scale.subarray(first, first + count)),
      g: from,
    };
    await program.run(feeds, undefined, { gram: to });
    [from, to] = [to, from];
  }
  if (from !== sum) into.set(from.data);
}

function gramGraph() {
  const g = new MathBuilder('float32');
  const [x, s, m, f, sum] = ['x', 's', 'm', 'f', 'g'].map((name) => g.input(name));
  const z = g.op('Mul', [g.op('Sub', [g.op('Mul', [x, s]), m]), f]);
  g.output(g.builder.op('Gemm', [z, z, sum], { transA: 1 }), 'gram');
  return g.builder.build();
}

/** A kernel between some rows and the training rows, centred at the training rows' mean. */
export interface Kernel {
  /** Among the training rows, (n, n). */
  readonly train: Float32Array;
  readonly n: number;
  /** From other rows to the training rows, (others, n). */
  readonly others: Float32Array;
  readonly m: number;
}

/** Cuts rows out of a Gram over all examples, (total, total), and centres them at the mean of `train`, in float64. */
export function centredKernel(
  gram: Float32Array,
  total: number,
  train: ArrayLike<number>,
  others: ArrayLike<number>,
): Kernel {
  const inner = cut(gram, total, train, train);
  const outer = cut(gram, total, others, train);
  const grand = inner.means.reduce((sum, v) => sum + v / train.length, 0);
  const columns = inner.means;
  for (const { block, means } of [inner, outer]) {
    for (let i = 0, at = 0; i < means.length; i++) {
      const shift = grand - means[i];
      for (let j = 0; j < columns.length; j++, at++) block[at] += shift - columns[j];
    }
  }
  return { train: inner.block, n: train.length, others: outer.block, m: others.length };
}

/** Rows of a Gram at the training columns, (rows.length, train.length), and the mean of each. */
function cut(gram: Float32Array, total: number, rows: ArrayLike<number>, train: ArrayLike<number>) {
  const block = new Float32Array(rows.length * train.length);
  const means = new Float64Array(rows.length);
  for (let i = 0, at = 0; i < rows.length; i++) {
    const from = rows[i] * total;
    let sum = 0;
    for (let j = 0; j < train.length; j++, at++) {
      const v = gram[from + train[j]];
      block[at] = v;
      sum += v;
    }
    means[i] = sum / train.length;
  }
  return { block, means };
}
