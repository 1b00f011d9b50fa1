import {
  adjustedMeans,
  fisherInterval,
  type Interval,
  inverseLogit,
  lineWithBand,
  logit,
  logitAccuracy,
  mcnemar,
  mean,
  pearson,
  signedRanks,
  spearman,
} from '../stats/index.js';
import { type MethodCard, plainCard } from './cards.js';
import { type ScoredCell, scoredCells } from './cell-schema.js';
import { bySimplicity, compareAll, compared } from './comparisons.js';
import type { Comparison, NetworkRecord, RunRecord, TaskRecord } from './schema.js';

/** Networks from which on a correlation has an interval: Fisher's needs more than three. */
const fewestForInterval = 4;
/** Networks from which on a line has a band, and pairs from which on signed ranks can reach 5 %. */
const fewestForBand = 6;
const fewestForRanks = 6;

/** A run whose tasks are networks on data sets. */
export type NetworkRun = Pick<RunRecord, 'methods' | 'tasks' | 'margin' | 'networks'>;

/** A network on a data set. */
interface Place {
  readonly network: string;
  readonly dataset: string;
  readonly task: TaskRecord;
}

/** The tasks of a record that are networks on data sets. */
export const placesOf = ({ tasks }: Pick<RunRecord, 'tasks'>): Place[] =>
  tasks.flatMap((task) =>
    task.dataset === undefined || task.backbone === undefined
      ? []
      : [{ network: task.backbone, dataset: task.dataset, task }],
  );

/** Data sets of a study of networks, each once. */
export const datasetsOf = (record: Pick<RunRecord, 'tasks'>): string[] => [
  ...new Set(placesOf(record).map((p) => p.dataset)),
];

/** The method's cell where it counts: finished, scored, not suspect, and it learned something. */
export function counted(task: TaskRecord, method: string): ScoredCell | undefined {
  const cell = scoredCells(task).find((c) => c.method === method);
  return cell && cell.suspect === undefined && !cell.failedToTrain ? cell : undefined;
}

/** One network in one setting, over data sets. */
export interface NetworkMean {
  readonly network: NetworkRecord;
  /** In the order of the setting's data sets. */
  readonly scores: readonly { readonly dataset: string; readonly score: number; readonly logit: number }[];
  /** Mean logit, and the accuracy that has it. */
  readonly mean: number;
  readonly accuracy: number;
  /** The mean less that of all networks of the setting, with Morey's standard error and 95 % interval. */
  readonly adjusted: number;
  readonly standardError: number | undefined;
  readonly interval: Interval | undefined;
}

/** How transfer goes with accuracy on the source, over networks that were pretrained on the same. */
export interface SourceTrend {
  readonly source: string;
  readonly points: readonly { readonly network: string; readonly x: number; readonly y: number }[];
  /** Pearson's and Spearman's, of logits; undefined below three networks. */
  readonly r: number | undefined;
  readonly rho: number | undefined;
  /** Fisher's 95 % interval of r over networks. */
  readonly interval: Interval | undefined;
  /** Least squares with its bootstrap band over networks. */
  readonly line: readonly { readonly x: number; readonly y: number; readonly low: number; readonly high: number }[];
}

/** A method as it is compared over networks. */
export interface Setting {
  readonly method: string;
  /** Data sets on which all its networks have a score. */
  readonly datasets: readonly string[];
  readonly networks: readonly NetworkMean[];
  /** Networks with some scores but not all: left out of the means. */
  readonly incomplete: readonly string[];
  /** Scores of 0 or 1, whose logit is that of half an example less or more. */
  readonly clamped: readonly string[];
  /** Mean transfer against accuracy on the source. */
  readonly trends: readonly SourceTrend[];
}

