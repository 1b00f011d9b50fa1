/** Runs compared example by example, where they were tested on the same ones. */
import {
  type Comparison,
  classesOf,
  compareAll,
  type MethodCard,
  points,
  pointsInterval,
  type RunRecord,
  type TaskRecord,
} from '../record/index.js';
import { cardOf } from './lookup.js';
import type { DrawnCell } from './marks.js';
import type { Table } from './table.js';

/** A cell of a run, for comparison with those of other runs. */
export interface ChosenCell {
  readonly run: string;
  readonly record: RunRecord;
  readonly task: TaskRecord;
  readonly what: 'last layer' | 'highest';
  readonly cell: DrawnCell;
}

/** The difference of two runs on one task: of their last layers, or of their highest candidates. */
export interface RunPair {
  readonly task: string;
  readonly what: ChosenCell['what'];
  /** `first` minus `second`. */
  readonly first: string;
  readonly second: string;
  readonly methods: readonly [string, string];
  readonly comparison: Comparison;
}

/** Difference in score that does not matter, where runs name several: the smallest of them. */
const marginOf = (cells: readonly ChosenCell[]): number => Math.min(...cells.map(({ record }) => record.margin));

/**
 * Every two runs on every task whose test examples they share, by the statistics of comparisons within a run; corrected
 * intervals hold together over all of these pairs.
 */
export function pairsOf(cells: readonly ChosenCell[]): RunPair[] {
  const groups = groupsOf(cells.filter(({ task, cell }) => predictionsOf(task, cell.method).length > 0));
  const families = groups.filter((group) => group.length > 1);
  if (families.length === 0) return [];
  const cards = new Map<string, MethodCard>();
  const tasks = families.map((group, g) => {
    const [{ task }] = group as [ChosenCell, ...ChosenCell[]];
    const own = group.map(({ cell, record, task: from }, i) => {
      // One method of two runs is two methods here; equal simplicity keeps the runs' order.
      const id = `${g} ${i}`;
      cards.set(id, { ...cardOf(record, cell.method), id, role: 'candidate', simplicity: 0 });
      return {
        cell: { ...cell, method: id },
        rows: predictionsOf(from, cell.method).map((r) => ({ ...r, method: id })),
      };
    });
    const { perClass: _, curve: __, ...rest } = task;
    return { ...rest, task: String(g), cells: own.map((o) => o.cell), predictions: own.flatMap((o) => o.rows) };
  });
  const found = compareAll({ methods: [...cards.values()], tasks, margin: marginOf(cells) });
  return found.flatMap((comparison) => {
    const group = families[Number(comparison.task)];
    const at = (id: string) => group?.[Number(id.split(' ')[1])];
    const [first, second] = [at(comparison.method), at(comparison.reference)];
    if (!first || !second) return [];
    const methods = [labelOf(first), labelOf(second)] as const;
    return [{ task: first.task.task, what: first.what, first: first.run, second: second.run, methods, comparison }];
  });
}

const labelOf = ({ record, cell }: ChosenCell): string => cardOf(record, cell.method).label;

const predictionsOf = ({ predictions = [] }: TaskRecord, method: string) =>
  predictions.filter((row) => row.method === method);

/** Cells of one task and one kind that were measured on the same test examples. */
function groupsOf(cells: readonly ChosenCell[]): ChosenCell[][] {
  const groups = new Map<string, ChosenCell[]>();
  for (const cell of cells) {
    const key = examplesOf(cell);
    if (key === undefined) continue;
    const full = JSON.stringify([cell.task.task, cell.what, key]);
    groups.set(full, [...(groups.get(full) ?? []), cell]);
  }
  return [...groups.values()];
}

/** What tells test examples apart: the fingerprint of their images, their classes by name, and which belong together. */
function examplesOf({ record, task }: ChosenCell): string | undefined {
  const { testLabels, testGroups = [], target } = task;
  const images = [`${task.task}: test images`, 'test images']
    .map((name) => record.run.fingerprints.find((print) => print.name === name)?.sha256)
    .find((print) => print !== undefined);
  if (!testLabels || images === undefined) return undefined;
  const classes = classesOf(target);
  return JSON.stringify([images, target.metric, testLabels.map((c) => classes[c] ?? c), testGroups]);
}

/** The pairs as a table; `undefined` where no two runs share test examples. */
export function pairsTable(pairs: readonly RunPair[]): Table | undefined {
  if (pairs.length === 0) return undefined;
  const signed = (v: number) => points(v);
  return {
    id: 'differences',
    caption:
      'Differences in points on the same test examples, example by example; corrected intervals hold together over all rows',
    columns: [
      { title: 'task' },
      { title: 'which' },
      { title: 'run' },
      { title: 'method' },
      { title: 'less' },
      { title: 'its method' },
      { title: 'difference', format: signed },
      { title: '95 % interval' },
      { title: 'corrected' },
      { title: 'p, corrected', format: (p) => (p < 0.001 ? '< .001' : p.toFixed(3).replace(/^0/, '')) },
      { title: 'verdict' },
    ],
    rows: pairs.map(({ task, what, first, second, methods, comparison: c }) => [
      task,
      what,
      first,
      methods[0],
      second,
      methods[1],
      c.difference,
      pointsInterval(c.interval),
      c.corrected && pointsInterval(c.corrected),
      c.pCorrected,
      c.verdict,
    ]),
  };
}
