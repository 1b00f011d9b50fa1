/** The page's parts as HTML: answer, exhibits, examples, how to repeat. */
import { stringify } from 'yaml';
import {
  type Answer,
  duration,
  labelOf,
  type Method,
  methodsOf,
  points,
  type StudyRecord,
  selectionMethod,
  type TaskRecord,
} from '../../record/index.js';
import type { Figure, KeyEntry, Section } from '../figures/index.js';
import { html, type Table, toHtml } from '../table.js';
import { recommendationsTable } from '../tables.js';
import { themed } from '../theme.js';

export type Colours = readonly [string, string, string][];

export const sectionTitles: Record<Section, [string, string]> = {
  accuracy: ['Which method wins', 'Every method on every task, on the same test examples.'],
  affinity: [
    'When layers below the last help',
    'Does the distance between a task and the source decide whether lower layers help?',
  ],
  learning: ['What more labels buy', 'Small data or large, near or far: the usual advice, measured.'],
  layers: [
    'What each layer knows',
    'Where in the network the task is solved, and where the selection takes its features.',
  ],
  path: [
    'The path of solutions',
    'Each solution comes with its duality gap, which bounds how far it can be from the optimum.',
  ],
  selection: [
    'How far to trust the selection',
    'How many features to keep, whether their order means something, whether they come again.',
  ],
  errors: ['What goes wrong', 'Classes that are confused, and single images on which the methods differ.'],
  cost: ['What it costs', 'Training, and what has to be kept for each task.'],
};

export function symbol(shape: string, hex: string, colours: Colours): string {
  return `<svg class="symbol" viewBox="-1.3 -1.3 2.6 2.6" aria-hidden="true"><path d="${shape}" fill="${themed(hex, colours)}"/></svg>`;
}

const methodSymbol = (method: Method | undefined, colours: Colours) =>
  method ? symbol(method.shape, method.light, colours) : '';

export function answerHtml(study: StudyRecord, answer: Answer, colours: Colours): string {
  const notes = [
    ...(study.sample
      ? [
          '<p class="note sample"><strong>Sample.</strong> The numbers on this page are invented to show what a report looks like.</p>',
        ]
      : []),
    ...(study.run.scaledDown.length
      ? [`<p class="note"><strong>Scaled down.</strong> ${study.run.scaledDown.map(html).join(' ')}</p>`]
      : []),
    ...(answer.missing.length
      ? [
          `<p class="note missing"><strong>Cells without a figure.</strong> ${answer.missing.map(html).join(' ')} They are marked where they belong and enter no average.</p>`,
        ]
      : []),
  ];
  const rows = answer.tasks.map((t, i) => {
    const affinity = study.tasks[i]?.domainAffinity;
    const [method] = t.method ? methodsOf([t.method]) : [];
    return `<tr data-task="${html(t.task)}"><th scope="row">${html(t.task)}</th><td class="advice">${methodSymbol(method, colours)}<span>${html(t.advice)}</span></td><td>${unbroken(t.sentence)}</td><td class="n">${affinity === undefined ? '–' : points(affinity)}</td></tr>`;
  });
  return `<section class="answer" aria-labelledby="answer">
<p class="eyebrow">${html(study.title)}</p>
<h1 id="answer">${unbroken(answer.headline)}</h1>
${answer.deck.map((line) => `<p class="deck">${html(line)}</p>`).join('\n')}
${notes.join('\n')}
<div class="scroll" tabindex="0" role="region" aria-label="Advice per task"><table class="advice-table"><thead><tr><th scope="col">task</th><th scope="col">the simplest that nothing beats</th><th scope="col">because</th><th scope="col" class="n">domain affinity, points</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>
</section>`;
}

