/**
 * The study's answer in words. Every sentence is made from comparisons with intervals; "beats" means significant at
 * 5 % after Holm's correction over the tasks; where the simpler method is not beaten it is named first.
 */
import { type Comparison, compareOverTasks, selectionMethod } from './comparisons.js';
import { list, percent, points, pointsInterval, pValue, share } from './format.js';
import { labelOf } from './methods.js';
import { done, type StudyRecord, type TaskRecord } from './study.js';

export interface TaskAnswer {
  task: string;
  /** What to do: the simplest of the main methods that none of the others beats. */
  advice: string;
  /** The method advised. */
  method: string | undefined;
  sentence: string;
}

export interface Answer {
  /** One sentence. */
  headline: string;
  /** How sure, at what cost. */
  deck: string[];
  tasks: TaskAnswer[];
  /** Cells without a figure, in words. */
  missing: string[];
}

const plain: Record<string, string> = {
  linear: 'the last layer',
  finetune: 'fine-tuning',
  scratch: 'training from scratch',
};
const inWords = (method: string) => plain[method] ?? 'features from all layers';
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
/** "4.1 points [1.8, 6.4]": the size of a difference whose direction the sentence has said. */
const by = (c: Comparison) => {
  const [low, high] = c.difference < 0 ? [-c.interval[1], -c.interval[0]] : c.interval;
  return `${percent(Math.abs(c.difference))} points [${percent(low)}, ${percent(high)}]`;
};

/** Builds the answer of a study. */
export function answer(study: StudyRecord): Answer {
  const selected = selectionMethod(study);
  const main = ['linear', ...(selected ? [selected] : []), 'finetune', 'scratch'];
  const against = (a: string, b: string) => compareOverTasks(study, a, b);
  const gain = selected ? against(selected, 'linear') : [];
  const overLast = against('finetune', 'linear');
  const overSelected = selected ? against('finetune', selected) : [];
  const pairs = main.flatMap((a) => main.flatMap((b) => (a === b ? [] : against(a, b))));
  const missing = missingCells(study);
  const headline =
    gain.length === 0
      ? withoutSelection(study, overLast)
      : gain.length === 1
        ? oneTask(study, gain[0] as Comparison, overLast, overSelected)
        : manyTasks(gain, overLast, overSelected);
  return {
    headline,
    deck: deck(study, selected, gain),
    tasks: study.tasks.map((task) => taskAnswer(task, main, pairs, selected)),
    missing,
  };
}

function withoutSelection(study: StudyRecord, overLast: readonly Comparison[]): string {
  const [first] = overLast;
  if (!first)
    return `No two methods finished on the same task yet, so there is nothing to compare: see the cells below.`;
  const wins = overLast.filter((c) => c.verdict === 'better');
  if (wins.length === 0)
    return `The last layer is enough on all ${study.tasks.length} tasks compared: fine-tuning beats it on none.`;
  return `Fine-tuning beats the last layer on ${wins.length} of ${overLast.length} tasks, most on ${most(wins)}.`;
}

const most = (wins: readonly Comparison[]) => {
  const top = wins.reduce((a, b) => (Math.abs(b.difference) > Math.abs(a.difference) ? b : a));
  return `${top.task} by ${by(top)}`;
};

function oneTask(
  study: StudyRecord,
  c: Comparison,
  overLast: readonly Comparison[],
  overSelected: readonly Comparison[],
): string {
  const task = study.tasks.find((t) => t.task === c.task) as TaskRecord;
  const cell = done(task, c.method);
  const what = cell?.taps ? `features of ${cell.taps} layers` : 'features from all layers';
  const cost = costShare(task, c.method, 'trainMacs');
  const tail = fineTuningClause(task, c, overLast, overSelected);
  if (c.verdict === 'better')
    return `On ${c.task}, ${what} beat the last layer by ${by(c)}${cost ? ` at ${share(cost)} of fine-tuning’s training cost` : ''}${tail}`;
  if (c.verdict === 'worse') return `On ${c.task}, the last layer alone wins: ${what} lose to it by ${by(c)}${tail}`;
  return `On ${c.task}, the last layer is enough: ${what} differ from it by ${points(c.difference)} points ${pointsInterval(c.interval)}, which chance explains${tail}`;
}

