/**
 * GBC (Pandy et al., CVPR 2022): minus the sum over ordered pairs of classes of the Bhattacharyya coefficients of Gaussians fitted
 * to them, each with one variance for all directions: 0 where no two classes overlap, at least -C (C - 1).
 */
import { at } from './coordinates.js';
import { type Grouped, residuals } from './scatter.js';

/** Least variance of a class, so that one without any has a density. */
const FLOOR = 1e-4;

export function bhattacharyya(groups: Grouped): number {
  const { z, labels, classes, counts, means, width } = groups;
  const r = z.columns;
  const variances = new Float64Array(classes);
  for (const [e, v] of residuals(groups).data.entries()) {
    const k = labels[Math.floor(e / r)] as number;
    variances[k] = at(variances, k) + v ** 2 / at(counts, k) / width;
  }
  let sum = 0;
  for (let a = 0; a < classes; a++) {
    for (let b = 0; b < a; b++) {
      const [s, t] = [Math.max(FLOOR, at(variances, a)), Math.max(FLOOR, at(variances, b))];
      const mean = (s + t) / 2;
      let square = 0;
      for (let j = 0; j < r; j++) square += (at(means.data, a * r + j) - at(means.data, b * r + j)) ** 2;
      sum += 2 * Math.exp(-square / (8 * mean) - (width / 2) * Math.log(mean / Math.sqrt(s * t)));
    }
  }
  return sum === 0 ? 0 : -sum;
}
