/** Several runs side by side: one page with what each measured on the tasks that they share. */
import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ownFile, UserError, writeFileAtomic } from '../base/index.js';
import {
  duration,
  list,
  type MethodCard,
  mainAnswer,
  percent,
  percentInterval,
  type RunRecord,
  readRecord,
  type TaskRecord,
} from '../record/index.js';
import { type ChosenCell, pairsOf, pairsTable, type RunPair, unpaired } from './compare-pairs.js';
import { type BackboneScores, scoresTable } from './compare-scores.js';
import { filterParams, nominal, percentAxis, quantitative } from './figures/parts.js';
import { cardOf, metricOf, networkOf } from './lookup.js';
import { type DrawnCell, isDrawn, nameOf } from './marks.js';
import { renderSvg, standalone } from './svg.js';
import { html, type Table, toCsv, toHtml, toMarkdown } from './table.js';
import { color, themed, variables } from './theme.js';

/** A run to compare. */
export interface ComparedRun {
  /** What it is called: its folder. */
  readonly name: string;
  readonly record: RunRecord;
}

/** What a comparison wrote. */
export interface WrittenComparison {
  readonly report: string;
  readonly bytes: number;
  readonly runs: number;
  readonly tasks: number;
  /** Differences of two runs on the same test examples. */
  readonly paired: number;
  /** Why runs are not all compared so, one sentence each. */
  readonly notes: readonly string[];
}

/** One method of one run on one task. */
interface Row {
  readonly task: string;
  readonly run: string;
  readonly backbone: string;
  readonly method: string;
  readonly what: 'last layer' | 'highest';
  readonly score: number;
  readonly low?: number;
  readonly high?: number;
  readonly advice: string;
  readonly seconds: number;
}

/**
 * Writes comparison.html and its tables (CSV, Markdown) into a folder, from the records of runs alone.
 * @param scores of their backbones without training, shown beside what was measured
 * @throws UserError when the runs share no task on which both have a score
 */
export async function writeComparison(
  folders: readonly string[],
  output: string,
  cards: readonly MethodCard[] = [],
  scores: readonly BackboneScores[] = [],
): Promise<WrittenComparison> {
  const short = folders.map((folder) => basename(resolve(folder)));
  const names = new Set(short).size === short.length ? short : folders;
  const runs = await Promise.all(
    folders.map(async (folder, i) => ({ name: names[i] as string, record: await readRecord(folder, cards) })),
  );
  const { page, table, more, pairs, notes, tasks } = await comparisonOf(runs, scores);
  for (const own of [table, ...more]) {
    await writeFileAtomic({ root: output, file: `tables/${own.id}.csv` }, await toCsv(own));
    await writeFileAtomic({ root: output, file: `tables/${own.id}.md` }, toMarkdown(own));
  }
  await writeFileAtomic({ root: output, file: 'comparison.html' }, page);
  const [report, bytes] = [join(output, 'comparison.html'), Buffer.byteLength(page)];
  return { report, bytes, runs: runs.length, tasks, paired: pairs.length, notes };
}

/** The page and its table. */
export async function comparisonOf(
  runs: readonly ComparedRun[],
  scores: readonly BackboneScores[] = [],
): Promise<{
  page: string;
  table: Table;
  more: readonly Table[];
  pairs: readonly RunPair[];
  notes: readonly string[];
  tasks: number;
}> {
  const chosen = runs.flatMap(({ name, record }) => record.tasks.flatMap((task) => chosenOf(name, record, task)));
  const rows = chosen.map(rowOf);
  const tasks = [...new Set(rows.map((r) => r.task))].filter(
    (task) => new Set(rows.filter((r) => r.task === task).map((r) => r.run)).size > 1,
  );
  if (tasks.length === 0) {
    throw new UserError(
      `${list(runs.map((r) => r.name))} share no task with scores: runs are compared on tasks of the same name`,
    );
  }
  const shared = rows.filter((r) => tasks.includes(r.task));
  const metric = metricOf(runs.flatMap((r) => r.record.tasks.filter((t) => tasks.includes(t.task))));
  const table = tableOf(shared, metric);
  const svg = await renderSvg(specOf(shared, tasks, metric));
  const compared = chosen.filter(({ task }) => tasks.includes(task.task));
  const pairs = pairsOf(compared);
  const notes = unpaired(compared);
  const more = [pairsTable(pairs), scoresTable(compared, scores)].flatMap((own) => own ?? []);
  const claim = claimOf(shared, tasks, pairs);
  const page = pageOf({ runs, tasks, table, more, notes, svg, claim, metric });
  return { page, table, more, pairs, notes, tasks: tasks.length };
}