function fineTuningClause(
  task: TaskRecord,
  c: Comparison,
  overLast: readonly Comparison[],
  overSelected: readonly Comparison[],
): string {
  const ours = c.verdict === 'better' ? overSelected : overLast;
  const found = ours.find((o) => o.task === task.task);
  if (!found) {
    return `; fine-tuning ${absence(task)}.`;
  }
  const other = c.verdict === 'better' ? 'them' : 'it';
  if (found.verdict === 'better') return `; fine-tuning beats ${other} by ${by(found)}.`;
  if (found.verdict === 'worse') return `; fine-tuning loses to ${other} by ${by(found)}.`;
  return `; fine-tuning cannot be told from ${other} (${points(found.difference)} ${pointsInterval(found.interval)}).`;
}

function manyTasks(
  gain: readonly Comparison[],
  overLast: readonly Comparison[],
  overSelected: readonly Comparison[],
): string {
  const n = gain.length;
  const wins = gain.filter((c) => c.verdict === 'better');
  const losses = gain.filter((c) => c.verdict === 'worse');
  const ties = n - wins.length - losses.length;
  const last =
    losses.length && ties
      ? `wins on ${losses.length} (${most(losses)}) and is not beaten on ${ties} more`
      : losses.length
        ? `wins on ${losses.length} (${most(losses)})`
        : `is not beaten on ${ties}`;
  const select = `features from all layers beat it on ${wins.length} of ${n} tasks${wins.length > 1 ? `, most on ${most(wins)}` : wins.length ? ` (${most(wins)})` : ''}`;
  let sentence: string;
  if (wins.length === 0)
    sentence = `The last layer is enough: it ${last} of ${n} tasks, and features from all layers beat it on none`;
  else if (wins.length === n)
    sentence = `Features from all layers beat the last layer on all ${n} tasks, most on ${most(wins)}`;
  else if (wins.length <= n / 2) sentence = `The last layer ${last}; ${select}`;
  else sentence = `${capital(select.replace('beat it', 'beat the last layer'))}; the last layer ${last}`;
  return `${sentence}${fineTuningOver(gain, overLast, overSelected)}.`;
}

/** On how many tasks fine-tuning beats both, or loses to the better of the two cheap ways. */
function fineTuningOver(
  gain: readonly Comparison[],
  overLast: readonly Comparison[],
  overSelected: readonly Comparison[],
): string {
  const rivals = gain.flatMap((c) => {
    const ours = c.verdict === 'better' ? overSelected : overLast;
    return ours.find((o) => o.task === c.task) ?? [];
  });
  if (rivals.length === 0) return '; fine-tuning was not run';
  const wins = rivals.filter((c) => c.verdict === 'better');
  const losses = rivals.filter((c) => c.verdict === 'worse');
  if (wins.length === 0 && losses.length === 0)
    return `; fine-tuning beats the better of the two on none of ${rivals.length}`;
  const parts = [
    wins.length
      ? `beats the better of the two on ${wins.length}${wins.length > 1 ? `, most on ${most(wins)}` : ` (${most(wins)})`}`
      : '',
    losses.length
      ? `loses to it on ${losses.length}${losses.length > 1 ? `, most on ${most(losses)}` : ` (${most(losses)})`}`
      : '',
  ].filter(Boolean);
  const of = rivals.length < gain.length ? ` (it finished on ${rivals.length} of ${gain.length})` : '';
  return `; fine-tuning ${parts.join(' and ')}${of}`;
}

