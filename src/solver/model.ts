/** What every linear probe returns: weights on few or all features, and the normalisation they were fitted with. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import type { Design } from './design.js';
import type { FeatureMatrix } from './matrix.js';
import { MathBuilder, programFor, tensor } from './programs.js';

export interface LinearModel {
  readonly classes: number;
  /** Number of features of the matrix that it was fitted on. */
  readonly features: number;
  /** Features with a weight, ascending. */
  readonly indices: Int32Array;
  /** Weights on the normalised features (as penalised), (indices.length, classes). */
  readonly weights: Float64Array;
  /** Intercept beside the normalised features, (classes). */
  readonly intercept: Float64Array;
  /** Mean and scale of the features of `indices`, from the training rows. */
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/** Bundles weights with the normalisation of the design; `indices` ascending. */
export function linearModel(
  design: Design,
  classes: number,
  indices: Int32Array,
  weights: Float64Array,
  intercept: Float64Array,
): LinearModel {
  return {
    classes,
    features: design.matrix.features,
    indices,
    weights,
    intercept,
    mean: Float64Array.from(indices, (j) => design.mean[j]),
    scale: Float64Array.from(indices, (j) => design.scale[j]),
  };
}

/**
 * The same model without its standardisation: weights on the (unit-normed) features themselves, and the intercept that
 * goes with them. What an exported head holds.
 */
export function foldNormalisation(model: LinearModel): { weights: Float64Array; intercept: Float64Array } {
  const { classes, indices, mean, scale } = model;
  const weights = Float64Array.from(model.weights);
  const intercept = Float64Array.from(model.intercept);
  for (let j = 0; j < indices.length; j++) {
    for (let k = 0; k < classes; k++) {
      const w = model.weights[j * classes + k] * scale[j];
      weights[j * classes + k] = w;
      intercept[k] -= w * mean[j];
    }
  }
  return { weights, intercept };
}

/**
 * Logits (rows.length, classes) of any matrix with the model's features, normalised as at fitting.
 * @param rows rows of `matrix`; all by default
 */
export async function predictLogits(
  engine: Engine,
  model: LinearModel,
  matrix: FeatureMatrix,
  rows?: ArrayLike<number>,
): Promise<Float64Array> {
  if (matrix.features !== model.features) {
    throw new UserError(
      `the probe was fitted on ${model.features} features and this matrix has ${matrix.features}: use the same taps and pooling`,
    );
  }
  const { classes } = model;
  const folded = foldNormalisation(model);
  const n = matrix.rows;
  const logits = new Float64Array(n * classes);
  const program = await programFor(engine, 'logits', logitsGraph);
  const dense = model.indices.length === matrix.features;
  const add = async (block: number, count: number, data: Float32Array, from: number) => {
    const w = Float64Array.from(folded.weights.subarray(from * classes, (from + count) * classes));
    const { z } = await program.run({ x: tensor([count, n], data), w: tensor([count, classes], w) });
    const values = z?.data as Float64Array;
    const s = await matrix.rowScale(block);
    for (let i = 0, at = 0; i < n; i++) {
      const factor = s ? s[i] : 1;
      for (let k = 0; k < classes; k++, at++) {
        logits[at] += factor * values[at];
      }
    }
  };
  if (dense) {
    for await (const chunk of matrix.chunks(1 << 24)) await add(chunk.block, chunk.count, chunk.data, chunk.first);
  } else {
    const step = Math.max(1, Math.floor((1 << 24) / (4 * n)));
    const buffer = new Float32Array(Math.min(step, model.indices.length) * n);
    for (let from = 0; from < model.indices.length; ) {
      const { block } = matrix.locate(model.indices[from]);
      const end = matrix.offsets[block + 1];
      let to = from + 1;
      while (to < model.indices.length && to - from < step && model.indices[to] < end) to++;
      const data = buffer.subarray(0, (to - from) * n);
      await matrix.gather(model.indices.subarray(from, to), data);
      await add(block, to - from, data, from);
      from = to;
    }
  }
  for (let i = 0, at = 0; i < n; i++) {
    for (let k = 0; k < classes; k++, at++) logits[at] += folded.intercept[k];
  }
  if (!rows) return logits;
  const chosen = new Float64Array(rows.length * classes);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    chosen.set(logits.subarray(row * classes, (row + 1) * classes), i * classes);
  }
  return chosen;
}

/** x'w in float64: sums over many features of any size, and means that nearly cancel. */
function logitsGraph() {
  const g = new MathBuilder('float64');
  const x = g.builder.input('x', 'float32');
  const w = g.input('w');
  const wide = g.builder.op('Cast', [g.op('Transpose', [x], { perm: [1, 0] })], { to: 11 });
  g.output(g.op('MatMul', [wide, w]), 'z');
  return g.builder.build();
}

/** Softmax of each row of `logits` (rows, classes). */
export function probabilities(logits: Float64Array, classes: number): Float64Array {
  const result = logits.slice();
  for (let at = 0; at < result.length; at += classes) softmaxRow(result, at, classes);
  return result;
}

/** Turns the `classes` logits from `at` on into probabilities, in place. @returns the logarithm of their sum of exponentials */
export function softmaxRow(values: Float64Array, at: number, classes: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let k = at; k < at + classes; k++) top = Math.max(top, values[k]);
  let total = 0;
  for (let k = at; k < at + classes; k++) {
    const e = Math.exp(values[k] - top);
    values[k] = e;
    total += e;
  }
  for (let k = at; k < at + classes; k++) values[k] /= total;
  return Math.log(total) + top;
}
