/** The interval of a correlation over few tasks, whose two lists share a score as affinity and gain do. */
import { Random } from '../../src/base/index.js';
import { fisherInterval, pearson } from '../../src/stats/index.js';

/** Share of draws in which the interval holds the true r, for tasks whose two figures are jointly normal. */
export function trendCoverage(tasks: number, r: number, draws: number): number {
  const random = new Random(14, 'trend', tasks, r);
  let held = 0;
  for (let k = 0; k < draws; k++) {
    const x = Array.from({ length: tasks }, () => random.normal());
    const y = x.map((v) => r * v + Math.sqrt(1 - r * r) * random.normal());
    const [low, high] = fisherInterval(pearson(x, y), tasks);
    if (low <= r && r <= high) held++;
  }
  return held / draws;
}
