/**
 * @module report: a run's record to figures, tables and one self-contained page. It draws what the record says, and decides
 * nothing: headline, advice and comparisons are the record's answer, word for word.
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../base/index.js';
import { type MethodCard, type RunRecord, readRecord, withMargin } from '../record/index.js';
import { drawAll } from './draw.js';
import { type BrokenFigure, type Figure, figuresOf } from './figures/index.js';
import { pageHtml } from './page/page.js';
import { compact, lasting, type Table, toCsv, toLatex, toMarkdown } from './table.js';
import { ownTables } from './tables.js';

export { type ComparedRun, comparisonOf, type WrittenComparison, writeComparison } from './compare-runs.js';
export type { BackboneScores } from './compare-scores.js';
export { copyTables } from './copy-tables.js';
export { type BrokenFigure, type Figure, figuresOf } from './figures/index.js';
export { type FigureSpec, renderSvg, standalone } from './svg.js';
export { type Table, toCsv, toLatex, toMarkdown, toText } from './table.js';
export { resultsTable } from './tables.js';

/** What a report wrote. */
export interface WrittenReport {
  /** Path of the page. */
  readonly report: string;
  /** Size of the page. */
  readonly bytes: number;
  /** How many were drawn. */
  readonly figures: number;
  readonly tables: number;
  /** What could not be drawn, a sentence each; the page says so too. */
  readonly failed: readonly string[];
}

/** Every table of a record: its own, and one per figure. */
export function tablesOf(record: RunRecord, figures: readonly Figure[] = figuresOf(record).figures): Table[] {
  return [...ownTables(record), ...figures.map((f) => f.table).filter((t) => t.rows.length > 0)];
}

/**
 * Writes report.html, figures/ and tables/ into the folder of a run or probe from its record alone. Same record, same
 * bytes.
 * @param cards what methods are drawn with where the record carries no cards (version 1)
 * @param margin in points, instead of the record's
 */
export async function writeReport(
  folder: string,
  cards: readonly MethodCard[] = [],
  margin?: number,
): Promise<WrittenReport> {
  const record = await readRecord(folder, cards);
  return writeReportOf(margin === undefined ? record : withMargin(record, margin), folder);
}

/** As {@link writeReport}, from a record in memory. */
export async function writeReportOf(record: RunRecord, folder: string): Promise<WrittenReport> {
  const { figures, broken: unmade } = figuresOf(record);
  const { drawings, broken: undrawn } = await drawAll(figures);
  const broken = [...unmade, ...undrawn];
  const files = figures.flatMap(({ id, spec }): [string, string][] => {
    const drawing = drawings.get(id);
    if (!drawing) return [];
    return [
      [`figures/${id}.vl.json`, `${JSON.stringify(spec, null, 1)}\n`],
      [`figures/${id}.svg`, `${drawing.svg}\n`],
    ];
  });
  const tables = tablesOf(record, figures);
  for (const table of tables.map(lasting).map(compact)) {
    files.push(
      [`tables/${table.id}.csv`, await toCsv(table)],
      [`tables/${table.id}.md`, toMarkdown(table)],
      [`tables/${table.id}.tex`, toLatex(table)],
    );
  }
  await Promise.all(files.map(([file, text]) => writeFileAtomic({ root: folder, file }, text)));
  const csv = new Map<string, string>();
  for (const { id, table } of figures) if (table.rows.length > 0) csv.set(id, await toCsv(lasting(table)));
  const page = pageHtml({ record, figures, drawings, broken, csv });
  await writeFileAtomic({ root: folder, file: 'report.html' }, page);
  return {
    report: join(folder, 'report.html'),
    bytes: Buffer.byteLength(page),
    figures: drawings.size,
    tables: tables.length,
    failed: broken.map(describe),
  };
}

const describe = ({ group, task, error }: BrokenFigure): string =>
  `figure ${group}${task === undefined ? '' : ` of ${task}`} could not be drawn: ${error}`;
