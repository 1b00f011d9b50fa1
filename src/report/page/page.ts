/** The one page: everything inlined, nothing fetched, under its size limit. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ownFile } from '../../base/index.js';
import type { RunRecord } from '../../record/index.js';
import type { Drawing } from '../draw.js';
import type { BrokenFigure, Figure } from '../figures/index.js';
import { allCards, networkOf } from '../lookup.js';
import { nameOf } from '../marks.js';
import { html } from '../table.js';
import { themed, variables } from '../theme.js';
import { withGlossary } from './glossary.js';
import { answerHtml } from './head.js';
import { type Colours, symbol } from './html.js';
import { firstFigureHtml, numbersOf, sectionsOf } from './sections.js';

/** Bytes that a report may have. */
const pageLimit = 2_950_000;

/** What a page is made of. */
export interface PageParts {
  readonly record: RunRecord;
  readonly figures: readonly Figure[];
  readonly drawings: ReadonlyMap<string, Drawing>;
  readonly broken: readonly BrokenFigure[];
  /** The tables of figures as CSV, by the figure's id. */
  readonly csv?: ReadonlyMap<string, string>;
}

/** Builds report.html. */
export function pageHtml({ record, figures, drawings, broken, csv }: PageParts, limit = pageLimit): string {
  const colours = variables(allCards(record));
  const inlined: Inlined = { specs: new Map(), config: '{}', svgs: new Map(), sources: new Map() };
  for (const [id, drawing] of drawings) {
    const { config, $schema: _, ...spec } = drawing.spec;
    inlined.specs.set(id, themed(JSON.stringify(spec), colours));
    inlined.config = themed(JSON.stringify(config), colours);
    inlined.svgs.set(id, inlineSvg(id, drawing.plain, colours));
    const source = figures.find((f) => f.id === id);
    const files = { svg: drawing.svg, spec: source?.spec, csv: csv?.get(id) };
    inlined.sources.set(id, JSON.stringify(files));
  }
  const build = (thumbnails: boolean) =>
    documentOf({ record: thumbnails ? record : withoutThumbnails(record), figures, broken }, inlined, colours);
  // Too large: panels lose their interaction from the last on, then their files, then the thumbnails go, then drawings.
  let thumbnails = true;
  const excess = () => Buffer.byteLength(build(thumbnails)) - limit;
  const dropFrom = (pieces: Map<string, string>, sizeOf: (piece: string) => number) => {
    const panels = figures.filter((f) => !f.wide && pieces.has(f.id)).reverse();
    for (let over = excess(); over > 0 && panels.length > 0; over = excess()) {
      while (over > 0) {
        const panel = panels.shift();
        if (!panel) break;
        over -= sizeOf(pieces.get(panel.id) ?? '');
        pieces.delete(panel.id);
      }
    }
  };
  const packedSize = (piece: string) => packed(piece).length;
  dropFrom(inlined.specs, packedSize);
  dropFrom(inlined.sources, packedSize);
  if (excess() > 0) thumbnails = false;
  dropFrom(inlined.svgs, Buffer.byteLength);
  return build(thumbnails);
}

/** What stands in the page for each figure, by id. */
interface Inlined {
  /** Vega specs as JSON, and the config that they share. */
  readonly specs: Map<string, string>;
  config: string;
  /** Static SVGs. */
  readonly svgs: Map<string, string>;
  /** What a reader may take away: SVG that stands alone, Vega-Lite spec and CSV, as JSON. */
  readonly sources: Map<string, string>;
}

/** Text as the page's script unpacks it: a tenth of what it would be. */
const packed = (text: string): string => gzipSync(text, { level: 9 }).toString('base64');

