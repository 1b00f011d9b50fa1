/**
 * NLEEP (Li et al., CVPR 2021): LEEP with the components of a mixture of Gaussians on the features' principal components in
 * place of the source's classes, five for each class. The Gaussians have diagonal covariances here (see docs/scores.md).
 */
import type { Multiply } from '../../solver/index.js';
import { leep } from '../../stats/index.js';
import { fitMixture, nearestCentres } from './mixture.js';
import { principalComponents } from './principal.js';
import type { Grouped } from './scatter.js';

const settings = { energy: 0.8, ratio: 5, tolerance: 1e-3, steps: 100, floor: 1e-6 };

export async function nLeep(multiply: Multiply, { z, labels, classes }: Grouped, seed: number): Promise<number> {
  const x = await principalComponents(multiply, z, settings.energy);
  const variance = x.data.reduce((sum, v) => sum + v * v, 0) / x.data.length;
  if (!(variance > 0)) return Number.NaN;
  const components = Math.min(settings.ratio * classes, x.rows);
  const { tolerance, steps, floor } = settings;
  const start = nearestCentres(x, components, seed);
  const shares = await fitMixture(multiply, x, start, { tolerance, steps, floor: floor * variance });
  return leep(shares.data, components, labels);
}
