/**
 * SFDA (Shao et al., ECCV 2022) as released: regularised Fisher discriminant analysis, examples moved towards the other
 * classes as far as they are uncertain (ConfMix), the analysis once more; mean probability of the true class then.
 */
import { type Matrix, type Multiply, probabilities } from '../../solver/index.js';
import { at, centred } from './coordinates.js';
import { type Grouped, grouped, largestEigenvalue, shrunk, solveRows, withinScatter } from './scatter.js';
import { transposed } from './transrate.js';

/** The within-class scatter is shrunk by exp(-rate x its largest eigenvalue), at least `least`. */
const regularisation = { rate: 5, least: 1e-10 };

export async function selfChallengingFisher(multiply: Multiply, groups: Grouped): Promise<number> {
  const first = await discriminant(multiply, groups);
  if (!first) return Number.NaN;
  const mixed = mix(groups, first.probability);
  const again = grouped(centred(mixed), groups.labels, groups.width);
  const second = await discriminant(multiply, again, first.shrinkage);
  if (!second) return Number.NaN;
  let sum = 0;
  for (const [i, label] of groups.labels.entries()) sum += at(second.probability, i * groups.classes + label);
  return sum / groups.z.rows;
}

/** Probability of each class, (n, classes), by linear discriminant analysis; undefined for features of no variance. */
async function discriminant(
  multiply: Multiply,
  groups: Grouped,
  known?: number,
): Promise<{ probability: Float64Array; shrinkage: number } | undefined> {
  const { z, means, counts, classes, width } = groups;
  const r = z.columns;
  const { scatter, trace } = await withinScatter(multiply, groups);
  if (!(trace > 0)) return undefined;
  const shrinkage =
    known ?? Math.max(regularisation.least, Math.exp(-regularisation.rate * largestEigenvalue(scatter, r)));
  const solved = solveRows(shrunk(scatter, r, shrinkage, trace / width), means);
  if (!solved) return undefined;
  const scores = await multiply(z, transposed(solved));
  const offsets = Float64Array.from(counts, (count, k) => {
    let square = 0;
    for (let j = 0; j < r; j++) square += at(means.data, k * r + j) * at(solved.data, k * r + j);
    return Math.log(count / z.rows) - square / 2;
  });
  const probability = probabilities(
    scores.map((v, e) => v + at(offsets, e % classes)),
    classes,
  );
  return { probability, shrinkage };
}

/** Each example as a mixture of itself and the mean of the other classes' means, by the softmax of its probabilities. */
function mix({ z, labels, means, classes }: Grouped, probability: Float64Array): Matrix {
  const r = z.columns;
  const soft = probabilities(probability, classes);
  const sums = new Float64Array(r);
  for (const [e, v] of means.data.entries()) sums[e % r] = at(sums, e % r) + v;
  const data = z.data.map((v, e) => {
    const [i, j] = [Math.floor(e / r), e % r];
    const label = labels[i] as number;
    const share = at(soft, i * classes + label);
    const others = (at(sums, j) - at(means.data, label * r + j)) / (classes - 1);
    return share * v + (1 - share) * others;
  });
  return { ...z, data };
}
