/** What an answer says below its headline: costs, what brackets are, and which cells are missing or not what they seem. */
import type { MethodCard } from './cards.js';
import { type Cell, type DoneCell, done, scoredCells } from './cell-schema.js';
import type { MeasuredRun } from './comparisons.js';
import { capital, list, share } from './format.js';
import type { Comparison } from './schema.js';

/** How methods are called in sentences. */
export interface MethodWords {
  card(method: string): MethodCard | undefined;
  label(method: string): string;
  plain(method: string): string;
  /** "1 point". */
  readonly marginText: string;
}

/**
 * The sentences below the headline.
 * @param advised ids of the methods that are advised on some task
 */
export function deck(
  run: MeasuredRun,
  words: MethodWords,
  comparisons: readonly Comparison[],
  advised: ReadonlySet<string | undefined>,
): string[] {
  const lines = run.methods
    .filter(({ id, reads }) => advised.has(id) && reads !== 'images')
    .flatMap(({ id }) => costAgainstFineTuning(run, words, id));
  const kinds = new Set(run.tasks.map((task) => task.target.kind));
  if (kinds.has('regression'))
    lines.push(
      `Scores of real values are R², the share of their variance that is predicted, in percent${kinds.size > 1 ? '' : '; errors in their own unit are in the table of cells'}.`,
    );
  if (kinds.has('multilabel'))
    lines.push('Scores of several labels are mean average precision over the labels, in percent.');
  if (run.tasks.some((task) => scoredCells(task).length > 0)) lines.push(...brackets(run, words, comparisons));
  return lines;
}

/** What an advised method costs beside training the network; nothing where either was not measured. */
function costAgainstFineTuning(run: MeasuredRun, words: MethodWords, method: string): string[] {
  const shares = (what: 'trainMacs' | 'storedBytes') =>
    run.tasks.flatMap((task) => {
      const [ours, theirs] = [done(task, method)?.cost?.[what], done(task, 'finetune')?.cost?.[what]];
      return ours === undefined || !theirs ? [] : [ours / theirs];
    });
  const [macs, bytes] = [shares('trainMacs'), shares('storedBytes')];
  if (macs.length === 0 || bytes.length === 0) return [];
  const pairs = run.tasks.flatMap((task) => {
    const [ours, theirs] = [done(task, method), done(task, 'finetune')];
    return ours && theirs ? [{ ours, theirs }] : [];
  });
  const inputs = new Set(
    pairs.flatMap(({ ours, theirs }) =>
      ours.input !== undefined && theirs.input !== undefined && ours.input !== theirs.input
        ? [`${ours.input} and ${theirs.input} pixels`]
        : [],
    ),
  );
  const unequal = inputs.size > 0 ? `, on images of ${list([...inputs])}` : '';
  const over = macs.length > 1 ? ` (medians over ${macs.length} tasks)` : '';
  return [
    `${words.label(method)} takes ${share(median(macs))} of ${words.plain('finetune')}’s multiply-adds to train and ${share(median(bytes))} of its bytes to keep per task${unequal}${over}.`,
  ];
}

/** What the brackets of this run's sentences are, and what counts as a difference. */
function brackets(run: MeasuredRun, words: MethodWords, comparisons: readonly Comparison[]): string[] {
  const grouped = run.tasks.some((t) => t.testGroups);
  const cells = run.tasks.flatMap((t) => scoredCells(t));
  const seeded = cells.some((c) => (c.seeds?.length ?? 1) > 1);
  const over = `test examples${grouped ? ' by group' : ''}${seeded ? ' and seeds' : ''}`;
  const tests = comparisons.filter((c) => c.corrected !== undefined).length;
  const together = tests > 1 ? ` that hold together over all ${tests} comparisons of this run` : '';
  const lines = [
    tests > 0
      ? `Brackets are 95 % intervals over ${over}${together}; differences of ${words.marginText} or less do not matter.`
      : `Brackets are 95 % intervals over ${over}.`,
  ];
  if (comparisons.some((c) => c.basis === 'independent'))
    lines.push(
      'Where predictions were not kept, methods are compared by their two scores alone: those intervals are wider.',
    );
  const once = [...new Set(cells.filter((c) => (c.seeds?.length ?? 1) === 1).map((c) => c.method))].filter(
    (m) => words.card(m)?.reads === 'images',
  );
  if (once.length > 0 && comparisons.length > 0)
    lines.push(
      `${capital(list(once.map((m) => words.plain(m))))} ran with one seed: intervals of differences assume that a run varies as much as ${seeded ? 'those of the other methods, and at least as much as ' : ''}the drawing of 200 test examples.`,
    );
  return lines;
}

/** Cells that are not what they seem or have no score, by what is wrong and why. */
export function missingCells(run: MeasuredRun, words: MethodWords): string[] {
  const cells = run.tasks.flatMap((task) =>
    [...(task.curve ?? []), task].flatMap(({ cells, perClass }) =>
      cells.map((cell) => ({
        cell,
        name: `${words.label(cell.method)} on ${task.task}${perClass === undefined ? '' : ` at ${perClass} per class`}`,
      })),
    ),
  );
  /** @param reason of a cell that belongs to the group: a text, maybe empty */
  const group = (what: string, reason: (cell: Cell) => string | undefined): string[] => {
    const byReason = new Map<string, string[]>();
    for (const { cell, name } of cells) {
      const why = reason(cell);
      if (why !== undefined) byReason.set(why, [...(byReason.get(why) ?? []), name]);
    }
    const parts = [...byReason].map(([why, names]) => `${list(names)}${why ? ` (${why})` : ''}`);
    return parts.length > 0 ? [`${what}: ${parts.join('; ')}.`] : [];
  };
  const done = (reason: (cell: DoneCell) => string | undefined) => (cell: Cell) =>
    cell.status === 'done' ? reason(cell) : undefined;
  const status = (wanted: 'failed' | 'not run') => (cell: Cell) =>
    cell.status === wanted ? (cell.error ?? '') : undefined;
  const valued = run.tasks.some((task) => task.target.kind !== 'class');
  const guess = `naming the commonest class${valued ? ', or the means of values or labels' : ''}`;
  return [
    ...group(
      'Wrong by our own fault (shown, not compared)',
      done((c) => c.suspect),
    ),
    ...group(
      'Not converged (shown and compared as they are)',
      done((c) => (c.converged ? undefined : '')),
    ),
    ...group(
      `Failed to train (on validation examples no better than ${guess}; shown, not compared)`,
      done((c) => (c.failedToTrain ? '' : undefined)),
    ),
    ...group('Failed', status('failed')),
    ...group('Not run', status('not run')),
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
