/**
 * The one answer of a run: headline, advice per task, and the sentences behind them. The page, the tables and the terminal
 * print it and decide nothing themselves.
 *
 * Advised is the candidate of which it is proven that every simpler one is worse and no other one better by more than the
 * margin: not a method that merely could not be shown to lose. Where there is none, the task is undecided, and the answer says between which and what
 * would decide it. "Proven" is by intervals that hold together over the whole run (comparisons.ts). Simpler methods are
 * named first. A method that was not tuned as the others were is never said to lose.
 */
import type { MethodCard } from './cards.js';
import {
  bySimplicity,
  compareAll,
  compared,
  type MeasuredRun,
  type Measurement,
  measurementsOf,
  rangeOf,
} from './comparisons.js';
import { integer, list, percent, percentInterval, points, pointsInterval, share } from './format.js';
import {
  type Answer,
  type Cell,
  type Comparison,
  type DoneCell,
  done,
  type ScoredCell,
  scoredCells,
  type TaskAnswer,
} from './schema.js';

/** Compares, decides and words. A pure function of what was measured. */
export function answerOf(run: MeasuredRun): Answer {
  const comparisons = compareAll(run);
  const words = new Words(run, comparisons);
  const measurements = measurementsOf(run);
  const tasks = measurements.map((m) => words.task(m));
  return {
    headline: words.headline(measurements, tasks),
    deck: deck(run, words, comparisons, tasks),
    tasks,
    missing: [...missingCells(run, words), ...words.handicaps(measurements)],
    comparisons,
  };
}

