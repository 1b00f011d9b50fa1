/** What every linear probe returns: weights on few or all features, and the normalisation they were fitted with. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { giveBuffers, takeBuffer } from './buffers.js';
import { type Design, normalisationOf } from './design.js';
import { countMacs } from './macs.js';
import type { FeatureMatrix } from './matrix.js';
import { programFor, tensor } from './programs.js';

/** Weights on normalised features, and the intercept beside them. */
export interface Head {
  readonly classes: number;
  /** Features with a weight, ascending. */
  readonly indices: Int32Array;
  /** Weights on the normalised features (as penalised), (indices.length, classes). */
  readonly weights: Float64Array;
  /** Intercept beside the normalised features, (classes). */
  readonly intercept: Float64Array;
}

export interface LinearModel extends Head {
  /** Number of features of the matrix that it was fitted on. */
  readonly features: number;
  /** Mean and scale of the features of `indices`, from the training rows. */
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/** Bundles a head with the normalisation of its design. */
export function linearModel(design: Design, head: Head): LinearModel {
  return { ...head, features: design.matrix.features, ...normalisationOf(design, head.indices) };
}

/**
 * The same model without its standardisation: weights on the (unit-normed) features themselves, as they were before any
 * shift, and the intercept that goes with them. What an exported head holds.
 */
export function foldNormalisation(model: LinearModel): { weights: Float64Array; intercept: Float64Array } {
  return foldOver(model, model.mean);
}

/** @param centre what was to be subtracted from the features of `indices`, and is not */
function foldOver({ classes, indices, scale, ...model }: LinearModel, centre: Float64Array) {
  const weights = model.weights.slice();
  const intercept = model.intercept.slice();
  for (let j = 0, at = 0; j < indices.length; j++) {
    for (let k = 0; k < classes; k++, at++) {
      weights[at] *= scale[j];
      intercept[k] -= weights[at] * centre[j];
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
  const { classes, indices } = model;
  const { weights, intercept } = foldOver(
    model,
    model.mean.map((m, j) => m - matrix.shift[indices[j]]),
  );
  const n = matrix.rows;
  const program = await programFor(engine, 'logits', logitsGraph);
  const logits = new Float64Array(n * classes);
  for (let i = 0; i < n; i++) logits.set(intercept, i * classes);
  const values = takeBuffer(n * classes);
  const z = tensor([n, classes], values);
  for await (const { block, from, count, data } of runsOf(model, matrix)) {
    const w = weights.slice(from * classes, (from + count) * classes);
    await program.run({ x: tensor([count, n], data), w: tensor([count, classes], w) }, undefined, { z });
    countMacs(engine, count * n * classes);
    const s = await matrix.rowScale(block);
    for (let i = 0, at = 0; i < n; i++) for (let k = 0; k < classes; k++, at++) logits[at] += s[i] * values[at];
  }
  giveBuffers(values);
  if (!rows) return logits;
  const chosen = new Float64Array(rows.length * classes);
  for (let i = 0; i < rows.length; i++) {
    chosen.set(logits.subarray(rows[i] * classes, (rows[i] + 1) * classes), i * classes);
  }
  return chosen;
}

/** Bytes of features in one product. */
const CHUNK_BYTES = 1 << 24;

/** The stored values of the model's features, (count, n), from its feature `from` on; each run lies within one block. */
async function* runsOf(
  { indices }: LinearModel,
  matrix: FeatureMatrix,
): AsyncGenerator<{ block: number; from: number; count: number; data: Float32Array }> {
  if (indices.length === matrix.features) {
    for await (const { first, ...chunk } of matrix.chunks(CHUNK_BYTES)) yield { ...chunk, from: first };
    return;
  }
  const n = matrix.rows;
  const step = Math.max(1, Math.floor(CHUNK_BYTES / (4 * n)));
  const buffer = new Float32Array(Math.min(step, indices.length) * n);
  for (let from = 0, to = 0; from < indices.length; from = to) {
    const { block } = matrix.locate(indices[from]);
    const end = matrix.offsets[block + 1];
    while (to < indices.length && to - from < step && indices[to] < end) to++;
    const data = buffer.subarray(0, (to - from) * n);
    yield { block, from, count: to - from, data: await matrix.gather(indices.subarray(from, to), data) };
  }
}

/** x'w in float64: sums over many features of any size, and means that nearly cancel. */
function logitsGraph() {
  const g = GraphBuilder.of('float64');
  const x = g.input('x', 'float32');
  const w = g.input('w');
  const wide = g.cast(g.transpose(x, [1, 0]), 'float64');
  g.output(g.matmul(wide, w), 'z');
  return g.build();
}
