/** Exhibits: the figures of one group with title, reading help, key, and their numbers as tables. */
import type { BrokenFigure, Figure } from '../figures/index.js';
import { html } from '../table.js';
import { type Colours, keyHtml, tableHtml } from './html.js';

export interface Exhibit {
  readonly figures: readonly Figure[];
  /** Those of the group that could not be made or drawn. */
  readonly broken: readonly BrokenFigure[];
}

export interface ExhibitLook {
  /** Static SVGs by figure id; absent where left out to keep the page small. */
  readonly drawings: ReadonlyMap<string, string>;
  readonly colours: Colours;
  /** Whether panels carry the names of their tasks. */
  readonly named: boolean;
  /** Numbers of the figures by group, in the order of the page. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** What was made and could not be drawn keeps its place and its table; what could not be made, its place. */
export function exhibitHtml({ figures, broken }: Exhibit, look: ExhibitLook): string {
  const [first] = figures;
  const details = [...new Set(figures.map((f) => f.detail))];
  const unmade = broken.filter((b) => !figures.some((f) => f.task === b.task));
  const panels = [
    ...figures.map((f) => {
      const error = broken.find((b) => b.task === f.task);
      const above = [textAbove(f, details.length > 1), f.note ? paragraph(f.note, 'doubt') : ''];
      return panel(f.task, look, [...above, error ? couldNot(error) : chartOf(f, look.drawings.get(f.id))]);
    }),
    ...unmade.map((b) => panel(b.task, look, [couldNot(b)])),
  ];
  const grid = `<div class="grid">${panels.join('\n')}</div>`;
  if (!first) return `<figure class="exhibit panels">${grid}</figure>`;
  const tables = figures.filter((f) => f.table.rows.length > 0).map((f) => tableHtml(f.table, f.task));
  const summary = tables.length > 1 ? `The same numbers as ${tables.length} tables` : 'The same numbers as a table';
  const numbers = `<details class="tables"><summary>${summary}</summary>${tables.join('\n')}</details>`;
  const captions = [...new Set(figures.map((f) => f.caption))].map((caption) =>
    [caption, ...(details.length === 1 ? details : [])].filter(Boolean).join(' '),
  );
  const key = keyHtml(
    figures.flatMap((f) => f.key),
    look.colours,
  );
  return `<figure class="exhibit ${first.wide ? 'wide' : panels.length === 1 ? 'panels single' : 'panels'}" id="fig-${html(first.group)}">
<figcaption><h3>${numbered(first.group, look.numbers)}${html(first.title)}</h3>${captions.map((c) => `<p>${html(c)}</p>`).join('')}${key}</figcaption>
${grid}
${tables.length > 0 ? numbers : ''}
</figure>`;
}

/** A link to the figure itself, so that it can be pointed at. */
export function numbered(group: string, numbers: ReadonlyMap<string, number>): string {
  const number = numbers.get(group);
  return number === undefined ? '' : `<a class="number" href="#fig-${html(group)}">Figure ${number}.</a> `;
}

function panel(task: string | undefined, { named }: ExhibitLook, parts: readonly string[]): string {
  if (task === undefined) return `<div class="panel">${parts.join('')}</div>`;
  const heading = named ? `<h4>${html(task)}</h4>` : '';
  return `<div class="panel" data-task="${html(task)}">${heading}${parts.join('')}</div>`;
}

/** What there is to see in the panel of a task, and how it was made where panels differ in that. */
function textAbove({ task, finding, alt, detail }: Figure, withDetail: boolean): string {
  if (task === undefined) return '';
  const found = (finding ?? alt).replace(/\.$/, '');
  return paragraph(withDetail && detail ? `${found}. ${detail}` : (finding ?? alt));
}

/** A figure with its text alternative. */
function chartOf({ id, title, task, alt, note }: Figure, drawing: string | undefined): string {
  if (!drawing) return paragraph(`Left out to keep the page small: see figures/${id}.svg.`);
  const label = [`${title}${task ? `, ${task}` : ''}.`, alt, note, 'The numbers are in the table below.'];
  return `<div class="chart" data-figure="${html(id)}" role="img" aria-label="${html(label.filter(Boolean).join(' '))}">${drawing}</div>`;
}

const paragraph = (text: string, kind = '') => `<p class="finding ${kind}">${html(text)}</p>`;
const couldNot = ({ group, error }: BrokenFigure) =>
  paragraph(`The figure “${group}” could not be drawn: ${error}`, 'doubt');