function deck(study: StudyRecord, selected: string | undefined, gain: readonly Comparison[]): string[] {
  const lines: string[] = [];
  if (selected) {
    const macs = study.tasks.flatMap((t) => costShare(t, selected, 'trainMacs') ?? []);
    const bytes = study.tasks.flatMap((t) => costShare(t, selected, 'storedBytes') ?? []);
    if (macs.length && bytes.length)
      lines.push(
        `${labelOf(selected)} takes ${share(median(macs))} of fine-tuning’s multiply-accumulates to train and ${share(median(bytes))} of its bytes to keep per task${macs.length > 1 ? ` (medians over ${macs.length} tasks)` : ''}.`,
      );
  }
  const paired = gain.every((c) => c.basis === 'paired');
  if (gain.length)
    lines.push(
      `Brackets are 95 % intervals over test examples${paired ? ', both methods on the same examples' : ''}; “beats” means ${
        gain.some((c) => c.p !== undefined)
          ? `p < .05${gain.length > 1 ? ` after Holm’s correction over ${gain.length} tasks` : ''}`
          : 'that the interval excludes zero (no stored predictions, hence no paired test)'
      }.`,
    );
  return lines;
}

function taskAnswer(
  task: TaskRecord,
  main: readonly string[],
  pairs: readonly Comparison[],
  selected: string | undefined,
): TaskAnswer {
  const mine = pairs.filter((c) => c.task === task.task);
  const finished = main.filter((m) => done(task, m) && !done(task, m)?.failedToTrain);
  const advised = finished.find((m) => !mine.some((c) => c.reference === m && c.verdict === 'better'));
  const advice =
    finished.length < 2 || !advised
      ? 'too little finished to say'
      : ({ linear: 'probe the last layer', finetune: 'fine-tune', scratch: 'train from scratch' }[advised] ??
        'select from all layers');
  const parts: string[] = [];
  const gain = mine.find((c) => c.method === selected && c.reference === 'linear');
  if (gain) parts.push(clause(labelOf(gain.method), inWords('linear'), gain));
  const rival = gain?.verdict === 'better' ? (selected as string) : 'linear';
  const tuned = mine.find((c) => c.method === 'finetune' && c.reference === rival);
  if (tuned) parts.push(clause('fine-tuning', rival === 'linear' ? inWords('linear') : labelOf(rival), tuned));
  else parts.push(`fine-tuning ${absence(task)}`);
  return { task: task.task, advice, method: advised, sentence: `${parts.join('; ')}.` };
}

function clause(method: string, reference: string, c: Comparison): string {
  if (c.verdict === 'better') return `${method} gains ${by(c)} over ${reference}`;
  if (c.verdict === 'worse') return `${method} loses ${by(c)} against ${reference}`;
  const p = c.pHolm === undefined ? '' : `, p ${pValue(c.pHolm).replace(/^(?=\d)/, '= ')}`;
  return `${method} and ${reference} cannot be told apart (${points(c.difference)} points ${pointsInterval(c.interval)}${p})`;
}

/** Why a task has no comparison with fine-tuning. */
function absence(task: TaskRecord): string {
  const cell = task.methods.find((m) => m.method === 'finetune');
  if (cell?.status === 'done') return cell.failedToTrain ? 'failed to train' : 'has nothing to be compared with';
  return cell?.status === 'failed' ? 'failed' : 'was not run';
}

/** Cost of a method as a share of fine-tuning's. */
export function costShare(task: TaskRecord, method: string, what: 'trainMacs' | 'storedBytes'): number | undefined {
  const [ours, theirs] = [done(task, method)?.cost?.[what], done(task, 'finetune')?.cost?.[what]];
  return ours === undefined || !theirs ? undefined : ours / theirs;
}

function missingCells(study: StudyRecord): string[] {
  const of = (status: 'failed' | 'not run') =>
    study.tasks.flatMap((task) =>
      task.methods.flatMap((m) =>
        m.status === status ? [`${labelOf(m.method)} on ${task.task}${m.error ? ` (${m.error})` : ''}`] : [],
      ),
    );
  const [failed, absent] = [of('failed'), of('not run')];
  const stuck = study.tasks.flatMap((task) =>
    task.methods.flatMap((m) =>
      m.status === 'done' && m.failedToTrain ? [`${labelOf(m.method)} on ${task.task}`] : [],
    ),
  );
  return [
    ...(stuck.length ? [`Failed to train (the loss never left its start; shown, not compared): ${list(stuck)}.`] : []),
    ...(failed.length ? [`Failed: ${list(failed)}.`] : []),
    ...(absent.length ? [`Not run: ${list(absent)}.`] : []),
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
