/**
 * The one answer of a run: headline, advice per task, and the sentences behind them. The page, the tables and the terminal
 * print it and decide nothing themselves.
 *
 * Advised is the simplest candidate that no other candidate beats; "beats" means significant at 5 % after Holm's correction
 * over every test of the run. Simpler methods are named first.
 */
import type { MethodCard } from './cards.js';
import { compareAll, compared, type MeasuredRun, type Measurement, measurementsOf } from './comparisons.js';
import { list, percent, points, pointsInterval, pValue, share } from './format.js';
import { type Answer, type Comparison, done, type TaskAnswer } from './schema.js';

/** Compares, decides and words. A pure function of what was measured. */
export function answerOf(run: MeasuredRun): Answer {
  const comparisons = compareAll(run);
  const words = new Words(run.methods, comparisons);
  const measurements = measurementsOf(run);
  const tasks = measurements.map((m) => words.task(m));
  return {
    headline: words.headline(measurements, tasks),
    deck: deck(run, words, comparisons),
    tasks,
    missing: missingCells(run, words),
    comparisons,
  };
}

/** The answer at all labels of a task: what its row in the advice table says. */
export function mainAnswer(
  answer: Answer,
  task: { task: string; perClass?: number | undefined },
): TaskAnswer | undefined {
  return answer.tasks.find((t) => t.task === task.task && t.perClass === task.perClass);
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** "4.1 points [1.8, 6.4]": the size of a difference whose direction the sentence has said. */
function by(c: Comparison): string {
  const [low, high] = c.difference < 0 ? [-c.interval[1], -c.interval[0]] : c.interval;
  return `${percent(Math.abs(c.difference))} points [${percent(low)}, ${percent(high)}]`;
}

/** "+0.5 points [−0.3, +1.4], p = 0.21": a difference that is not reliable. */
function unclear(c: Comparison): string {
  const p = c.pHolm === undefined ? '' : `, p ${pValue(c.pHolm).replace(/^(?=\d)/, '= ')}`;
  return `${points(c.difference)} points ${pointsInterval(c.interval)}${p}`;
}

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
    const { task, perClass, cells } = measurement;
    const where = { task, ...(perClass === undefined ? {} : { perClass }) };
    const candidates = cells.filter((c) => this.card(c.method)?.role === 'candidate');
    const [first] = candidates;
    if (!first || candidates.length < 2) {
      return {
        ...where,
        certain: false,
        advice: 'too little finished to say',
        sentence: first
          ? `Only ${this.plain(first.method)} finished, so there is nothing to compare it with.`
          : 'Nothing finished.',
      };
    }
    // Of equal scores the simpler method leads.
    const best = candidates.reduce((a, b) => (b.score > a.score ? b : a)).method;
    const beats = (a: string, b: string) => this.against(measurement, a, b)?.verdict === 'better';
    const unbeaten = candidates.filter(
      ({ method: m }) => !candidates.some((c) => c.method !== m && beats(c.method, m)),
    );
    const method = (unbeaten[0] ?? first).method;
    const certain = method === best && candidates.every((c) => c.method === best || beats(best, c.method));
    return {
      ...where,
      method,
      best,
      certain,
      advice: this.card(method)?.advice ?? `use ${method}`,
      sentence: this.because(
        measurement,
        candidates.map((c) => c.method),
        { method, best, certain },
      ),
    };
  }

  private because(
    measurement: Measurement,
    candidates: readonly string[],
    { method, best, certain }: { method: string; best: string; certain: boolean },
  ): string {
    const against = (a: string, b: string) => this.against(measurement, a, b) as Comparison;
    const rivals = candidates.filter((m) => m !== best);
    const nearest = rivals.reduce((a, b) => (against(best, b).difference < against(best, a).difference ? b : a));
    if (certain)
      return `${capital(this.plain(best))}: ${by(against(best, nearest))} ahead of ${this.plain(nearest)}, the next best.`;
    if (method === best) {
      const close = rivals.filter((m) => against(best, m).verdict !== 'better');
      return `${capital(this.plain(best))} scores highest and is simpler than ${list(close.map((m) => this.plain(m)))}, whose difference from it is not reliable (nearest: ${unclear(against(best, nearest))} ahead of ${this.plain(nearest)}).`;
    }
    return `${capital(this.plain(best))} is not reliably better than ${this.plain(method)}, which is simpler (${unclear(against(best, method))}).`;
  }

  /** One sentence over all tasks, at all the labels that they have. */
  headline(measurements: readonly Measurement[], answers: readonly TaskAnswer[]): string {
    const last = new Map(measurements.map((m, i) => [m.task, i]));
    const main = [...last.values()].map((i) => ({
      measurement: measurements[i] as Measurement,
      answer: answers[i] as TaskAnswer,
    }));
    const decided = main.flatMap(({ measurement, answer }) =>
      answer.method === undefined ? [] : [{ measurement, task: answer.task, method: answer.method, answer }],
    );
    const [only] = decided;
    if (!only) return 'No two methods finished on the same task, so there is nothing to compare: see the cells below.';
    if (main.length === 1) return `On ${only.task}, ${only.answer.advice}. ${only.answer.sentence}`;
    const groups = this.methods
      .map(({ id }) => ({ id, tasks: decided.filter((d) => d.method === id) }))
      .filter((g) => g.tasks.length > 0)
      .sort((a, b) => (this.card(a.id)?.simplicity ?? 0) - (this.card(b.id)?.simplicity ?? 0));
    const clauses = groups.map(({ id, tasks }, i) => {
      const on = `on ${tasks.length}${i === 0 ? ` of ${main.length} tasks` : ''} (${list(tasks.map((t) => t.task))})`;
      const gains = tasks.flatMap(({ measurement }) => {
        const simplest = measurement.cells.find((c) => this.card(c.method)?.role === 'candidate')?.method;
        const gain = simplest && simplest !== id ? this.against(measurement, id, simplest) : undefined;
        return gain ? [gain] : [];
      });
      const advice = this.card(id)?.advice ?? `use ${id}`;
      if (gains.length === 0) return `${on} ${advice}, which no method reliably beats`;
      const top = gains.reduce((a, b) => (b.difference > a.difference ? b : a));
      return `${on} ${advice}: ${by(top)} over ${this.plain(top.reference)}${gains.length > 1 ? ` on ${top.task}` : ''}`;
    });
    return `${capital(clauses.join('; '))}.`;
  }
}

