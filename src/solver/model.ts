/** What every linear probe returns: weights on few or all features, and the normalisation they were fitted with. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { allRows, type Design, normalisationOf } from './design.js';
import type { FeatureMatrix } from './matrix.js';
import { Passes, widened } from './passes.js';
import { plus } from './vectors.js';

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
export function foldNormalisation({ classes, indices, scale, mean, ...model }: LinearModel): {
  weights: Float64Array;
  intercept: Float64Array;
} {
  const weights = model.weights.slice();
  const intercept = model.intercept.slice();
  for (let j = 0, at = 0; j < indices.length; j++) {
    for (let k = 0; k < classes; k++, at++) {
      weights[at] *= scale[j];
      intercept[k] -= weights[at] * mean[j];
    }
  }
  return { weights, intercept };
}

/** Products with the features that a model reads, as it normalises them. @param rows of the matrix; all by default */
export function passesOf(engine: Engine, model: LinearModel, matrix: FeatureMatrix, rows?: ArrayLike<number>): Passes {
  const { indices, mean, scale } = model;
  const read = indices.length === matrix.features ? matrix : matrix.select(indices);
  return new Passes(engine, { matrix: widened(read, mean), rows: rows ?? allRows(matrix), mean, scale });
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
  const { classes, indices, weights, intercept } = model;
  const length = (rows?.length ?? matrix.rows) * classes;
  const logits = Float64Array.from({ length }, (_, at) => intercept[at % classes]);
  if (indices.length === 0) return logits;
  return plus(logits, 1, await passesOf(engine, model, matrix, rows).forward(weights, classes), logits);
}
