/** How several networks were trained, and pretrained (Kornblith, Shlens and Le, 2019): convergence, regularisers, grids of rates. */
import { given } from '../base/index.js';
import { geometricMean, mean, nearBest } from '../stats/index.js';
import { doneCells, scoredCells } from './cell-schema.js';
import { counted, type Setting } from './networks.js';
import type { RunRecord, TaskRecord } from './schema.js';

/** How soon one method comes near its best on one task. */
export interface Convergence {
  readonly task: TaskRecord;
  readonly method: string;
  /** Rising; a run of its own for each. */
  readonly runs: readonly {
    readonly steps: number;
    readonly score: number;
    readonly interval: readonly [number, number];
  }[];
  /** The fewest updates with 90 % of the best odds; undefined where fewer than two lengths were run. */
  readonly near: number | undefined;
}

/** Of every task and method that was trained for several numbers of updates. */
export function convergenceOf({ tasks, methods }: Pick<RunRecord, 'tasks' | 'methods'>): Convergence[] {
  return tasks.flatMap((task) => {
    const { convergence } = task;
    if (!convergence) return [];
    return methods.flatMap(({ id: method }): Convergence[] => {
      const main = counted(task, method);
      const steps = main?.settings?.steps;
      const others = convergence.flatMap((at) => {
        const cell = scoredCells(at).find((c) => c.method === method);
        return cell ? [{ steps: at.steps, score: cell.score, interval: cell.interval }] : [];
      });
      if (others.length === 0) return [];
      const own =
        main && typeof steps === 'number' && others.every((o) => o.steps !== steps)
          ? [{ steps, score: main.score, interval: main.interval }]
          : [];
      const runs = [...others, ...own].sort((a, b) => a.steps - b.steps);
      const near = runs.length < 2 ? undefined : nearBest(runs)?.steps;
      return [{ task, method, runs, near }];
    });
  });
}

/** Geometric mean over tasks of the updates to 90 % of the best odds, by method. */
export function meanConvergence(all: readonly Convergence[]) {
  const methods = [...new Set(all.map((c) => c.method))];
  return methods.flatMap((method) => {
    const steps = all.filter((c) => c.method === method).flatMap((c) => c.near ?? []);
    return steps.length === 0 ? [] : [{ method, tasks: steps.length, ...geometricMean(steps) }];
  });
}

/** Names of what a network may have been regularised with, as tables say them. */
export const regularisers = {
  bnScale: 'batch norms with a scale',
  labelSmoothing: 'label smoothing',
  dropout: 'dropout',
  auxHead: 'auxiliary head',
} as const;

/** Networks pretrained with a regulariser beside those without it. */
export interface RegulariserRow {
  readonly regulariser: keyof typeof regularisers;
  readonly method: string;
  /** Networks, and the mean of their adjusted mean logits. */
  readonly with: { readonly networks: readonly string[]; readonly mean: number };
  readonly without: { readonly networks: readonly string[]; readonly mean: number };
}

/** Of every regulariser that some networks say they had and others that they had not. */
export function regulariserRows(settings: readonly Setting[]): RegulariserRow[] {
  return (Object.keys(regularisers) as (keyof typeof regularisers)[]).flatMap((regulariser) =>
    settings.flatMap(({ method, networks }): RegulariserRow[] => {
      const side = (on: boolean) => {
        const own = networks.filter((n) => n.network.pretraining?.[regulariser] === on);
        return { networks: own.map((n) => n.network.name), mean: mean(own.map((n) => n.adjusted)) };
      };
      const [yes, no] = [side(true), side(false)];
      if (yes.networks.length === 0 || no.networks.length === 0) return [];
      return [{ regulariser, method, with: yes, without: no }];
    }),
  );
}

/** Grid of learning rates and weight decays that a cell tried, at one length each. */
export interface RateGrid {
  readonly epochs: number;
  readonly points: readonly {
    readonly learningRate: number;
    readonly weightDecay: number;
    readonly validation?: number;
  }[];
}

/** The rung on which the whole grid was tried; undefined where no decays were. */
export function gridOf(task: TaskRecord, method: string): RateGrid | undefined {
  const rates = doneCells(task).find((c) => c.method === method)?.rates ?? [];
  const epochs = Math.min(...rates.map((r) => r.epochs));
  const points = rates.flatMap(({ learningRate, weightDecay, epochs: own, validation }) =>
    weightDecay === undefined || own !== epochs ? [] : [{ learningRate, weightDecay, ...given({ validation }) }],
  );
  return points.length < 2 ? undefined : { epochs, points };
}
