/** The page's sections: what stands in each, and which of them have anything to show. */

import { stringify } from 'yaml';
import { canonicalJson, sha256 } from '../../base/index.js';
import { duration, list, type RunRecord } from '../../record/index.js';
import type { BrokenFigure, Figure, Section } from '../figures/index.js';
import { capital } from '../figures/parts.js';
import { isDrawn } from '../marks.js';
import { html } from '../table.js';
import { cellsTable, comparisonsTable, notesTable, ratesTable, resultsTable, tasksTable } from '../tables.js';
import { examplesHtml } from './examples.js';
import { exhibitHtml } from './exhibits.js';
import { adviceTable } from './head.js';
import { type Colours, details } from './html.js';

export interface PageSection {
  readonly id: string;
  readonly title: string;
  readonly html: string;
}

/** What the sections draw with. */
export interface Pieces {
  readonly figures: readonly Figure[];
  readonly broken: readonly BrokenFigure[];
  /** Static SVGs by figure id. */
  readonly drawings: ReadonlyMap<string, string>;
  readonly colours: Colours;
  readonly numbers: ReadonlyMap<string, number>;
}

/** Numbers of the groups of figures as they follow each other on the page. */
export function numbersOf(record: RunRecord, groups: readonly (Figure | BrokenFigure)[]): Map<string, number> {
  const order: readonly Section[] = ['first', ...layout.map(([section]) => section)];
  const found = order.flatMap((section) => [
    ...new Set([
      ...groups.filter((f) => f.section === section).map((f) => f.group),
      ...(section === 'errors' && examplesHtml(record) !== '' ? ['examples'] : []),
    ]),
  ]);
  return new Map(found.map((group, i) => [group, i + 1]));
}

/** The figure that stands beside the answer; empty where there is nothing to compare. */
export function firstFigureHtml(record: RunRecord, pieces: Pieces): string {
  const mine = <T extends { readonly section: Section }>(all: readonly T[]) => all.filter((f) => f.section === 'first');
  const exhibit = { figures: mine(pieces.figures), broken: mine(pieces.broken) };
  if (exhibit.figures.length + exhibit.broken.length === 0) return '';
  return exhibitHtml(exhibit, { ...pieces, named: record.tasks.length > 1 });
}

/** Sections of figures in order: title, and what the lead says of each group of figures that is there. */
const layout: readonly (readonly [Section, string, Readonly<Record<string, string>>])[] = [
  [
    'copies',
    'Where layers stop being general',
    {
      copies: 'accuracy of networks whose first layers were copied',
      effects: 'what copying, freezing and training further change',
      boost: 'what a start from other classes gives',
      predictors: 'whether anything tells beforehand',
      reduced: 'how much data the networks need',
    },
  ],
  [
    'networks',
    'Which network transfers',
    {
      transfer: 'accuracy on the source against what is left of it elsewhere',
      'network-means': 'networks in order',
      settings: 'the same networks as they are, fine-tuned and from scratch',
      'transfer-datasets': 'data set by data set',
      convergence: 'how many updates it takes',
      'rate-grid': 'what was tried to tune them',
    },
  ],
  [
    'accuracy',
    'Which method wins',
    {
      accuracy: 'every method on the same test examples',
      training: 'how training went, epoch by epoch',
      papers: 'what the papers would have advised',
      'copy-curve': 'how much of a network has to start pretrained',
    },
  ],
  [
    'affinity',
    'When layers below the last help',
    { affinity: 'the distance between a task and the source, and what lower layers add' },
  ],
  [
    'learning',
    'What more labels buy',
    { course: 'small data or large, near or far: the usual advice, measured', learning: 'every method by its labels' },
  ],
  [
    'layers',
    'What each layer knows',
    {
      network: 'where the selection takes its features',
      depth: 'where in the network the task is solved',
    },
  ],
  [
    'path',
    'The path of solutions',
    { path: 'each solution comes with its duality gap, which bounds how far it can be from the optimum' },
  ],
  [
    'selection',
    'How far to trust the selection',
    {
      'keep-fraction': 'how many features to keep',
      'rank-windows': 'whether their order means something',
      stability: 'whether other samples select the same',
    },
  ],
  [
    'errors',
    'What goes wrong',
    { confusion: 'classes that are confused', examples: 'single images on which the methods differ' },
  ],
  ['cost', 'What it costs', { cost: 'training, and what has to be kept for each task' }],
];

/** Sections with content, in order. */
export function sectionsOf(record: RunRecord, pieces: Pieces): PageSection[] {
  const { figures, broken } = pieces;
  const look = { ...pieces, named: record.tasks.length > 1 };
  const exhibits = (section: Section): [string, string][] => {
    const groups = new Set([...figures, ...broken].filter((f) => f.section === section).map((f) => f.group));
    return [...groups].map((group) => {
      const mine = {
        figures: figures.filter((f) => f.group === group),
        broken: broken.filter((f) => f.group === group),
      };
      return [group, exhibitHtml(mine, look)];
    });
  };
  /** What stands beside the figures, by group. */
  const beside: Partial<Record<Section, () => [string, string][]>> = {
    accuracy: () => (record.methods.length > 0 ? [['tables', accuracyTables(record)]] : []),
    learning: () => [['advice', adviceHtml(record, pieces.colours)]],
    errors: () => [['examples', examplesHtml(record, pieces.numbers)]],
  };
  const drawn = layout.flatMap(([section, title, leads]) => {
    const parts = [...exhibits(section), ...(beside[section]?.() ?? [])].filter(([, text]) => text);
    if (parts.length === 0) return [];
    const alone = section === 'accuracy' && record.methods.length === 1;
    const lead = alone ? '' : capital(list(parts.flatMap(([group]) => leads[group] ?? [])));
    const body = parts.map(([, text]) => text).join('\n');
    const drawn = section !== 'accuracy' || anyDrawn(record);
    const score = record.tasks.some((t) => t.target.kind !== 'class') ? 'Score' : 'Accuracy';
    return [sectionOf(section, alone ? score : drawn ? title : 'Every method', lead, body)];
  });
  const cells = record.tasks.some((t) => t.cells.length > 0) ? [cellsSection(record)] : [];
  return [...drawn, ...cells, repeatSection(record)];
}

