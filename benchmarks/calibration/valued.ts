/**
 * How often 95 % intervals of R2 and of average precision hold what they are of: from what examples add to the figure
 * (stats/contributions.ts), and the percentile bootstrap of decision 023 that they replace. One draw of n examples a
 * replication, or of n / 5 groups of 5. npx tsx benchmarks/calibration/valued.ts [REPLICATIONS]
 */
import { Random } from '../../src/base/index.js';
import { intervalOf } from '../../src/record/valued-score.js';
import {
  areaUnderPrecision,
  averagePrecisionContributions,
  percentileInterval,
  r2Contributions,
} from '../../src/stats/index.js';

const replications = Number(process.argv[2] ?? 400);
type Pair = readonly [number, number];
const figures = {
  R2: (rows: readonly Pair[]) => {
    const mean = rows.reduce((sum, [, t]) => sum + t, 0) / rows.length;
    const [error, spread] = [0, 0].map((_, k) => rows.reduce((sum, [p, t]) => sum + (k ? t - mean : p - t) ** 2, 0));
    return 1 - (error as number) / (spread as number);
  },
  mAP: (rows: readonly Pair[]) =>
    areaUnderPrecision(
      rows.map(([p]) => p),
      rows.map(([, t]) => t),
    ),
};

/** Predictions with normal errors of a normal truth with heavy tails, or of labels of some prevalence. */
function draw(random: Random, groups: number, size: number, threshold: number | undefined): Pair[] {
  return Array.from({ length: groups }, () => {
    const shared = size > 1 ? random.normal() : 0;
    return Array.from({ length: size }, (): Pair => {
      const truth = (size > 1 ? 0.7 * shared : 0) + random.normal() * (size > 1 ? 0.7 : 1);
      const said = truth + 0.6 * random.normal() + (size > 1 ? 0.4 * shared ** 2 : 0);
      return [said, threshold === undefined ? truth : truth > threshold ? 1 : 0];
    });
  }).flat();
}

console.log('figure;n;size of groups;true figure;contributions;bootstrap');
for (const [name, threshold] of [
  ['R2', undefined],
  ['mAP, half have the label', 0],
  ['mAP, one in ten', 1.28],
] as const) {
  const figure = threshold === undefined ? figures.R2 : figures.mAP;
  for (const size of [1, 5]) {
    const truth = figure(draw(new Random(1, name, size), 400_000 / size, size, threshold));
    for (const n of [50, 200, 500]) {
      const held = { contributions: 0, bootstrap: 0 };
      let done = 0;
      for (let i = 0; i < replications; i++) {
        const random = new Random(2, name, size, n, i);
        const sample = draw(random, n / size, size, threshold);
        const groups = sample.map((_, at) => String(Math.floor(at / size)));
        const [said, own] = [sample.map(([p]) => p), sample.map(([, t]) => t)];
        const added = (threshold === undefined ? r2Contributions : averagePrecisionContributions)(said, own);
        if (Number.isNaN(added[0])) continue;
        done++;
        const kind = threshold === undefined ? 'regression' : 'multilabel';
        const [low, high] = intervalOf([added], { kind, outputs: ['one'], values: own, groups });
        if (low <= truth && truth <= high) held.contributions++;
        const drawn = Array.from({ length: threshold === undefined ? 300 : 200 }, () =>
          figure(
            Array.from({ length: n / size }, () => {
              const first = size * random.integer(n / size);
              return sample.slice(first, first + size);
            }).flat(),
          ),
        ).filter((v) => !Number.isNaN(v));
        const [from, to] = percentileInterval(Float64Array.from(drawn), 0.95);
        if (from <= truth && truth <= to) held.bootstrap++;
      }
      const share = (count: number) => ((100 * count) / done).toFixed(1);
      console.log([name, n, size, truth.toFixed(3), share(held.contributions), share(held.bootstrap)].join(';'));
    }
  }
}
