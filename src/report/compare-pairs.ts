/** Runs compared example by example, where they were tested on the same ones. */
import {
  type Comparison,
  classesOf,
  compareAll,
  list,
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
    const examples = examplesOf(cell);
    if (examples === undefined) continue;
    const full = JSON.stringify([cell.task.task, cell.what, examples]);
    groups.set(full, [...(groups.get(full) ?? []), cell]);
  }
  return [...groups.values()];
}

/** What tells test examples apart. */
interface TestExamples {
  readonly metric: string;
  /** Fingerprint of their images. */
  readonly images: string;
  /** What is true of them: classes by name, or a fingerprint of values with the names of these; and which belong together. */
  readonly truth: string;
}

/** Undefined where a record does not say what it was tested on. */
function examplesOf({ record, task }: ChosenCell): TestExamples | undefined {
  const { dataset = task.task, target, testLabels, testGroups = [] } = task;
  const printOf = (what: string) =>
    [`${dataset}: ${what}`, what]
      .map((name) => record.run.fingerprints.find((print) => print.name === name)?.sha256)
      .find((print) => print !== undefined);
  const images = printOf('test images');
  const named = (c: number) => classesOf(target)[c] ?? c;
  const truth = target.kind === 'class' ? testLabels?.map(named) : printOf('test labels');
  if (images === undefined || truth === undefined) return undefined;
  const outputs = target.kind === 'class' ? [] : target.outputs;
  return { metric: target.metric, images, truth: JSON.stringify([truth, outputs, testGroups]) };
}

/** Why runs that share a task are not all compared on it example by example; one sentence for all tasks of one reason. */
export function unpaired(cells: readonly ChosenCell[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const task of new Set(cells.map((cell) => cell.task.task))) {
    const reason = whyUnpaired(cells.filter((cell) => cell.task.task === task && cell.what === 'highest'));
    if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), task]);
  }
  return [...reasons].map(
    ([reason, tasks]) => `On ${list(tasks)} ${reason}; such runs stand side by side by their intervals alone.`,
  );
}

function whyUnpaired(cells: readonly ChosenCell[]): string | undefined {
  const known = cells.flatMap((cell) => {
    const examples = predictionsOf(cell.task, cell.cell.method).length > 0 ? examplesOf(cell) : undefined;
    return examples ? [{ run: cell.run, ...examples }] : [];
  });
  const named = (runs: readonly { readonly run: string }[]) => list(runs.map(({ run }) => run));
  const differ = (part: keyof TestExamples) => new Set(known.map((own) => own[part])).size > 1;
  const silent = cells.filter(({ run }) => !known.some((own) => own.run === run));
  if (silent.length > 0) {
    const whose = silent.length === 1 ? 'the record' : 'the records';
    return `${whose} of ${named(silent)} ${silent.length === 1 ? 'does' : 'do'} not tell test examples apart`;
  }
  if (differ('images')) return `${named(known)} were not all tested on the same images`;
  if (differ('truth')) return `${named(known)} were tested on the same images, but with other labels or groups`;
  return differ('metric') ? `${named(known)} are scored by different metrics` : undefined;
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
