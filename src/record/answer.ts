/**
 * The one answer of a run: headline, advice per task, and the sentences behind them. The page, the tables and the terminal
 * print it and decide nothing themselves.
 *
 * Advised is the simplest candidate that no other candidate beats, and of equally simple ones that with the highest score;
 * "beats" means significant at 5 % after Holm's correction over every test of the run. Simpler methods are named first.
 */
import type { MethodCard } from './cards.js';
import {
  bySimplicity,
  compareAll,
  compared,
  type MeasuredRun,
  type Measurement,
  measurementsOf,
} from './comparisons.js';
import { list, percent, percentInterval, points, pointsInterval, pValue, share } from './format.js';
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
  const words = new Words(run.methods, comparisons);
  const measurements = measurementsOf(run);
  const tasks = measurements.map((m) => words.task(m));
  return {
    headline: words.headline(measurements, tasks),
    deck: deck(run, words, comparisons, tasks),
    tasks,
    missing: missingCells(run, words),
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

/** "4.1 points [1.8, 6.4]": the size of a difference whose direction the sentence has said. */
function by(c: Comparison): string {
  const [low, high] = c.difference < 0 ? [-c.interval[1], -c.interval[0]] : c.interval;
  return `${percent(Math.abs(c.difference))} points [${percent(low)}, ${percent(high)}]`;
}

/** ", p = 0.21"; nothing where the difference was not tested. */
const withP = ({ pHolm }: Comparison): string =>
  pHolm === undefined ? '' : `, p ${pValue(pHolm).replace(/^(?=\d)/, '= ')}`;

/** "+0.5 points [−0.3, +1.4], p = 0.21": a lead that is not reliable. */
const ahead = (c: Comparison): string => `${points(c.difference)} points ${pointsInterval(c.interval)}${withP(c)}`;

/** The same lead as seen from the other method: "0.5 points behind [−0.3, 1.4], p = 0.21". */
const behind = (c: Comparison): string =>
  `${percent(c.difference)} points behind ${percentInterval(c.interval)}${withP(c)}`;

/** Sentences about methods under their plain names. */
class Words {
  constructor(
    readonly methods: readonly MethodCard[],
    readonly comparisons: readonly Comparison[],
  ) {}

  card(id: string): MethodCard | undefined {
    return this.methods.find((m) => m.id === id);
  }
  plain(id: string): string {
    return this.card(id)?.plain ?? id;
  }
  label(id: string): string {
    return this.card(id)?.label ?? id;
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
        certain: false,
        advice: 'nothing to compare',
        sentence: this.alone(measurement, candidates[0]),
      };
    // Of equal scores the simpler method leads.
    const best = candidates.reduce((a, b) => (b.score > a.score ? b : a)).method;
    const unbeaten = candidates.filter(
      ({ method: m }) => !candidates.some((c) => this.beats(measurement, c.method, m)),
    );
    const rank = Math.min(...unbeaten.map((c) => this.simplicity(c.method)));
    const simplest = unbeaten.filter((c) => this.simplicity(c.method) === rank);
    const method = simplest.reduce((a, b) => (b.score > a.score ? b : a)).method;
    const rivals = candidates.map((c) => c.method).filter((m) => m !== best);
    const certain = method === best && rivals.every((m) => this.beats(measurement, best, m));
    return {
      ...where,
      method,
      best,
      certain,
      advice: this.advice(method),
      sentence: method === best ? this.leads(measurement, best, rivals) : this.suffices(measurement, method, best),
    };
  }

  /** Of the finished cells those that may be advised, simplest first. */
  private candidates(measurement: Measurement): readonly ScoredCell[] {
    return measurement.cells.filter((c) => this.card(c.method)?.role === 'candidate');
  }

  private beats(measurement: Measurement, method: string, reference: string): boolean {
    return this.against(measurement, method, reference)?.verdict === 'better';
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

  /** The advised method has the highest score. */
  private leads(measurement: Measurement, best: string, rivals: readonly string[]): string {
    const lead = (rival: string) => this.against(measurement, best, rival) as Comparison;
    const nearest = (methods: readonly string[]) =>
      methods.reduce((a, b) => (lead(b).difference < lead(a).difference ? b : a));
    // A simpler method that is not clearly behind is beaten by another one.
    const close = rivals.filter((m) => lead(m).verdict !== 'better' && this.simplicity(m) >= this.simplicity(best));
    if (close.length === 0) {
      const next = nearest(rivals);
      return `${capital(this.plain(best))}: ${by(lead(next))} ahead of ${this.plain(next)}, the next best candidate.`;
    }
    const next = nearest(close);
    const are = close.length > 1 ? 'are' : 'is';
    const which = close.length > 1 ? `nearest: ${this.plain(next)}, ` : '';
    return `${capital(this.plain(best))} scores highest; ${list(close.map((m) => this.plain(m)))} ${are} not reliably worse, but ${are} not simpler (${which}${behind(lead(next))}).`;
  }

  /** A simpler method than that with the highest score is advised. */
  private suffices(measurement: Measurement, method: string, best: string): string {
    const lead = this.against(measurement, best, method) as Comparison;
    return `${capital(this.plain(best))} is not reliably better than ${this.plain(method)}, which is simpler (${ahead(lead)}).`;
  }

  /** One sentence over all tasks, at all the labels that they have. */
  headline(measurements: readonly Measurement[], answers: readonly TaskAnswer[]): string {
    // Of each task the last measurement has the most labels.
    const main = [
      ...new Map(
        measurements.map((measurement, i) => [measurement.task, { measurement, answer: answers[i] as TaskAnswer }]),
      ).values(),
    ];
    const decided = main.flatMap(({ measurement, answer }) =>
      answer.method === undefined ? [] : [{ measurement, method: answer.method, answer }],
    );
    const [first] = main as [(typeof main)[number]];
    if (main.length === 1) {
      const { task, method, advice, sentence } = first.answer;
      return method === undefined ? `On ${task}, ${uncapital(sentence)}` : `On ${task}, ${advice}. ${sentence}`;
    }
    if (decided.length === 0) return this.undecided(main.map((m) => m.measurement));
    const ids = [...new Set(decided.map((d) => d.method))].sort(bySimplicity(this.methods));
    const clauses = ids.map((id, i) => {
      const mine = decided.filter((d) => d.method === id);
      const on = `on ${mine.length}${i === 0 ? ` of ${main.length} tasks` : ''} (${list(mine.map((d) => d.answer.task))})`;
      return `${on} ${this.advice(id)}${this.gain(
        mine.map((d) => d.measurement),
        id,
      )}`;
    });
    return `${capital(clauses.join('; '))}.`;
  }

  /** What an advised method gains over the simplest, where it gains most. */
  private gain(measurements: readonly Measurement[], method: string): string {
    const gains = measurements.flatMap((measurement) => {
      const simplest = this.candidates(measurement)[0]?.method;
      const gain = simplest && simplest !== method ? this.against(measurement, method, simplest) : undefined;
      return gain && gain.difference > 0 ? [gain] : [];
    });
    if (gains.length === 0) return ', which no method reliably beats';
    const top = gains.reduce((a, b) => (b.difference > a.difference ? b : a));
    return `: ${by(top)} over ${this.plain(top.reference)}${measurements.length > 1 ? ` on ${top.task}` : ''}`;
  }

  /** No task has two candidates that finished. */
  private undecided(measurements: readonly Measurement[]): string {
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
  if (run.tasks.some((task) => scoredCells(task).length > 0)) lines.push(brackets(comparisons));
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
  const over = macs.length > 1 ? ` (medians over ${macs.length} tasks)` : '';
  return [
    `${words.label(method)} takes ${share(median(macs))} of ${words.plain('finetune')}’s multiply-adds to train and ${share(median(bytes))} of its bytes to keep per task${over}.`,
  ];
}

/** What the brackets of this run's sentences are, and when a difference counts. */
function brackets(comparisons: readonly Comparison[]): string {
  const what = 'Brackets are 95 % intervals over test examples';
  if (comparisons.length === 0) return `${what}.`;
  const shared = comparisons.every((c) => c.basis === 'paired') ? ', both methods on the same examples' : '';
  const tests = comparisons.filter((c) => c.p !== undefined).length;
  const corrected = tests > 1 ? ` after Holm’s correction over all ${tests} tests of this run` : '';
  const when =
    tests > 0 ? `p < .05${corrected}` : 'its interval excludes zero (no stored predictions, hence no paired test)';
  return `${what}${shared}; a difference is reliable when ${when}.`;
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
      'Failed to train (the loss never left its start; shown, not compared)',
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
