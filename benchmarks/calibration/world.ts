/** Runs whose truth is known: methods that are right or wrong on test examples, by a latent normal score. */
import type { Random } from '../../src/base/index.js';
import type { compareAll, MethodCard } from '../../src/record/index.js';
import { normalQuantile } from '../../src/stats/index.js';

type MeasuredRun = Parameters<typeof compareAll>[0];

/** How the test examples come. */
export interface Examples {
  readonly n: number;
  /** Clusters: how many, and whether of one size, of log-normal sizes, or one of them as large as all others together. */
  readonly clusters?: { readonly count: number; readonly sizes: 'equal' | 'uneven' | 'giant' };
  /** Share of the latent variance that is common to the examples of a cluster. */
  readonly intraclass?: number;
  /** Shares of the classes, where mean per-class accuracy is the metric. */
  readonly classes?: readonly number[];
}

export interface Method {
  /** Its accuracy, the mean over all examples and seeds that there could be. */
  readonly accuracy: number;
  /** Runs; a method that trains the network varies between them, a probe has one. */
  readonly seeds?: number;
  readonly trained?: boolean;
  /** Instead of the world's `runs`. */
  readonly runs?: number;
}

export interface World {
  readonly examples: Examples;
  readonly methods: readonly Method[];
  readonly tasks?: number;
  /** Share of the latent variance that methods have in common: what makes an example hard. */
  readonly common?: number;
  /** Of the rest, the share that is drawn again in each run of a trained method. */
  readonly fickle?: number;
  /** Standard deviation between runs of the latent score as a whole: some runs are better than others. */
  readonly runs?: number;
  readonly margin?: number;
}

export const named = (m: number) => `m${m}`;

/** @returns one run of the product, as it is measured */
export function draw(world: World, random: Random): MeasuredRun {
  const { examples, methods, tasks = 1, margin = 0.01 } = world;
  return {
    methods: methods.map(({ trained }, m) => card(m, trained === true)),
    margin,
    tasks: Array.from({ length: tasks }, (_, t) => {
      const { labels, groups } = drawExamples(examples, random);
      const right = drawRight(world, groups, labels.length, random);
      const score = (runs: readonly Uint8Array[]) =>
        runs.reduce((sum, run) => sum + run.reduce((a, b) => a + b, 0) / run.length, 0) / runs.length;
      return {
        task: `t${t}`,
        target: {
          kind: 'class' as const,
          classes: ['a', 'b', 'c'],
          metric: examples.classes ? ('mean per-class accuracy' as const) : ('accuracy' as const),
        },
        examples: { train: 100, test: labels.length },
        cells: right.map((runs, m) => ({
          status: 'done' as const,
          method: named(m),
          score: score(runs),
          interval: [0, 1] as [number, number],
          seconds: 0,
          converged: true,
          notes: [],
        })),
        testLabels: labels,
        ...(groups ? { testGroups: groups } : {}),
        predictions: right.flatMap((runs, m) =>
          runs.map((run, seed) => ({
            method: named(m),
            seed,
            predicted: labels.map((label, i) => (run[i] ? label : label + 1)),
          })),
        ),
      };
    }),
  };
}

function drawExamples({ n, clusters, classes }: Examples, random: Random): { labels: number[]; groups?: number[] } {
  let groups: number[] | undefined;
  if (clusters) {
    const { count, sizes } = clusters;
    const mean = n / count;
    const size = (g: number) => {
      if (sizes === 'equal') return Math.round(mean);
      if (sizes === 'uneven') return Math.max(1, Math.round(mean * Math.exp(0.8 * random.normal() - 0.32)));
      return Math.max(1, Math.round(g === 0 ? n / 2 : n / 2 / (count - 1)));
    };
    groups = Array.from({ length: count }, (_, g) => new Array<number>(size(g)).fill(g)).flat();
  }
  const length = groups?.length ?? n;
  const labels = new Array<number>(length).fill(0);
  let from = 0;
  for (const [c, share] of (classes ?? [1]).entries()) {
    const to = c === (classes?.length ?? 1) - 1 ? length : from + Math.max(2, Math.round(share * n));
    labels.fill(c, from, to);
    from = to;
  }
  return { labels, ...(groups ? { groups } : {}) };
}

/** [method][seed]: 1 for right, (n). */
function drawRight(world: World, groups: readonly number[] | undefined, n: number, random: Random): Uint8Array[][] {
  const { examples, methods, common = 0.8, fickle = 0, runs: spread = 0 } = world;
  const rho = groups ? (examples.intraclass ?? 0) : 0;
  const [between, within] = [Math.sqrt(rho), Math.sqrt(1 - rho)];
  /** Unit variance, correlated within clusters; added with this weight. */
  const add = (to: Float64Array, weight: number): Float64Array => {
    const of = Array.from({ length: rho > 0 ? (examples.clusters?.count ?? 0) : 0 }, () => random.normal());
    return to.map((v, i) => v + weight * (between * (of[groups?.[i] ?? -1] ?? 0) + within * random.normal()));
  };
  const shared = common > 0 ? add(new Float64Array(n), Math.sqrt(common)) : new Float64Array(n);
  return methods.map(({ accuracy, seeds = 1, trained, runs: mine = spread }) => {
    const again = trained ? fickle : 0;
    const run = trained ? mine : 0;
    const own = add(shared, Math.sqrt((1 - common) * (1 - again)));
    const threshold = normalQuantile(accuracy) * Math.sqrt(1 + run * run);
    return Array.from({ length: seeds }, () => {
      const shift = run > 0 ? run * random.normal() : 0;
      const all = again > 0 ? add(own, Math.sqrt((1 - common) * again)) : own;
      return Uint8Array.from(all, (v) => (v + shift < threshold ? 1 : 0));
    });
  });
}

function card(m: number, trained: boolean): MethodCard {
  return {
    id: named(m),
    label: named(m),
    plain: named(m),
    advice: `use ${named(m)}`,
    title: named(m),
    reads: trained ? 'images' : 'last layer',
    role: 'candidate',
    simplicity: m,
    light: '#000000',
    dark: '#ffffff',
    shape: '',
  };
}