/** The probe on the last layer, and the candidate with the highest score. */
function chosenOf(run: string, record: RunRecord, task: TaskRecord): ChosenCell[] {
  const drawn = task.cells.filter((c): c is DrawnCell => isDrawn(c) && cardOf(record, c.method).role === 'candidate');
  const best = drawn.reduce<DrawnCell | undefined>((a, b) => (a === undefined || b.score > a.score ? b : a), undefined);
  const last = drawn.find((c) => c.method === 'linear');
  const chosen = (cell: DrawnCell, what: ChosenCell['what']): ChosenCell => ({ run, record, task, what, cell });
  return [...(last ? [chosen(last, 'last layer')] : []), ...(best ? [chosen(best, 'highest')] : [])];
}

function rowOf({ run, record, task, what, cell }: ChosenCell): Row {
  const answer = mainAnswer(record.answer, task);
  return {
    task: task.task,
    run,
    backbone: record.backbone,
    method: nameOf(cardOf(record, cell.method)),
    what,
    score: cell.score,
    ...(cell.interval ? { low: cell.interval[0], high: cell.interval[1] } : {}),
    advice: answer ? `${answer.advice}${answer.decided || answer.method === undefined ? '' : ' (undecided)'}` : '–',
    seconds: cell.seconds,
  };
}

/**
 * Which run is highest where: proven by the corrected interval of its difference to every other on the same examples, or
 * else by an interval that lies above all others'.
 */
function claimOf(rows: readonly Row[], tasks: readonly string[], pairs: readonly RunPair[]): string {
  const clear = new Map<string, string[]>();
  const open: string[] = [];
  for (const task of tasks) {
    const mine = rows.filter((r) => r.task === task && r.what === 'highest');
    const best = mine.reduce((a, b) => (b.score > a.score ? b : a));
    const apart = mine.every((r) => r === best || isAhead(best, r, pairs));
    if (apart) clear.set(best.run, [...(clear.get(best.run) ?? []), task]);
    else open.push(task);
  }
  const clauses = [...clear].map(([run, won]) => `${run} is ahead on ${list(won)}`);
  if (open.length > 0) clauses.push(`on ${list(open)} the runs cannot be told apart`);
  const text = clauses.join('; ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function isAhead(best: Row, other: Row, pairs: readonly RunPair[]): boolean {
  const of = (first: Row, second: Row) =>
    pairs.find((p) => p.task === best.task && p.what === 'highest' && p.first === first.run && p.second === second.run);
  const [pair, mirror] = [of(best, other), of(other, best)];
  if (pair) return pair.comparison.verdict === 'better';
  if (mirror) return mirror.comparison.verdict === 'worse';
  return (other.high ?? other.score) < (best.low ?? best.score);
}

function tableOf(rows: readonly Row[], metric: string): Table {
  return {
    id: 'comparison',
    caption: `Test ${metric} (%) with its 95 % interval: the probe on the last layer and the highest candidate of each run`,
    columns: [
      { title: 'task' },
      { title: 'run' },
      { title: 'backbone' },
      { title: 'which' },
      { title: 'method' },
      { title: metric, format: percent },
      { title: 'low', format: percent },
      { title: 'high', format: percent },
      { title: 'advice of the run', wraps: true },
      { title: 'time', format: (s) => duration(s) },
    ],
    rows: rows.map((r) => {
      // A run advises once.
      const advice = r.what === 'highest' ? r.advice : undefined;
      return [r.task, r.run, r.backbone, r.what, r.method, r.score, r.low, r.high, advice, r.seconds];
    }),
  };
}

function specOf(rows: readonly Row[], tasks: readonly string[], metric: string) {
  const axis = { scale: { zero: false, nice: true }, axis: percentAxis(`test ${metric}`) };
  const y = {
    y: nominal('task', {
      sort: tasks,
      axis: { title: null, grid: true, tickBand: 'extent', labelColor: color('ink') },
    }),
    yOffset: nominal('label', { sort: null }),
  };
  const hue = {
    color: nominal('what', {
      scale: { domain: ['highest', 'last layer'], range: [color('accent'), color('axis')] },
      legend: { title: null, orient: 'top' },
    }),
  };
  const low = Math.min(...rows.map((r) => r.low ?? r.score));
  const room = low + 0.25 * (Math.max(...rows.map((r) => r.high ?? r.score)) - low);
  const labelled = rows.map((r) => ({
    ...r,
    label: `${r.run} ${r.what}`,
    from: r.low ?? r.score,
    to: r.high ?? r.score,
    text: `${r.run}: ${r.method}`,
    // Names stand left of their interval, where the drawing has room for them there.
    side: (r.low ?? r.score) > room ? 'left' : 'right',
  }));
  const name = (side: 'left' | 'right') => ({
    transform: [{ filter: `datum.side === '${side}'` }],
    mark: {
      type: 'text',
      align: side === 'left' ? 'right' : 'left',
      dx: side === 'left' ? -8 : 8,
      dy: -1,
      fontSize: 11,
      color: color('muted'),
    },
    encoding: {
      ...y,
      x: { field: side === 'left' ? 'from' : 'to', type: 'quantitative', ...axis },
      text: nominal('text'),
    },
  });
  return standalone({
    width: 720,
    height: { step: 18, for: 'offset' },
    params: filterParams(tasks, []),
    data: { values: labelled },
    layer: [
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 1.8 },
        encoding: { ...y, x: quantitative('low', axis), x2: { field: 'high' }, ...hue },
      },
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { ...y, x: quantitative('score', axis), ...hue },
      },
      name('left'),
      name('right'),
    ],
  });
}