/** Every setting of a run that compares networks, in the order of its methods. */
export function transferSettings(record: NetworkRun): Setting[] {
  const known = record.networks ?? [];
  const places = placesOf(record);
  return record.methods.flatMap(({ id: method }): Setting[] => {
    const cells = places.flatMap((place) => {
      const cell = counted(place.task, method);
      return cell ? [{ ...place, cell }] : [];
    });
    const datasets = datasetsOf(record).filter((d) => cells.some((c) => c.dataset === d));
    if (datasets.length === 0) return [];
    const rows = known.map((network) => ({ network, own: cells.filter((c) => c.network === network.name) }));
    const whole = rows.filter(({ own }) => own.length === datasets.length);
    const clamped: string[] = [];
    const scored = whole.map(({ network, own }) => ({
      network,
      scores: datasets.map((dataset) => {
        const { cell, task } = own.find((c) => c.dataset === dataset) as (typeof own)[number];
        const { value, clamped: isClamped } = logitAccuracy(cell.score, task.examples.test);
        if (isClamped) clamped.push(task.task);
        return { dataset, score: cell.score, logit: value };
      }),
    }));
    const means = adjustedMeans(scored.map(({ scores }) => scores.map((s) => s.logit)));
    const networks = scored.map((row, i): NetworkMean => {
      const own = means[i] as (typeof means)[number];
      return { ...row, ...own, accuracy: inverseLogit(own.mean) };
    });
    const incomplete = rows
      .filter(({ own }) => own.length > 0 && own.length < datasets.length)
      .map(({ network }) => network.name);
    const trends = trendsOf(networks.map((n) => ({ network: n.network, y: n.mean })));
    return [{ method, datasets, networks, incomplete, clamped, trends }];
  });
}

/** The same on one data set, with every network that has a score there. */
export function datasetTrends(record: NetworkRun, method: string, dataset: string): SourceTrend[] {
  const places = placesOf(record).filter((p) => p.dataset === dataset);
  return trendsOf(
    (record.networks ?? []).flatMap((network) => {
      const task = places.find((p) => p.network === network.name)?.task;
      const cell = task && counted(task, method);
      return cell ? [{ network, y: logitAccuracy(cell.score, task.examples.test).value }] : [];
    }),
  );
}

/** What networks were pretrained on where nobody says it. */
const unnamed = 'their source';

function trendsOf(all: readonly { readonly network: NetworkRecord; readonly y: number }[]): SourceTrend[] {
  const known = all.flatMap(({ network: { name, sourceAccuracy, source = unnamed }, y }) =>
    sourceAccuracy === undefined ? [] : [{ source, network: name, x: logit(sourceAccuracy), y }],
  );
  const sources = [...new Set(known.map((p) => p.source))];
  return sources.map((source) => {
    const points = known.filter((p) => p.source === source).map(({ source: _, ...point }) => point);
    const [xs, ys] = [points.map((p) => p.x), points.map((p) => p.y)];
    const n = points.length;
    const r = n < 3 ? Number.NaN : pearson(xs, ys);
    const [from, to] = [Math.min(...xs), Math.max(...xs)];
    const along = Array.from({ length: 11 }, (_, i) => from + ((to - from) * i) / 10);
    return {
      source,
      points,
      r: Number.isNaN(r) ? undefined : r,
      rho: Number.isNaN(r) ? undefined : spearman(xs, ys),
      interval: Number.isNaN(r) || n < fewestForInterval ? undefined : fisherInterval(r, n),
      line: Number.isNaN(r) || n < fewestForBand ? [] : lineWithBand(xs, ys, along),
    };
  });
}

/** Two settings beside each other on one data set, or over all. */
export interface SettingPair {
  /** Undefined: over all data sets, every network counting once. */
  readonly dataset: string | undefined;
  readonly method: string;
  /** The simpler of the two. */
  readonly reference: string;
  readonly networks: number;
  /** Cells (networks on data sets) in which either has the higher score. */
  readonly cells: number;
  readonly wins: number;
  readonly losses: number;
  /** Of these, by the intervals of the record's answer. */
  readonly proven: number;
  readonly disproven: number;
  /** Mean difference of scores. */
  readonly difference: number;
  /** Wilcoxon's, over networks, of differences of logits; undefined where there are too few to reach 5 %. */
  readonly p: number | undefined;
}