/** Intervals and p-values stay on one line. */
function unbroken(text: string): string {
  return html(text).replace(/\[[^\]]+\]|p (=|&#60;) [\d.]+/g, (part) => part.replaceAll(' ', '\u00a0'));
}

export function keyHtml(entries: readonly KeyEntry[], colours: Colours): string {
  const unique = [...new Map(entries.map((e) => [e.label, e])).values()];
  const items = unique.map(
    (e) =>
      `<li${e.method ? ` data-method="${html(e.method)}"` : ''}>${symbol(e.shape, e.color, colours)}${html(e.label)}</li>`,
  );
  return `<ul class="key">${items.join('')}</ul>`;
}

/** One exhibit: title, reading help, key, its panels, and its numbers as tables. */
export function exhibitHtml(
  figures: readonly Figure[],
  drawings: ReadonlyMap<string, string>,
  colours: Colours,
): string {
  const [first] = figures as [Figure];
  const panels = figures.map((f) => {
    const heading = f.task ? `<h4>${html(f.task)}</h4><p class="finding">${html(f.finding ?? f.alt)}</p>` : '';
    const label = `${f.title}${f.task ? `, ${f.task}` : ''}. ${f.alt} The numbers are in the table below.`;
    const drawing = drawings.get(f.id);
    const chart = drawing
      ? `<div class="chart" data-figure="${html(f.id)}" role="img" aria-label="${html(label)}">${drawing}</div>`
      : `<p class="finding">Left out to keep the page small: see figures/${html(f.id)}.svg.</p>`;
    return `<div class="panel"${f.task ? ` data-task="${html(f.task)}"` : ''}>${heading}${chart}</div>`;
  });
  const tables = figures.map(
    (f) =>
      `<div class="scroll" tabindex="0" role="region" aria-label="${html(f.table.caption)}"${f.task ? ` data-task="${html(f.task)}"` : ''}>${toHtml(f.table)}</div>`,
  );
  return `<figure class="exhibit ${first.wide ? 'wide' : 'panels'}" id="fig-${html(first.group)}">
<figcaption><h3>${html(first.title)}</h3><p>${html(first.caption)}</p>${keyHtml(
    figures.flatMap((f) => f.key),
    colours,
  )}</figcaption>
<div class="grid">${panels.join('\n')}</div>
${tablesHtml(figures.length > 1 ? `The same numbers as ${figures.length} tables` : 'The same numbers as a table', tables)}
</figure>`;
}

export function tablesHtml(summary: string, tables: readonly string[]): string {
  return `<details class="tables"><summary>${html(summary)}</summary>${tables.join('\n')}</details>`;
}

export const tableHtml = (table: Table): string =>
  `<div class="scroll" tabindex="0" role="region" aria-label="${html(table.caption)}">${toHtml(table)}</div>`;

/** What to do at each number of labels, and whether the data can tell. */
export function recommendationsHtml(study: StudyRecord): string {
  const table = recommendationsTable(study);
  if (table.rows.length === 0) return '';
  return `<figure class="exhibit wide" id="fig-recommendations"><figcaption><h3>What to do</h3><p>The most accurate method where it beats every simpler one on the same test examples (p &lt; .05 after Holm’s correction); otherwise the simplest that is not beaten.</p></figcaption>${tableHtml(table)}</figure>`;
}

/** Images that one of the two methods gets right and the other wrong. */
export function examplesHtml(study: StudyRecord): string {
  const selected = selectionMethod(study) ?? 'head2toe';
  const groups = study.tasks.flatMap((task) => {
    const parts = [exampleGroup(task, selected, 'linear'), exampleGroup(task, 'linear', selected)].filter(Boolean);
    return parts.length
      ? [`<div class="panel" data-task="${html(task.task)}"><h4>${html(task.task)}</h4>${parts.join('')}</div>`]
      : [];
  });
  if (groups.length === 0) return '';
  return `<figure class="exhibit panels" id="fig-examples"><figcaption><h3>Images on which the methods differ</h3><p>Examples from the test split that one method gets right and the other wrong; under each, the true class and the mistaken answer.</p></figcaption><div class="grid">${groups.join('\n')}</div></figure>`;
}

function exampleGroup(task: TaskRecord, right: string, wrong: string): string {
  const found = (task.thumbnails ?? [])
    .filter(
      (e) => e.predictions[right] === e.label && e.predictions[wrong] !== undefined && e.predictions[wrong] !== e.label,
    )
    .slice(0, 8);
  if (found.length === 0) return '';
  const items = found.map((e) => {
    const mistaken = e.predictions[wrong] as string;
    return `<li><img src="${html(e.image)}" alt="${html(`${e.file}, a ${e.label}; ${labelOf(wrong)} says ${mistaken}`)}" loading="lazy" width="64" height="64"><span>${html(e.label)}</span><s>${html(mistaken)}</s></li>`;
  });
  return `<p class="finding">${html(labelOf(right))} right, ${html(labelOf(wrong))} wrong</p><ul class="thumbs">${items.join('')}</ul>`;
}

export function repeatHtml(study: StudyRecord): string {
  const { run, units } = study;
  const facts: [string, string][] = [
    ['protocol', study.protocol],
    ['backbone', study.backbone],
    ['labels', run.labelBudget],
    ['seeds', run.seeds.join(', ')],
    ['engine', `${run.engine}, ${run.device}`],
    [
      'versions',
      Object.entries(run.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    [
      'units',
      `${units.done} of ${units.total} done, ${units.failed} failed, ${units.cached} taken from an earlier run`,
    ],
    ['time', duration(study.seconds)],
    ...(run.startedAt ? ([['started', run.startedAt]] as [string, string][]) : []),
  ];
  const prints = run.fingerprints.map(
    (f) => `<tr><th scope="row">${html(f.name)}</th><td><code>${html(f.sha256)}</code></td></tr>`,
  );
  return `<section id="repeat" aria-labelledby="repeat-title"><h2 id="repeat-title">How to repeat it</h2>
<p class="lead">The same command on the same files gives the same tables.</p>
<pre tabindex="0"><code>${html(run.command)}</code></pre>
<dl class="facts">${facts.map(([k, v]) => `<div><dt>${html(k)}</dt><dd>${html(v)}</dd></div>`).join('')}</dl>
<details class="tables"><summary>Resolved configuration</summary><pre tabindex="0"><code>${html(stringify(run.config))}</code></pre></details>
<details class="tables"><summary>Fingerprints (sha256)</summary><div class="scroll" tabindex="0" role="region" aria-label="Fingerprints"><table><tbody>${prints.join('')}</tbody></table></div></details>
<p class="lead small">Every figure lies beside this page as a Vega-Lite spec and an SVG (figures/), every table as CSV, Markdown and LaTeX (tables/).</p></section>`;
}