function deck(run: MeasuredRun, words: Words, comparisons: readonly Comparison[]): string[] {
  const lines: string[] = [];
  const trained = run.methods.find((m) => m.id === 'finetune');
  for (const { id, reads, role } of run.methods) {
    if (!trained || role !== 'candidate' || reads !== 'all layers') continue;
    const shares = (what: 'trainMacs' | 'storedBytes') =>
      run.tasks.flatMap((task) => {
        const [ours, theirs] = [done(task, id)?.cost?.[what], done(task, trained.id)?.cost?.[what]];
        return ours === undefined || !theirs ? [] : [ours / theirs];
      });
    const [macs, bytes] = [shares('trainMacs'), shares('storedBytes')];
    if (macs.length === 0 || bytes.length === 0) continue;
    const over = macs.length > 1 ? ` (medians over ${macs.length} tasks)` : '';
    lines.push(
      `${words.label(id)} takes ${share(median(macs))} of ${trained.plain}’s multiply-adds to train and ${share(median(bytes))} of its bytes to keep per task${over}.`,
    );
  }
  const tests = comparisons.filter((c) => c.p !== undefined).length;
  if (comparisons.length > 0) {
    const paired = comparisons.every((c) => c.basis === 'paired');
    lines.push(
      `Brackets are 95 % intervals over test examples${paired ? ', both methods on the same examples' : ''}; “beats” means ${
        tests > 0
          ? `p < .05${tests > 1 ? ` after Holm’s correction over all ${tests} tests of this run` : ''}`
          : 'that the interval excludes zero (no stored predictions, hence no paired test)'
      }.`,
    );
  }
  return lines;
}

function missingCells(run: MeasuredRun, words: Words): string[] {
  const cells = run.tasks.flatMap((task) =>
    [...(task.curve ?? []), task].flatMap(({ cells, perClass }) =>
      cells.map((cell) => ({
        cell,
        name: `${words.label(cell.method)} on ${task.task}${perClass === undefined ? '' : ` at ${perClass} per class`}`,
      })),
    ),
  );
  const of = (status: 'failed' | 'not run') =>
    cells.flatMap(({ cell, name }) =>
      cell.status === status ? [`${name}${cell.error ? ` (${cell.error})` : ''}`] : [],
    );
  const marked = (why: (cell: Extract<(typeof cells)[number]['cell'], { status: 'done' }>) => string | undefined) =>
    cells.flatMap(({ cell, name }) => {
      const found = cell.status === 'done' ? why(cell) : undefined;
      return found === undefined ? [] : [found ? `${name} (${found})` : name];
    });
  const groups: [string, string[]][] = [
    ['Wrong by our own fault (shown, not compared)', marked((c) => c.suspect)],
    ['Not converged (shown and compared as they are)', marked((c) => (c.converged ? undefined : ''))],
    [
      'Failed to train (the loss never left its start; shown, not compared)',
      marked((c) => (c.failedToTrain ? '' : undefined)),
    ],
    ['Failed', of('failed')],
    ['Not run', of('not run')],
  ];
  return groups.flatMap(([what, names]) => (names.length > 0 ? [`${what}: ${list(names)}.`] : []));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