/** The answer at all labels of a task: what its row in the advice table says. */
export function mainAnswer(
  answer: { readonly tasks: readonly TaskAnswer[] },
  task: { task: string; perClass?: number | undefined },
): TaskAnswer | undefined {
  return answer.tasks.find((t) => t.task === task.task && t.perClass === task.perClass);
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
const uncapital = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

/** "+0.5 points [−0.3, +1.4]". */
const lead = (c: Comparison): string => `${points(c.difference)} points ${pointsInterval(rangeOf(c))}`;

/** "3.1 points", of the end of an interval that is nearer to zero. */
const atLeast = (c: Comparison): string => `${percent(rangeOf(c)[0])} points`;

/** Learning rates below which a trained method does not count as tuned. */
const ratesOfTuned = 3;

/** Decisions about methods, in sentences that use their plain names. */
class Words {
  readonly methods: readonly MethodCard[];
  readonly margin: number;

  constructor(
    run: MeasuredRun,
    readonly comparisons: readonly Comparison[],
  ) {
    this.methods = run.methods;
    this.margin = run.margin;
  }

  card(id: string): MethodCard | undefined {
    return this.methods.find((m) => m.id === id);
  }
  plain(id: string): string {
    return this.card(id)?.plain ?? id;
  }
  label(id: string): string {
    return this.card(id)?.label ?? id;
  }
  /** "1 point", "0.5 points". */
  get marginText(): string {
    const value = Number((100 * this.margin).toPrecision(3));
    return `${value} ${value === 1 ? 'point' : 'points'}`;
  }

  against({ task, perClass }: Measurement, method: string, reference: string): Comparison | undefined {
    return compared(this.comparisons, { task, perClass, method, reference });
  }

  /** Decides on one task and says why. */
  task(measurement: Measurement): TaskAnswer {
    const { task, perClass } = measurement;
    const where = { task, ...(perClass === undefined ? {} : { perClass }) };
    const candidates = this.candidates(measurement);
    if (candidates.length < 2)
      return {
        ...where,
        decided: false,
        advice: 'nothing to compare',
        sentence: this.alone(measurement, candidates[0]),
      };
    // Of equal scores the simpler method leads.
    const best = candidates.reduce((a, b) => (b.score > a.score ? b : a)).method;
    const proven = this.simplestOf(candidates.filter((c) => this.suffices(measurement, candidates, c)));
    if (proven)
      return {
        ...where,
        method: proven,
        best,
        decided: true,
        advice: this.advice(proven),
        sentence: this.because(measurement, candidates, proven),
      };
    const open = candidates.filter(({ method: m }) => !candidates.some((c) => this.beats(measurement, c.method, m)));
    const method = this.simplestOf(open) ?? best;
    const rivals = open.map((c) => c.method).filter((m) => m !== method);
    if (rivals.length === 0)
      return {
        ...where,
        method,
        best,
        decided: false,
        advice: this.advice(method),
        sentence: `Nothing that was tuned alike stands beside ${this.plain(method)}.${this.handicapNote(
          measurement,
          candidates.map((c) => c.method),
        )}`,
      };
    const more = this.wouldDecide(measurement, method, rivals);
    return {
      ...where,
      method,
      best,
      decided: false,
      ...(more === undefined ? {} : { moreTestExamples: more }),
      advice: this.advice(method),
      sentence: this.undecidedBetween(measurement, method, rivals, more),
    };
  }

  /** Of the finished cells those that may be advised, simplest first. */
  private candidates(measurement: Measurement): readonly ScoredCell[] {
    return measurement.cells.filter((c) => this.card(c.method)?.role === 'candidate');
  }

  private beats(measurement: Measurement, method: string, reference: string): boolean {
    return this.against(measurement, method, reference)?.verdict === 'better';
  }

  /** Is it proven that every simpler candidate is worse, and no other one better by more than the margin? */
  private suffices(measurement: Measurement, candidates: readonly ScoredCell[], cell: ScoredCell): boolean {
    const rivals = this.rivalsOf(measurement, candidates, cell);
    return (
      rivals.length > 0 &&
      rivals.every((c) => {
        const other = this.against(measurement, c.method, cell.method);
        const simpler = this.simplicity(c.method) < this.simplicity(cell.method);
        return other !== undefined && (simpler ? other.verdict === 'worse' : rangeOf(other)[1] <= this.margin);
      })
    );
  }

  /** The candidates that one is held against: a lower score of a method that was not tuned as it was says nothing. */
  private rivalsOf(measurement: Measurement, candidates: readonly ScoredCell[], cell: ScoredCell): ScoredCell[] {
    return candidates.filter(
      (c) => c !== cell && (c.score > cell.score || this.handicapOf(measurement, c.method) === undefined),
    );
  }

  /** The simplest; of equally simple ones that with the highest score. */
  private simplestOf(cells: readonly ScoredCell[]): string | undefined {
    const rank = Math.min(...cells.map((c) => this.simplicity(c.method)));
    const simplest = cells.filter((c) => this.simplicity(c.method) === rank);
    return simplest.length > 0 ? simplest.reduce((a, b) => (b.score > a.score ? b : a)).method : undefined;
  }

  private advice(method: string): string {
    return this.card(method)?.advice ?? `use ${method}`;
  }

  private simplicity(method: string): number {
    return this.card(method)?.simplicity ?? Number.POSITIVE_INFINITY;
  }

  /** Why there is no advice. */
  private alone({ cells, unscored }: Measurement, only: ScoredCell | undefined): string {
    if (only)
      return `Only ${this.plain(only.method)} finished (${percent(only.score)} % ${percentInterval(only.interval)}): there is nothing to compare it with.`;
    if (cells.length > 0) return 'Only baselines finished: no method that could be advised.';
    if (unscored > 0)
      return 'There are no test labels: validation scores chose the settings and cannot compare methods.';
    return 'Nothing finished.';
  }

  /** Why the advised method is proven to be good enough. */
  private because(measurement: Measurement, candidates: readonly ScoredCell[], method: string): string {
    const cell = candidates.find((c) => c.method === method) as ScoredCell;
    const rivals = this.rivalsOf(measurement, candidates, cell);
    const best = [cell, ...rivals].reduce((a, b) => (b.score > a.score ? b : a)).method;
    const others = rivals.map((c) => c.method);
    const left = candidates.filter((c) => c !== cell && !rivals.includes(c)).map((c) => c.method);
    const over = (m: string) => this.against(measurement, method, m) as Comparison;
    const nearest = others.reduce((a, b) => (rangeOf(over(b))[0] < rangeOf(over(a))[0] ? b : a));
    const scope = left.length > 0 ? 'Of the methods that were tuned alike, ' : '';
    const name = scope ? this.plain(method) : capital(this.plain(method));
    const note = this.handicapNote(measurement, left);
    if (method !== best) {
      const behind = this.against(measurement, best, method) as Comparison;
      return `${scope}${name} is simpler than ${this.plain(best)}, which is at most ${percent(rangeOf(behind)[1])} points better (${lead(behind)}).${note}`;
    }
    if (!others.every((m) => this.beats(measurement, method, m)))
      return `${scope}${name} scores highest, and none is more than ${this.marginText} better (nearest: ${this.plain(nearest)}, ${lead(over(nearest))}).${note}`;
    const by = `by at least ${atLeast(over(nearest))} (${lead(over(nearest))})`;
    return others.length === 1
      ? `${scope}${name} is better than ${this.plain(nearest)} ${by}.${note}`
      : `${scope}${name} is better than every other: than ${this.plain(nearest)}, the nearest, ${by}.${note}`;
  }

  private undecidedBetween(
    measurement: Measurement,
    method: string,
    rivals: readonly string[],
    more: number | undefined,
  ): string {
    const far = (m: string) => rangeOf(this.against(measurement, m, method) as Comparison)[1];
    const farthest = rivals.reduce((a, b) => (far(b) > far(a) ? b : a));
    const names = list([method, ...rivals].map((m) => this.plain(m)));
    const would =
      more === undefined
        ? 'more seeds, not more test images, would decide'
        : `about ${integer(more)} more test images${measurement.groups ? ', of new groups,' : ''} would decide`;
    return `Undecided between ${names}: ${this.plain(farthest)} may be up to ${percent(far(farthest))} points better than ${this.plain(method)}, the simplest of them (${lead(this.against(measurement, farthest, method) as Comparison)}); ${would}.${this.handicapNote(measurement, rivals)}`;
  }

  /** The number of test examples with which the simplest that may be right would be told from every rival. */
  private wouldDecide(measurement: Measurement, method: string, rivals: readonly string[]): number | undefined {
    const needed = rivals.flatMap((m) => {
      const c = this.against(measurement, m, method);
      return c?.verdict === 'undecided' ? [c.moreTestExamples] : [];
    });
    return needed.some((n) => n === undefined) ? undefined : Math.max(0, ...needed.map((n) => n ?? 0));
  }

  /** Why a trained method is not to be held to its score: it was not tuned as the others were. */
  private handicapOf(measurement: Measurement, method: string): string | undefined {
    const cell = measurement.cells.find((c) => c.method === method);
    if (!cell || this.card(method)?.reads !== 'images') return undefined;
    const widest = Math.max(...measurement.cells.map((c) => c.input ?? 0));
    const scratch = measurement.cells.find((c) => c.method === 'scratch');
    const reasons = [
      cell.triedRates !== undefined && cell.triedRates < ratesOfTuned
        ? `${cell.triedRates} learning ${cell.triedRates === 1 ? 'rate' : 'rates'} tried`
        : '',
      cell.input !== undefined && cell.input < widest ? `images of ${cell.input} against ${widest} pixels` : '',
      method !== 'scratch' && scratch && this.beats(measurement, 'scratch', method)
        ? `below ${this.plain('scratch')} on the same network`
        : '',
    ].filter(Boolean);
    return reasons.length > 0 ? reasons.join(', ') : undefined;
  }

  private handicapNote(measurement: Measurement, methods: readonly string[]): string {
    const found = methods.flatMap((m) => {
      const why = this.handicapOf(measurement, m);
      return why === undefined ? [] : [`${this.plain(m)} (${why})`];
    });
    return found.length > 0 ? ` Not held to ${found.length > 1 ? 'their scores' : 'its score'}: ${list(found)}.` : '';
  }

  /** Methods that were not tuned as the others were, over all tasks. */
  handicaps(measurements: readonly Measurement[]): string[] {
    const byReason = new Map<string, string[]>();
    for (const measurement of measurements) {
      for (const { method } of measurement.cells) {
        const why = this.handicapOf(measurement, method);
        if (why === undefined) continue;
        const name = `${this.label(method)} on ${measurement.task}`;
        byReason.set(why, [...(byReason.get(why) ?? []), name]);
      }
    }
    return [...byReason].map(
      ([why, names]) =>
        `Not tuned as the others (shown; a lower score is not counted against it): ${list(names)} (${why}).`,
    );
  }

  /** One sentence over all tasks, at all the labels that they have. */
  headline(measurements: readonly Measurement[], answers: readonly TaskAnswer[]): string {
    // Of each task the last measurement has the most labels.
    const main = [
      ...new Map(
        measurements.map((measurement, i) => [measurement.task, { measurement, answer: answers[i] as TaskAnswer }]),
      ).values(),
    ];
    const [first] = main as [(typeof main)[number]];
    if (main.length === 1) {
      const { task, decided, advice, sentence } = first.answer;
      return decided ? `On ${task}, ${advice}. ${sentence}` : `On ${task}, ${uncapital(sentence)}`;
    }
    const compared = main.filter(({ answer }) => answer.method !== undefined);
    if (compared.length === 0) return this.nothing(main.map((m) => m.measurement));
    const decided = compared.filter(({ answer }) => answer.decided);
    const ids = [...new Set(decided.map(({ answer }) => answer.method as string))].sort(bySimplicity(this.methods));
    const groups = ids.map((id) => decided.filter(({ answer }) => answer.method === id));
    const on = (tasks: readonly { answer: TaskAnswer }[], i: number) =>
      `on ${tasks.length}${i === 0 ? ` of ${main.length} tasks` : ''} (${list(tasks.map(({ answer }) => answer.task))})`;
    const clauses = groups.map((mine, i) => {
      const id = ids[i] as string;
      return `${on(mine, i)} ${this.advice(id)}: ${this.gain(
        mine.map((d) => d.measurement),
        id,
      )}`;
    });
    const open = compared.filter(({ answer }) => !answer.decided);
    if (open.length > 0) clauses.push(`${on(open, clauses.length)} the data cannot decide`);
    return `${capital(clauses.join('; '))}.`;
  }

  /** What an advised method is proven to gain over the simplest, where that is most; else what no other gains over it. */
  private gain(measurements: readonly Measurement[], method: string): string {
    const gains = measurements.flatMap((measurement) => {
      const simplest = this.candidates(measurement)[0]?.method;
      const gain = simplest && simplest !== method ? this.against(measurement, method, simplest) : undefined;
      return gain?.verdict === 'better' ? [gain] : [];
    });
    if (gains.length === 0) return `none is more than ${this.marginText} better`;
    const top = gains.reduce((a, b) => (rangeOf(b)[0] > rangeOf(a)[0] ? b : a));
    return `at least ${atLeast(top)} over ${this.plain(top.reference)}${measurements.length > 1 ? ` on ${top.task}` : ''}`;
  }

  /** No task has two candidates that finished. */
  private nothing(measurements: readonly Measurement[]): string {
    const finished = measurements.filter((m) => m.cells.length + m.unscored > 0);
    if (finished.length === 0) return 'Nothing finished on any task: the reasons are below.';
    if (finished.every((m) => m.cells.length === 0))
      return 'There are no test labels: validation scores chose the settings and cannot compare methods.';
    return 'On no task did two methods finish that could be advised, so there is nothing to compare: see the cells below.';
  }
}

function deck(
  run: MeasuredRun,
  words: Words,
  comparisons: readonly Comparison[],
  answers: readonly TaskAnswer[],
): string[] {
  const advised = new Set(run.tasks.map((task) => mainAnswer({ tasks: answers }, task)?.method));
  const lines = run.methods
    .filter(({ id, reads }) => advised.has(id) && reads !== 'images')
    .flatMap(({ id }) => costAgainstFineTuning(run, words, id));
  if (run.tasks.some((task) => scoredCells(task).length > 0)) lines.push(...brackets(run, words, comparisons));
  return lines;
}

/** What an advised method costs beside training the network; nothing where either was not measured. */
function costAgainstFineTuning(run: MeasuredRun, words: Words, method: string): string[] {
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
function brackets(run: MeasuredRun, words: Words, comparisons: readonly Comparison[]): string[] {
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
  if (once.length > 0)
    lines.push(
      `${capital(list(once.map((m) => words.plain(m))))} ran with one seed: intervals of differences assume that a run varies as much as ${seeded ? 'those of the other methods, and at least as much as ' : ''}the drawing of 200 test examples.`,
    );
  return lines;
}

/** Cells that are not what they seem or have no score, by what is wrong and why. */
function missingCells(run: MeasuredRun, words: Words): string[] {
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
      'Failed to train (on validation examples no better than naming the commonest class; shown, not compared)',
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
