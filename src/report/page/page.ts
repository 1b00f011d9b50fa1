/** The one page: everything inlined, nothing fetched, under its size limit. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Spec } from 'vega';
import { answer, type StudyRecord } from '../../record/index.js';
import { studyMethods } from '../figures/figure.js';
import type { Figure, Section } from '../figures/index.js';
import { compiled, type FigureSpec, renderSvg } from '../svg.js';
import { html } from '../table.js';
import { cellsTable, comparisonsTable, resultsTable } from '../tables.js';
import { themed, variables } from '../theme.js';
import {
  answerHtml,
  type Colours,
  examplesHtml,
  exhibitHtml,
  recommendationsHtml,
  repeatHtml,
  sectionTitles,
  symbol,
  tableHtml,
  tablesHtml,
} from './sections.js';

/** Bytes that a report may have. */
export const pageLimit = 2_950_000;

const assets = fileURLToPath(new URL('../../../assets/report/', import.meta.url));

/** Builds report.html from a study, its figures and their SVGs by figure id. */
export async function pageHtml(
  study: StudyRecord,
  figures: readonly Figure[],
  svgs: ReadonlyMap<string, string>,
  limit = pageLimit,
): Promise<string> {
  const colours = variables(study);
  const specs = new Map<string, string>();
  let config = '{}';
  for (const f of figures) {
    const { config: shared, $schema: _, ...spec } = interactive(f.spec);
    specs.set(f.id, inlineJson(themed(JSON.stringify(spec), colours)));
    config = inlineJson(themed(JSON.stringify(shared), colours));
  }
  const drawings = new Map<string, string>();
  for (const f of figures) {
    // The page's own key stands above each exhibit: a chart with a legend of its own is drawn again without.
    const plain = JSON.stringify(f.spec).includes('"legend":{') ? await renderSvg(plainSpec(f.spec)) : svgs.get(f.id);
    drawings.set(f.id, inlineSvg(f.id, plain ?? '', colours));
  }
  const build = (thumbnails: boolean) =>
    assemble(thumbnails ? study : withoutThumbnails(study), figures, { specs, drawings, config }, colours);
  // Too large: panels lose their interaction from the last on, then the thumbnails go, then the last panels' drawings.
  let excess = Buffer.byteLength(build(true)) - limit;
  const dropFrom = (pieces: Map<string, string>) => {
    for (const f of [...figures].reverse()) {
      if (excess <= 0 || f.wide) continue;
      excess -= Buffer.byteLength(pieces.get(f.id) ?? '');
      pieces.delete(f.id);
    }
  };
  dropFrom(specs);
  const thumbnails = excess <= 0;
  if (!thumbnails) {
    excess = Buffer.byteLength(build(false)) - limit;
    dropFrom(drawings);
  }
  return build(thumbnails);
}

interface Pieces {
  /** Vega specs by figure id, as JSON, and the config that they share. */
  specs: ReadonlyMap<string, string>;
  config: string;
  /** Static SVGs by figure id. */
  drawings: ReadonlyMap<string, string>;
}