function sectionOf(id: string, title: string, lead: string, body: string): PageSection {
  return {
    id,
    title,
    html: `<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${lead ? `<p class="lead">${lead}.</p>` : ''}${body}</section>`,
  };
}

const anyDrawn = (record: RunRecord): boolean => record.tasks.some((t) => t.cells.some(isDrawn));

/** Open where no figure shows the same. */
function accuracyTables(record: RunRecord): string {
  return [
    details('Methods by tasks', [resultsTable(record)], !anyDrawn(record)),
    details('Every difference, with interval and p', [comparisonsTable(record)]),
  ].join('\n');
}

/** The record's advice at each number of labels. */
function adviceHtml(record: RunRecord, colours: Colours): string {
  const measured = new Set(record.tasks.filter((t) => t.curve?.length).map((t) => t.task));
  const answers = record.answer.tasks.filter((a) => measured.has(a.task));
  if (answers.length === 0) return '';
  return `<figure class="exhibit wide" id="fig-recommendations"><figcaption><h3>What to do</h3><p>The simplest method that no other reliably beats; certain where it has the highest score and reliably beats every other candidate.</p></figcaption>${adviceTable(record, answers, { colours, column: 'labels' })}</figure>`;
}

function cellsSection(record: RunRecord): PageSection {
  const notes = notesTable(record);
  const rates = ratesTable(record);
  return sectionOf(
    'cells',
    'Every cell',
    'A cell is one method on one task',
    [
      details('Status, settings, size and time of every cell', [cellsTable(record)], !anyDrawn(record)),
      details('Learning rates tried', [rates]),
      details('Notes on single cells', [notes], notes.rows.length <= 12),
    ].join('\n'),
  );
}

/** How to cite the run: what made it, and a hash of what it found. */
function citation(record: RunRecord): string {
  const { run, title } = record;
  const { toehold = '', commit } = run.versions;
  const version = commit === undefined ? toehold : `${toehold} (commit ${commit.slice(0, 12)})`;
  const print = sha256(canonicalJson({ tasks: record.tasks, methods: record.methods })).slice(0, 16);
  const year = run.startedAt?.slice(0, 4);
  const text = [
    `toehold${version ? ` ${version}` : ''}. ${title}. ${run.engine}, ${run.device}.`,
    year ? ` ${year}.` : '',
    ` Results sha256 ${print}; data and models: ${run.fingerprints.map((f) => `${f.name} ${f.sha256.slice(0, 12)}`).join(', ') || 'not recorded'}.`,
  ].join('');
  return `<details class="tables"><summary>Cite this</summary><pre tabindex="0"><code>${html(text)}</code></pre></details>`;
}

function repeatSection(record: RunRecord): PageSection {
  const { run, units, protocol, backbone, networks = [], seconds } = record;
  const facts: [string, string | undefined][] = [
    ['protocol', protocol],
    networks.length > 1 ? ['networks', networks.map(({ name }) => name).join(', ')] : ['backbone', backbone],
    ['labels', run.labelBudget],
    ['seeds', run.seeds.join(', ')],
    ['engine', `${run.engine}, ${run.device}`],
    [
      'versions',
      Object.entries(run.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ['units', units && `${units.done} of ${units.total} done, ${units.failed} failed`],
    ['time', duration(seconds)],
    ['started', run.startedAt],
    ['licence', 'toehold: Apache-2.0; figures, tables and words of this page are yours'],
  ];
  const shown = facts.flatMap(([name, text]) =>
    text ? [`<div><dt>${html(name)}</dt><dd>${html(text)}</dd></div>`] : [],
  );
  const prints = run.fingerprints.map(
    (f) => `<tr><th scope="row">${html(f.name)}</th><td><code>${html(f.sha256)}</code></td></tr>`,
  );
  const config = Object.keys(run.config).length > 0 ? stringify(run.config) : '';
  return sectionOf(
    'repeat',
    'How to repeat it',
    'The same command on the same files gives the same tables',
    [
      `<pre tabindex="0"><code>${html(run.command)}</code></pre>`,
      `<dl class="facts">${shown.join('')}</dl>`,
      details('Data of each task', [tasksTable(record)]),
      ...(config
        ? [
            `<details class="tables"><summary>Resolved configuration</summary><pre tabindex="0"><code>${html(config)}</code></pre></details>`,
          ]
        : []),
      ...(prints.length > 0
        ? [
            `<details class="tables"><summary>Fingerprints (sha256)</summary><div class="scroll" tabindex="0" role="region" aria-label="Fingerprints"><table><tbody>${prints.join('')}</tbody></table></div></details>`,
          ]
        : []),
      citation(record),
      '<p class="lead small">Every figure lies beside this page as a Vega-Lite spec and an SVG (figures/), every table as CSV, Markdown and LaTeX (tables/).</p>',
    ].join('\n'),
  );
}
