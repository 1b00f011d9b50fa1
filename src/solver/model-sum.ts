/** Several linear models as one. */
import type { LinearModel } from './model.js';

/**
 * The model whose logits are sum_m a_m z_m: on every feature that one of them reads, normalised as by the first that does.
 * @param models on the features of one matrix
 */
export function sumOfModels(models: readonly LinearModel[], factors: ArrayLike<number>): LinearModel {
  const [{ features, classes: K }] = models as [LinearModel, ...LinearModel[]];
  const indices = Int32Array.from(new Set(models.flatMap((m) => [...m.indices]))).sort();
  const place = new Int32Array(features).fill(-1);
  for (const [i, j] of indices.entries()) place[j] = i;
  const mean = new Float64Array(indices.length);
  const scale = new Float64Array(indices.length);
  const weights = new Float64Array(indices.length * K);
  const intercept = new Float64Array(K);
  for (const [m, model] of models.entries()) {
    for (let k = 0; k < K; k++) intercept[k] += factors[m] * model.intercept[k];
    for (const [j, feature] of model.indices.entries()) {
      const i = place[feature];
      // A feature of scale 0 was constant, and has no say.
      if (model.scale[j] === 0) continue;
      if (scale[i] === 0) {
        mean[i] = model.mean[j];
        scale[i] = model.scale[j];
      }
      const rate = (factors[m] * model.scale[j]) / scale[i];
      const shift = factors[m] * model.scale[j] * (mean[i] - model.mean[j]);
      for (let k = 0; k < K; k++) {
        weights[i * K + k] += rate * model.weights[j * K + k];
        intercept[k] += shift * model.weights[j * K + k];
      }
    }
  }
  return { features, classes: K, indices, weights, intercept, mean, scale };
}