/** The whole document. */
function documentOf(
  { record, figures, broken }: Omit<PageParts, 'drawings'>,
  { specs, config, svgs, sources }: Inlined,
  colours: Colours,
): string {
  const numbers = numbersOf(record, [...figures, ...broken]);
  const pieces = { figures, broken, drawings: svgs, colours, numbers };
  const sections = sectionsOf(record, pieces);
  const [picture = '', ...bodies] = [firstFigureHtml(record, pieces), ...sections.map((s) => s.html)];
  const glossary = withGlossary([picture, ...bodies]);
  const [first = '', ...linked] = glossary.parts;
  const root = (theme: 1 | 2) => colours.map((c) => `${c[0]}:${c[theme]}`).join(';');
  const listed = (pieces: ReadonlyMap<string, string>) =>
    `{${[...pieces].map(([id, json]) => `${JSON.stringify(id)}:${json}`).join(',')}}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'">
<link rel="icon" href="data:,">
<title>${html(record.title)} · toehold</title>
<style>
:root{${root(1)}}
@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){${root(2)}}}
@media screen{:root[data-theme=dark]{${root(2)}}}
${asset('page.css')}</style>
</head>
<body>
<a class="skip" href="#${sections[0]?.id}">Skip to the figures</a>
<header class="top"><span class="brand">${toehold}toehold</span><span class="meta">${html([record.protocol, networkOf(record)].join(' · '))}</span><button type="button" id="theme" hidden>Theme: auto</button></header>
<main>
${answerHtml(record, colours, first)}
<div class="body">
<aside class="rail">
<nav aria-label="Contents"><ol>${sections.map((s) => `<li><a href="#${s.id}">${s.title}</a></li>`).join('')}${glossary.list ? '<li><a href="#glossary">Terms</a></li>' : ''}</ol></nav>
${filtersHtml(record, colours)}
</aside>
<div class="sections">
${linked.join('\n')}
${glossary.list ? `<section id="glossary" aria-labelledby="glossary-title"><h2 id="glossary-title">Terms</h2>${glossary.list}</section>` : ''}
</div>
</div>
</main>
<div id="tip" role="status" hidden></div>
<script>
${licence()}
${vegaSource()}
</script>
<script type="text/plain" id="specs" data-ids="${[...specs.keys()].map(html).join(' ')}">${packed(`{"config":${config},"figures":${listed(specs)}}`)}</script>
<script type="text/plain" id="sources" data-ids="${[...sources.keys()].map(html).join(' ')}">${packed(listed(sources))}</script>
<script>
${asset('page.js')}</script>
</body>
</html>
`;
}

/** Buttons that show and hide tasks and methods, where there are several. */
function filtersHtml(record: RunRecord, colours: Colours): string {
  const chip = (kind: string, value: string, label: string, mark = '') =>
    `<button type="button" class="chip" aria-pressed="true" data-${kind}-filter="${html(value)}">${mark}${html(label)}</button>`;
  const tasks = record.tasks.map((t) => chip('task', t.task, t.task));
  const methods = allCards(record).map((m) =>
    chip('method', m.id, nameOf(m), symbol({ shape: m.shape, color: m.light }, colours)),
  );
  const group = (id: string, title: string, chips: readonly string[]) =>
    `<div role="group" aria-labelledby="filter-${id}"${chips.length > 1 ? '' : ' hidden'}><h2 id="filter-${id}">${title}</h2><div class="chips">${chips.join('')}</div></div>`;
  const groups = [group('tasks', 'Tasks', tasks), group('methods', 'Methods', methods)];
  const few = tasks.length < 2 && methods.length < 2;
  return `<div class="${few ? 'no-filters' : 'filters'}" hidden>${groups.join('')}<button type="button" id="all" disabled>Show all</button></div>`;
}

/** The SVG for inlining: colours as variables, ids its own. */
function inlineSvg(id: string, svg: string, colours: Colours): string {
  const own = svg
    .replace(/\b(clip|gradient)_?(\d+)\b/g, `$1-${id}-$2`)
    .replace(/ xmlns:xlink="[^"]*"| version="[^"]*"/g, '');
  return themed(own, colours);
}

function withoutThumbnails(record: RunRecord): RunRecord {
  return { ...record, tasks: record.tasks.map(({ thumbnails: _, ...task }) => task) };
}

const asset = (name: string) => readFileSync(ownFile(`assets/report/${name}`), 'utf8');

const vegaFolder = () => dirname(createRequire(import.meta.url).resolve('vega'));
const vegaSource = () =>
  readFileSync(join(vegaFolder(), 'vega.min.js'), 'utf8').replace(/\n\/\/# sourceMappingURL=.*/, '');
const licence = () =>
  `/* Vega, inlined so that this page needs no network. Its licence:\n${readFileSync(join(vegaFolder(), '..', 'LICENSE'), 'utf8')}*/`;

const toehold =
  '<svg class="mark" viewBox="0 0 20 20" aria-hidden="true"><path d="M3 17h14M3 17V13h4V9.5h4V6h4V3" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>';
