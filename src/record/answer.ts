/**
 * The one answer of a run: headline, advice per task, and the sentences behind them. The page, the tables and the terminal
 * print it and decide nothing themselves.
 *
 * Advised is the candidate of which it is proven that every simpler one is worse and no other one better by more than the
 * margin: not a method that merely could not be shown to lose. Where there is none, the task is undecided, and the answer says between which and what
 * would decide it. "Proven" is by intervals that hold together over the whole run (comparisons.ts). Simpler methods are
 * named first. A method that was not tuned as the others were is never said to lose.
 */
import { deck, missingCells } from './answer-deck.js';
import type { MethodCard } from './cards.js';
import type { ScoredCell } from './cell-schema.js';
import {
  bySimplicity,
  compareAll,
  compared,
  isOfValues,
  type MeasuredRun,
  type Measurement,
  measurementsOf,
  rangeOf,
} from './comparisons.js';
import { capital, integer, list, percent, percentInterval, points, pointsInterval } from './format.js';
import type { Answer, Comparison, TaskAnswer } from './schema.js';

/** Compares, decides and words. A pure function of what was measured. */
export function answerOf(run: MeasuredRun): Answer {
  const comparisons = compareAll(run);
  const words = new Words(run, comparisons);
  const measurements = measurementsOf(run);
  const tasks = measurements.map((m) => words.task(m));
  const advised = new Set(run.tasks.map((task) => mainAnswer({ tasks }, task)?.method));
  return {
    headline: words.headline(measurements, tasks),
    deck: deck(run, words, comparisons, advised),
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

const uncapital = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

/** "+0.5 points [−0.3, +1.4]". @param of the unit, where it is not accuracy: " of R²" */
const lead = (c: Comparison, of = ''): string => `${points(c.difference)} points${of} ${pointsInterval(rangeOf(c))}`;

/** "3.1 points", of the end of an interval that is nearer to zero. */
const atLeast = (c: Comparison, of: string): string => `${percent(rangeOf(c)[0])} points${of}`;

/** What points are of, where it is not accuracy. */
const unitOf = (metric: Measurement['metric'] | undefined): string => (isOfValues(metric) ? ` of ${metric}` : '');

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
  private alone(measurement: Measurement, only: ScoredCell | undefined): string {
    const { cells, unscored } = measurement;
    if (only) {
      const found = `${this.metricOf(measurement)}${percent(only.score)} % ${percentInterval(only.interval)}`;
      return this.methods.length === 1
        ? `${capital(this.plain(only.method))} scores ${found}; it ran alone.`
        : `Only ${this.plain(only.method)} finished (${found}): there is nothing to compare it with.`;
    }
    if (cells.length > 0) return 'Only baselines finished: no method that could be advised.';
    if (unscored > 0)
      return 'There are no test labels: validation scores chose the settings and cannot compare methods.';
    return 'Nothing finished.';
  }

  /** Why the advised method is proven to be good enough. */
  private because(measurement: Measurement, candidates: readonly ScoredCell[], method: string): string {
    const of = unitOf(measurement.metric);
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
      return `${scope}${name} is simpler than ${this.plain(best)}, which is at most ${percent(rangeOf(behind)[1])} points${of} better (${lead(behind, of)}).${note}`;
    }
    if (!others.every((m) => this.beats(measurement, method, m)))
      return `${scope}${name} scores highest, and none is more than ${this.marginText} better (nearest: ${this.plain(nearest)}, ${lead(over(nearest), of)}).${note}`;
    const by = `by at least ${atLeast(over(nearest), of)} (${lead(over(nearest), of)})`;
    return others.length === 1
      ? `${scope}${name} is better than ${this.plain(nearest)} ${by}.${note}`
      : `${scope}${name} is better than every other: than ${this.plain(nearest)}, the nearest, ${by}.${note}`;
  }

  /** "mean average precision of ", of other metrics than accuracy. */
  private metricOf({ metric }: Measurement): string {
    return isOfValues(metric) ? `${metric} of ` : '';
  }

  private undecidedBetween(
    measurement: Measurement,
    method: string,
    rivals: readonly string[],
    more: number | undefined,
  ): string {
    const of = unitOf(measurement.metric);
    const far = (m: string) => rangeOf(this.against(measurement, m, method) as Comparison)[1];
    const farthest = rivals.reduce((a, b) => (far(b) > far(a) ? b : a));
    const names = list([method, ...rivals].map((m) => this.plain(m)));
    const would =
      more === undefined
        ? 'more seeds, not more test images, would decide'
        : `about ${integer(more)} more test images${measurement.groups ? ', of new groups,' : ''} would decide`;
    return `Undecided between ${names}: ${this.plain(farthest)} may be up to ${percent(far(farthest))} points${of} better than ${this.plain(method)}, the simplest of them (${lead(this.against(measurement, farthest, method) as Comparison, of)}); ${would}.${this.handicapNote(measurement, rivals)}`;
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
    for (const measurement of measurements.filter(({ cells }) => cells.length > 1)) {
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
    return `at least ${atLeast(top, unitOf(measurements.find(({ task }) => task === top.task)?.metric))} over ${this.plain(top.reference)}${measurements.length > 1 ? ` on ${top.task}` : ''}`;
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
