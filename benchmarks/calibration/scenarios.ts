/** What the calibration suite simulates, in words for its tables. */
import type { Examples, Method, World } from './world.js';

export interface Scenario {
  readonly name: string;
  readonly world: World;
  /** Shown, and not held to 5 %: it breaks what is assumed of methods that ran once. */
  readonly promised?: false;
}

const methods = (count: number, accuracy: number, more: Omit<Method, 'accuracy'> = {}): Method[] =>
  Array.from({ length: count }, () => ({ accuracy, ...more }));
const trained = (seeds: number, runs?: number): Omit<Method, 'accuracy'> => ({
  trained: true,
  seeds,
  ...(runs === undefined ? {} : { runs }),
});

/** As the test images of gtsrb: 446 tracks of uneven length, design effect 2 to 3. */
const tracks: Examples = { n: 2000, clusters: { count: 446, sizes: 'uneven' }, intraclass: 0.45 };
const patients = (sizes: 'equal' | 'uneven' | 'giant', count = 15): Examples => ({
  n: 20 * count,
  clusters: { count, sizes },
  intraclass: 0.2,
});
/** Half of what methods do not share is drawn again in each run, and a run as a whole is 3 points (standard deviation) off. */
const seeds = { fickle: 0.5, runs: 0.1 };

/** No method is better than another. */
export const nulls: readonly Scenario[] = [
  {
    name: 'no signal: 4 methods guess, 10 classes, n 400',
    world: { examples: { n: 400 }, methods: methods(4, 0.1), common: 0 },
  },
  { name: 'equal: 4 methods at 90 %, n 50', world: { examples: { n: 50 }, methods: methods(4, 0.9) } },
  { name: 'equal: 4 methods at 90 %, n 400', world: { examples: { n: 400 }, methods: methods(4, 0.9) } },
  { name: 'equal: 4 methods at 99 %, n 400', world: { examples: { n: 400 }, methods: methods(4, 0.99) } },
  { name: 'equal: 4 methods at 99 %, n 2,000', world: { examples: { n: 2000 }, methods: methods(4, 0.99) } },
  { name: 'equal: 5 methods on 4 tasks, n 400', world: { examples: { n: 400 }, methods: methods(5, 0.85), tasks: 4 } },
  {
    name: 'equal: mean per-class accuracy, classes of 60, 30, 7 and 3 %',
    world: { examples: { n: 400, classes: [0.6, 0.3, 0.07, 0.03] }, methods: methods(3, 0.85) },
  },
  { name: 'groups: 446 tracks, 80 %', world: { examples: tracks, methods: methods(4, 0.8) } },
  { name: 'groups: 446 tracks, 99 %', world: { examples: tracks, methods: methods(4, 0.99) } },
  { name: 'groups: 15 of equal size', world: { examples: patients('equal'), methods: methods(4, 0.85) } },
  { name: 'groups: 10 of uneven sizes', world: { examples: patients('uneven', 10), methods: methods(4, 0.85) } },
  {
    name: 'groups: 15, half of the examples in one',
    world: { examples: patients('giant'), methods: methods(4, 0.85) },
  },
  {
    name: 'seeds: a trained method against itself, 3 and 3',
    world: { ...seeds, examples: { n: 1000 }, methods: methods(2, 0.8, trained(3)) },
  },
  {
    name: 'seeds: the same, 5 and 5',
    world: { ...seeds, examples: { n: 1000 }, methods: methods(2, 0.8, trained(5)) },
  },
  {
    name: 'seeds: a probe and trained methods with 3 and 5',
    world: {
      ...seeds,
      examples: { n: 1000 },
      methods: [...methods(1, 0.8), ...methods(1, 0.8, trained(3)), ...methods(1, 0.8, trained(5))],
    },
  },
  {
    name: 'seeds: a probe and trained methods with 1 and 3',
    world: {
      ...seeds,
      examples: { n: 1000 },
      methods: [...methods(1, 0.8), ...methods(1, 0.8, trained(1)), ...methods(1, 0.8, trained(3))],
    },
  },
  {
    name: 'seeds: three calm methods and a wild one, 3 each',
    world: {
      ...seeds,
      examples: { n: 1000 },
      methods: [...methods(3, 0.8, trained(3, 0.02)), ...methods(1, 0.8, trained(3, 0.2))],
    },
  },
  {
    name: 'seeds and groups: two probes, two trained methods, 446 tracks',
    world: { ...seeds, examples: tracks, methods: [...methods(2, 0.8), ...methods(2, 0.8, trained(3))] },
  },
  {
    name: 'seeds: a trained method against itself, 1 and 1',
    world: { ...seeds, examples: { n: 1000 }, methods: methods(2, 0.8, trained(1)) },
  },
  {
    name: 'seeds: the same, runs that vary twice as much as assumed',
    world: { ...seeds, runs: 0.2, examples: { n: 1000 }, methods: methods(2, 0.8, trained(1)) },
    promised: false,
  },
];

/** A method that is better by `gain` than one of 85 %. */
export const gains: readonly (Scenario & { readonly gain: number })[] = [0.01, 0.03, 0.05].flatMap((gain) =>
  [
    ...[100, 400, 1600, 6400].map((n) => ({ what: `n ${n.toLocaleString('en')}`, examples: { n }, seeds: 0 })),
    { what: 'n 2,000 in 446 tracks', examples: tracks, seeds: 0 },
    { what: 'n 1,600, trained with 3 seeds', examples: { n: 1600 }, seeds: 3 },
  ].map(({ what, examples, seeds: s }) => ({
    name: what,
    gain,
    world: {
      ...(s > 0 ? { fickle: 0.5, runs: 0.03 } : {}),
      examples,
      methods: [{ accuracy: 0.85 }, { accuracy: 0.85 + gain, ...(s > 0 ? trained(s) : {}) }],
    },
  })),
);
