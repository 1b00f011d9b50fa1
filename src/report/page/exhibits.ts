/** Exhibits: the figures of one group with title, reading help, key, and their numbers as tables. */
import type { RunRecord, TaskRecord, Thumbnail } from '../../record/index.js';
import type { BrokenFigure, Figure } from '../figures/index.js';
import { cardOf, cardsOf, selectingCell } from '../lookup.js';
import { html } from '../table.js';
import { type Colours, keyHtml, tableHtml } from './html.js';

/** What is drawn of an exhibit. */
export interface Exhibit {
  readonly figures: readonly Figure[];
  /** Those of the group that could not be made or drawn. */
  readonly broken: readonly BrokenFigure[];
}

/** @param drawings static SVGs by figure id; absent where left out to keep the page small */
export function exhibitHtml(
  { figures, broken }: Exhibit,
  drawings: ReadonlyMap<string, string>,
  colours: Colours,
): string {
  const [first] = figures;
  const captions = [...new Set(figures.map((f) => f.caption))];
  const details = [...new Set(figures.map((f) => f.detail))];
  const failed = (task: string | undefined) => broken.find((b) => b.task === task);
  // What was made, and not drawn, keeps its place and its table; what was not made has neither.
  const panels = figures.map((f) => panelHtml(f, failed(f.task)?.error, drawings.get(f.id), details.length > 1));
  const unmade = broken.filter((b) => !figures.some((f) => f.task === b.task));
  const all = [
    ...panels,
    ...unmade.map((b) => `<div class="panel"${dataTask(b.task)}>${heading(b.task)}${couldNot(b.error)}</div>`),
  ];
  if (!first) return `<figure class="exhibit panels"><div class="grid">${all.join('\n')}</div></figure>`;
  const tables = figures.filter((f) => f.table.rows.length > 0).map((f) => tableHtml(f.table, f.task));
  const summary = tables.length > 1 ? `The same numbers as ${tables.length} tables` : 'The same numbers as a table';
  return `<figure class="exhibit ${first.wide ? 'wide' : 'panels'}${all.length === 1 ? ' single' : ''}" id="fig-${html(first.group)}">
<figcaption><h3>${html(first.title)}</h3>${captions.map((c) => `<p>${html([c, ...(details.length === 1 && details[0] ? details : [])].join(' '))}</p>`).join('')}${keyHtml(
    figures.flatMap((f) => f.key),
    colours,
  )}</figcaption>
<div class="grid">${all.join('\n')}</div>
${tables.length > 0 ? `<details class="tables"><summary>${summary}</summary>${tables.join('\n')}</details>` : ''}
</figure>`;
}

function panelHtml(
  figure: Figure,
  error: string | undefined,
  drawing: string | undefined,
  withDetail: boolean,
): string {
  const { id, title, task, alt, finding, note, detail } = figure;
  const above = `${heading(task)}${task ? `<p class="finding">${html([finding ?? alt, ...(withDetail && detail ? [detail] : [])].join('. '))}</p>` : ''}${note ? `<p class="finding doubt">${html(note)}</p>` : ''}`;
  const label = [`${title}${task ? `, ${task}` : ''}.`, alt, note, 'The numbers are in the table below.'];
  const chart = error
    ? couldNot(error)
    : drawing
      ? `<div class="chart" data-figure="${html(id)}" role="img" aria-label="${html(label.filter(Boolean).join(' '))}">${drawing}</div>`
      : `<p class="finding">Left out to keep the page small: see figures/${html(id)}.svg.</p>`;
  return `<div class="panel"${dataTask(task)}>${above}${chart}</div>`;
}

const heading = (task: string | undefined) => (task ? `<h4>${html(task)}</h4>` : '');
const dataTask = (task: string | undefined) => (task ? ` data-task="${html(task)}"` : '');
const couldNot = (error: string) => `<p class="finding doubt">This figure could not be drawn: ${html(error)}</p>`;

/** Images that one of two methods gets right and the other wrong. */
export function examplesHtml(record: RunRecord): string {
  const groups = record.tasks.flatMap((task) => {
    const [a, b] = pairOf(record, task);
    if (a === undefined || b === undefined) return [];
    const parts = [exampleGroup(record, task, a, b), exampleGroup(record, task, b, a)].filter(Boolean);
    return parts.length > 0
      ? [`<div class="panel"${dataTask(task.task)}>${heading(task.task)}${parts.join('')}</div>`]
      : [];
  });
  if (groups.length === 0) return '';
  return `<figure class="exhibit panels" id="fig-examples"><figcaption><h3>Images on which the methods differ</h3><p>Examples from the test split that one method gets right and the other wrong; under each, the true class and the mistaken answer.</p></figcaption><div class="grid">${groups.join('\n')}</div></figure>`;
}

/** The two methods that a task's thumbnails compare: that whose selection is shown, and the first of the others. */
function pairOf(record: RunRecord, task: TaskRecord): (string | undefined)[] {
  const named = cardsOf(
    record,
    (task.thumbnails ?? []).flatMap((t) => Object.keys(t.predictions)),
  ).map((m) => m.id);
  const selecting = selectingCell(task)?.method;
  const first = named.find((m) => m === selecting) ?? named.at(-1);
  return [first, named.find((m) => m !== first)];
}

function exampleGroup(record: RunRecord, task: TaskRecord, right: string, wrong: string): string {
  const differs = ({ predictions, label }: Thumbnail) =>
    predictions[right] === label && predictions[wrong] !== undefined && predictions[wrong] !== label;
  const found = (task.thumbnails ?? []).filter(differs).slice(0, 8);
  if (found.length === 0) return '';
  const [winner, loser] = [cardOf(record, right).label, cardOf(record, wrong).label];
  const items = found.map(({ image, file, label, predictions }) => {
    const mistaken = predictions[wrong] ?? '';
    return `<li><img src="${html(image)}" alt="${html(`${file}, a ${label}; ${loser} says ${mistaken}`)}" loading="lazy" width="64" height="64"><span>${html(label)}</span><s>${html(mistaken)}</s></li>`;
  });
  return `<p class="finding">${html(winner)} right, ${html(loser)} wrong</p><ul class="thumbs">${items.join('')}</ul>`;
}
