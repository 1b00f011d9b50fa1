/**
 * Does anything that is measured without training a copy tell where copies fail? What a layer of the other half costs against
 * one's own (BnB - AnB), beside the likeness of the two base networks there, what probes on it lose, and depth alone.
 */
import { Random } from '../../base/index.js';
import { pearson, percentileInterval } from '../../stats/index.js';
import type { CopyPredictor, Half, LayerCopyRuns } from './schema.js';
import { isSound } from './sound.js';

const resamples = 1000;

interface Point {
  readonly split: string;
  readonly target: Half;
  readonly seed: number;
  readonly n: number;
  readonly x: number;
  readonly y: number;
}

/**
 * Pearson's r of each predictor with the loss, over halves, seeds and layers. Its 95 % interval resamples whole families of
 * networks (a half with a seed): the layers of one family are no independent examples. None below four families.
 */
export function predictorsOf({ probes = [], runs, layers }: LayerCopyRuns): CopyPredictor[] {
  const scoreOf = (treatment: 'AnB' | 'BnB', { split, target, seed, n }: (typeof probes)[number]) => {
    const run = runs.find(
      (r) =>
        r.treatment === treatment &&
        r.split === split &&
        r.target === target &&
        r.seed === seed &&
        r.n === n &&
        r.preserve === undefined &&
        isSound(r),
    );
    return run?.score;
  };
  const depth = Math.max(...layers.map((l) => l.n));
  const kinds: readonly [CopyPredictor['predictor'], (p: (typeof probes)[number]) => number][] = [
    ['cka', (p) => 1 - p.cka],
    ['probe gap', (p) => p.own - p.other],
    ['depth', (p) => p.n / depth],
  ];
  return kinds.flatMap(([predictor, of]) => {
    const points = probes.flatMap((p): Point[] => {
      const [own, other] = [scoreOf('BnB', p), scoreOf('AnB', p)];
      if (own === undefined || other === undefined) return [];
      const { split, target, seed, n } = p;
      return [{ split, target, seed, n, x: of(p), y: own - other }];
    });
    const r = correlation(points);
    if (r === undefined) return [];
    const families = new Map<string, Point[]>();
    for (const point of points) {
      const key = `${point.split} ${point.target} ${point.seed}`;
      families.set(key, [...(families.get(key) ?? []), point]);
    }
    const interval = families.size >= 4 ? resampled([...families.values()], predictor) : undefined;
    return [
      {
        predictor,
        r,
        ...(interval ? { interval } : {}),
        families: families.size,
        points: points.map(({ split, target, seed, n, x, y }) => ({
          split,
          target,
          seed,
          n,
          x,
          y,
        })),
      },
    ];
  });
}

function correlation(points: readonly Point[]): number | undefined {
  if (points.length < 3) return undefined;
  const r = pearson(
    points.map((p) => p.x),
    points.map((p) => p.y),
  );
  return Number.isNaN(r) ? undefined : r;
}

function resampled(families: readonly Point[][], name: string): [number, number] | undefined {
  const random = new Random(0, 'predictors', name);
  const found: number[] = [];
  for (let i = 0; i < resamples; i++) {
    const drawn = families.flatMap(() => families[random.integer(families.length)] as Point[]);
    const r = correlation(drawn);
    if (r !== undefined) found.push(r);
  }
  if (found.length < resamples / 2) return undefined;
  return percentileInterval(Float64Array.from(found), 0.95);
}