function assemble(
  study: StudyRecord,
  figures: readonly Figure[],
  { specs, drawings, config }: Pieces,
  colours: Colours,
): string {
  const sections = (Object.keys(sectionTitles) as Section[]).flatMap((section) => {
    const mine = figures.filter((f) => f.section === section);
    const groups = [...new Set(mine.map((f) => f.group))].map((group) =>
      exhibitHtml(
        mine.filter((f) => f.group === group),
        drawings,
        colours,
      ),
    );
    if (section === 'learning') groups.push(recommendationsHtml(study));
    if (section === 'errors') groups.push(examplesHtml(study));
    if (section === 'accuracy')
      groups.push(
        tablesHtml('Methods by tasks', [tableHtml(resultsTable(study))]),
        tablesHtml('Every difference, with interval and p', [tableHtml(comparisonsTable(study))]),
      );
    if (section === 'cost') groups.push(tablesHtml('Time and size of every cell', [tableHtml(cellsTable(study))]));
    if (mine.length === 0 && !groups.some(Boolean)) return [];
    const [title, lead] = sectionTitles[section];
    return [
      {
        id: section,
        title,
        html: `<section id="${section}" aria-labelledby="${section}-title"><h2 id="${section}-title">${title}</h2><p class="lead">${lead}</p>${groups.join('\n')}</section>`,
      },
    ];
  });
  const contents = [...sections, { id: 'repeat', title: 'How to repeat it' }];
  const root = (theme: 1 | 2) => colours.map((c) => `${c[0]}:${c[theme]}`).join(';');
  const specList = [...specs].map(([id, json]) => `${JSON.stringify(id)}:${json}`).join(',');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<link rel="icon" href="data:,">
<title>${html(study.title)} · toehold</title>
<style>
:root{${root(1)}}
@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){${root(2)}}}
@media screen{:root[data-theme=dark]{${root(2)}}}
${asset('page.css')}</style>
</head>
<body>
<a class="skip" href="#accuracy">Skip to the figures</a>
<header class="top"><span class="brand">${toehold}toehold</span><span class="meta">${html([study.protocol, study.backbone].join(' · '))}</span><button type="button" id="theme" hidden>Theme: auto</button></header>
<main>
${answerHtml(study, answer(study), colours)}
<div class="body">
<aside class="rail">
<nav aria-label="Contents"><ol>${contents.map((s) => `<li><a href="#${s.id}">${s.title}</a></li>`).join('')}</ol></nav>
${filtersHtml(study, colours)}
</aside>
<div class="sections">
${sections.map((s) => s.html).join('\n')}
${repeatHtml(study)}
</div>
</div>
</main>
<div id="tip" role="status" hidden></div>
<script>
${licence()}
${vegaSource()}
</script>
<script type="application/json" id="specs">{"config":${config},"figures":{${specList}}}</script>
<script>
${asset('page.js')}</script>
</body>
</html>
`;
}

function filtersHtml(study: StudyRecord, colours: Colours): string {
  const chip = (kind: string, value: string, label: string, mark = '') =>
    `<button type="button" class="chip" aria-pressed="true" data-${kind}-filter="${html(value)}">${mark}${html(label)}</button>`;
  const tasks = study.tasks.map((t) => chip('task', t.task, t.task));
  const methods = studyMethods(study).map((m) => chip('method', m.id, m.label, symbol(m.shape, m.light, colours)));
  return `<div class="filters" hidden><div role="group" aria-labelledby="filter-tasks"><h2 id="filter-tasks">Tasks</h2><div class="chips">${tasks.join('')}</div></div><div role="group" aria-labelledby="filter-methods"><h2 id="filter-methods">Methods</h2><div class="chips">${methods.join('')}</div></div><button type="button" id="all" disabled>Show all</button></div>`;
}

/** The Vega spec that the page runs: as wide as its place. All figures have one config. */
function interactive(spec: FigureSpec): Spec {
  const plain = plainSpec(spec);
  return compiled(
    'vconcat' in plain
      ? plain
      : ({ ...plain, width: 'container', autosize: { type: 'fit-x', contains: 'padding' } } as FigureSpec),
  );
}

/** A spec without legends: the page has keys. */
function plainSpec(spec: FigureSpec): FigureSpec {
  return { ...withoutLegend({ ...spec, config: undefined }), config: spec.config } as FigureSpec;
}

/** A copy in which no encoding draws a legend. */
function withoutLegend<T>(part: T): T {
  if (Array.isArray(part)) return part.map(withoutLegend) as T;
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) => [key, key === 'legend' ? null : withoutLegend(value)]),
  ) as T;
}

/** The SVG for inlining: colours as variables, ids its own. */
function inlineSvg(id: string, svg: string, colours: Colours): string {
  const own = svg
    .replace(/\b(clip|gradient)_?(\d+)\b/g, `$1-${id}-$2`)
    .replace(/ xmlns:xlink="[^"]*"| version="[^"]*"/g, '');
  return themed(own, colours);
}

/** JSON that may stand inside a script element. */
const inlineJson = (json: string) => json.replaceAll('<', '\\u003c');

function withoutThumbnails(study: StudyRecord): StudyRecord {
  return { ...study, tasks: study.tasks.map(({ thumbnails: _, ...task }) => task) };
}

const asset = (name: string) => readFileSync(join(assets, name), 'utf8');

const vegaFolder = () => dirname(createRequire(import.meta.url).resolve('vega'));
const vegaSource = () =>
  readFileSync(join(vegaFolder(), 'vega.min.js'), 'utf8').replace(/\n\/\/# sourceMappingURL=.*/, '');
const licence = () =>
  `/* Vega, inlined so that this page needs no network. Its licence:\n${readFileSync(join(vegaFolder(), '..', 'LICENSE'), 'utf8')}*/`;

const toehold =
  '<svg class="mark" viewBox="0 0 20 20" aria-hidden="true"><path d="M3 17h14M3 17V13h4V9.5h4V6h4V3" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>';
