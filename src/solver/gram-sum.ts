/**
 * Gram matrices of features over all examples, for cross-validation. Every l2-penalised probe depends on its features
 * through these alone, so folds are sub-blocks of one Gram, nested selections add to one another, and p never appears
 * again. (Fits that are reported use float64 Grams of their training rows: gram-exact.ts.)
 */
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { type Normalisation, storedMean } from './design.js';
import { countMacs } from './macs.js';
import type { FeatureMatrix } from './matrix.js';
import { addOwnProducts, partsOf } from './own-products.js';
import { type Floats, floats, precisionOf, programFor, tensor } from './programs.js';

/** Bytes of features in one product. */
const CHUNK_BYTES = 1 << 23;

/**
 * Zeros (rows, rows) to add the Gram of so many features to: float32, the faster, where the Gram has full rank. With
 * fewer features than rows its zero eigenvalues come out of float32 as negative ones, along which a penalty of a small
 * lambda falls without end; float64 leaves nothing there that a penalty could feel, and with few features costs little.
 */
export function emptyGram(features: number, rows: number): Floats {
  return floats(features < rows ? 'float64' : 'float32', rows * rows);
}

/**
 * Adds to `into` (n, n) the Gram of all features of `matrix` over all of its rows, in its precision. Values are shifted by
 * `mean` (any constants near the features' means: sums stay exact, centring later takes the rest) and scaled.
 */
export async function addGram(
  engine: Engine,
  matrix: FeatureMatrix,
  normalisation: Normalisation,
  into: Floats,
): Promise<void> {
  const n = matrix.rows;
  const precision = precisionOf(into);
  const parts = partsOf(n);
  const program = await programFor(engine, `gram sum ${precision} ${parts}`, () => {
    const g = GraphBuilder.of(precision);
    const [z, sum] = [g.input('z'), g.input('g')];
    g.output(addOwnProducts(g, sum, z, parts), 'gram');
    return g.build();
  });
  const sum = tensor([n, n], into);
  let [from, to] = [sum, tensor([n, n], floats(precision, n * n))];
  const { mean, scale } = { mean: storedMean(normalisation, matrix), scale: normalisation.scale };
  const most = Math.max(1, Math.floor(CHUNK_BYTES / (into.BYTES_PER_ELEMENT * n)));
  // One product for features of many blocks: each writes the whole Gram, however few they are.
  const normalised = floats(precision, Math.min(most, matrix.features) * n);
  let held = 0;
  const flush = async () => {
    if (held === 0) return;
    const z = tensor([held, n], normalised.subarray(0, held * n));
    await program.run({ z, g: from }, undefined, { gram: to });
    countMacs(engine, n * n * held);
    [from, to] = [to, from];
    held = 0;
  };
  for await (const { block, first, count, data } of matrix.chunks(CHUNK_BYTES)) {
    const s = await matrix.rowScale(block);
    for (let j = 0; j < count; j++) {
      if (held === most) await flush();
      const target = normalised.subarray(held * n, (held + 1) * n);
      const values = data.subarray(j * n, (j + 1) * n);
      const [centre, factor] = [mean[first + j], scale[first + j]];
      for (let i = 0; i < n; i++) target[i] = (values[i] * s[i] - centre) * factor;
      held++;
    }
  }
  await flush();
  if (from !== sum) into.set(from.data);
}

/** A kernel between some rows and the training rows, centred at the training rows' mean. */
export interface Kernel {
  /** Among the training rows, (n, n). */
  readonly train: Floats;
  readonly n: number;
  /** From other rows to the training rows, (others, n). */
  readonly others: Floats;
  readonly m: number;
}

/** Cuts rows out of a Gram over all examples, (total, total), and centres them at the mean of `train`. */
export function centredKernel(
  gram: Floats,
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
function cut(gram: Floats, total: number, rows: ArrayLike<number>, train: ArrayLike<number>) {
  const block = floats(precisionOf(gram), rows.length * train.length);
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