/** Every pair of settings: on each data set, then over all. */
export function settingPairs(record: NetworkRun & Pick<RunRecord, 'answer'>): SettingPair[] {
  const places = placesOf(record);
  const order = bySimplicity(record.methods);
  const ids = record.methods
    .filter((m) => m.role === 'candidate')
    .map((m) => m.id)
    .sort(order);
  const pairs = ids.flatMap((reference, i) => ids.slice(i + 1).map((method) => ({ method, reference })));
  return pairs.flatMap(({ method, reference }) => {
    const found = places.flatMap(({ task, network, dataset }) => {
      const [a, b] = [counted(task, method), counted(task, reference)];
      if (!a || !b) return [];
      const verdict = compared(record.answer.comparisons, { task: task.task, method, reference })?.verdict;
      const value = (cell: ScoredCell) => logitAccuracy(cell.score, task.examples.test).value;
      return [{ network, dataset, verdict, difference: a.score - b.score, logits: value(a) - value(b) }];
    });
    const summary = (dataset: string | undefined): SettingPair[] => {
      const own = found.filter((f) => dataset === undefined || f.dataset === dataset);
      if (own.length === 0) return [];
      const names = [...new Set(own.map((f) => f.network))];
      const each = names.map((name) => mean(own.filter((f) => f.network === name).map((f) => f.logits)));
      const count = (is: (f: (typeof own)[number]) => boolean) => own.filter(is).length;
      return [
        {
          dataset,
          method,
          reference,
          networks: names.length,
          cells: own.length,
          wins: count((f) => f.difference > 0),
          losses: count((f) => f.difference < 0),
          proven: count((f) => f.verdict === 'better'),
          disproven: count((f) => f.verdict === 'worse'),
          difference: mean(own.map((f) => f.difference)),
          p: names.length < fewestForRanks ? undefined : signedRanks(each).p,
        },
      ];
    };
    return [...datasetsOf(record).flatMap(summary), ...summary(undefined)];
  });
}

/** Two networks in one setting on one data set. */
export interface NetworkPair extends Omit<Comparison, 'task' | 'method' | 'reference' | 'perClass'> {
  readonly setting: string;
  readonly dataset: string;
  readonly network: string;
  readonly other: string;
  /** McNemar's exact p of the first run of each: how runs vary is not in it. */
  readonly mcnemar: number | undefined;
}

/**
 * Every two networks on the same test examples, by the statistic that compares methods. Corrected intervals hold together
 * over all pairs of a setting.
 */
export function networkPairs(record: NetworkRun): NetworkPair[] {
  const places = placesOf(record);
  return record.methods.flatMap((card) => {
    const cards = (record.networks ?? []).map(
      ({ name }, i): MethodCard => ({ ...plainCard(name, i), reads: card.reads, role: 'candidate' }),
    );
    const tasks = datasetsOf(record).flatMap((dataset) => pooled(places, card.id, dataset));
    const comparisons = compareAll({ methods: cards, tasks, margin: record.margin });
    return comparisons.map(({ task: dataset, method, reference, perClass: _, ...rest }): NetworkPair => {
      const own = tasks.find((t) => t.task === dataset);
      const rows = [method, reference].map((id) => own?.predictions?.find((p) => p.method === id)?.predicted);
      return {
        ...rest,
        setting: card.id,
        dataset,
        network: method,
        other: reference,
        mcnemar: exactP(own?.testLabels, rows[0], rows[1]),
      };
    });
  });
}

/** The networks of a setting on a data set as methods of one task. */
function pooled(places: readonly Place[], method: string, dataset: string): TaskRecord[] {
  const own = places.filter((p) => p.dataset === dataset && counted(p.task, method));
  const [first] = own;
  if (!first) return [];
  const { curve: _, convergence: __, ...task } = first.task;
  return [
    {
      ...task,
      task: dataset,
      cells: own.map((p) => ({ ...(counted(p.task, method) as ScoredCell), method: p.network })),
      predictions: own.flatMap((p) =>
        (p.task.predictions ?? []).filter((row) => row.method === method).map((row) => ({ ...row, method: p.network })),
      ),
    },
  ];
}

function exactP(
  labels: readonly number[] | undefined,
  first: readonly number[] | undefined,
  second: readonly number[] | undefined,
): number | undefined {
  if (!labels || !first || !second) return undefined;
  const only = (a: readonly number[], b: readonly number[]) =>
    labels.filter((label, i) => a[i] === label && b[i] !== label).length;
  return mcnemar(only(first, second), only(second, first));
}