/** How runs were compared. */
function how(more: readonly Table[]): string {
  const own =
    'the interval of its highest candidate lies above those of all others. Each run’s intervals are its own, over its test examples; runs are compared by the names of their tasks, and it is yours to know that these mean the same data (fingerprints below)';
  if (!more.some(({ id }) => id === 'differences')) return `Ahead: ${own}.`;
  return `Ahead: its highest candidate is better than that of every other run on the same test examples, by an interval that holds together with those of all differences below; where runs were tested on other examples, ${own}. Which candidate is the highest was seen on these examples, which favours a run with more candidates.`;
}

const css = () => readFileSync(ownFile('assets/report/page.css'), 'utf8');

function pageOf(parts: {
  runs: readonly ComparedRun[];
  tasks: readonly string[];
  table: Table;
  more: readonly Table[];
  notes: readonly string[];
  svg: string;
  claim: string;
  metric: string;
}): string {
  const { runs, tasks, table, more, notes, svg, claim, metric } = parts;
  const colours = variables([]);
  const root = (theme: 1 | 2) => colours.map((c) => `${c[0]}:${c[theme]}`).join(';');
  const facts = runs.map(({ name, record }) => {
    const prints = record.run.fingerprints.map((f) => `${f.name} ${f.sha256.slice(0, 12)}`).join(', ');
    return `<div><dt>${html(name)}</dt><dd>${html([record.title, networkOf(record), record.run.engine, prints].filter(Boolean).join(' · '))}</dd></div>`;
  });
  const lines = tasks.map((task) => {
    const of = table.rows.filter((row) => row[0] === task && row[3] === 'highest');
    const words = of.map(
      (row) =>
        `${row[1]} ${percent(Number(row[5]))} ${typeof row[6] === 'number' ? percentInterval([row[6], Number(row[7])]) : ''}`,
    );
    return `${task}: ${list(words)}`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>Runs compared · toehold</title>
<style>
:root{${root(1)}}
@media screen and (prefers-color-scheme:dark){:root{${root(2)}}}
${css()}</style>
</head>
<body>
<header class="top"><span class="brand">toehold</span><span class="meta">${runs.length} runs compared</span></header>
<main>
<section class="answer" aria-labelledby="answer">
<h1 id="answer">${html(claim)}</h1>
<p class="deck">${how(more)}</p>
${notes.map((text) => `<p class="note">${html(text)}</p>\n`).join('')}</section>
<div class="sections">
<section aria-labelledby="figure-title"><h2 id="figure-title">${metric.endsWith('accuracy') ? 'Accuracy' : 'Score'} of each run</h2>
<figure class="exhibit wide" id="fig-runs"><figcaption><h3>Figure 1. Test ${html(metric)} on ${tasks.length === 1 ? 'the shared task' : `${tasks.length} shared tasks`}</h3><p>The probe on the last layer in grey, the highest candidate in colour, each with its 95 % interval.</p></figcaption>
<div class="chart" role="img" aria-label="${html(`${lines.join('; ')}. The numbers are in the table below.`)}">${themed(svg, colours)}</div>
</figure>
${[table, ...more].map((own) => `<div class="scroll" tabindex="0" role="region" aria-label="${html(own.caption)}">${toHtml(own)}</div>`).join('\n')}
</section>
<section aria-labelledby="runs-title"><h2 id="runs-title">The runs</h2><dl class="facts glossary">${facts.join('')}</dl></section>
</div>
</main>
</body>
</html>
`;
}
