/**
 * @module report: study records to figures, tables and one self-contained page.
 * Reads `study.json` of a run folder (see records.ts) and nothing else.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileError, messageOf, UserError, writeFileAtomic } from '../base/index.js';
import { type StudyInput, StudyRecord } from '../record/index.js';
import { type Figure, figuresOf } from './figures/index.js';
import { pageHtml } from './page/page.js';
import { renderSvg } from './svg.js';
import { lasting, type Table, toCsv, toLatex, toMarkdown } from './table.js';
import { cellsTable, comparisonsTable, recommendationsTable, resultsTable } from './tables.js';

export * from '../record/index.js';
export { type Answer, answer, type Comparison, compareOverTasks, labelOf, type TaskAnswer } from '../record/index.js';
export { type Figure, figuresOf } from './figures/index.js';
export { type FigureSpec, renderSvg } from './svg.js';
export { type Table, toCsv, toLatex, toMarkdown } from './table.js';

/** Name of the study record in a run folder. */
export const studyFile = 'study.json';

export interface WrittenReport {
  /** Path of the page. */
  report: string;
  bytes: number;
  figures: string[];
  tables: string[];
}

/** Checks a study record; the error names the field. */
export function parseStudy(value: unknown, where: string): StudyRecord {
  const parsed = StudyRecord.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError(
    `${where}: ${issue?.path.join('.') || 'the record'}: ${issue?.message ?? z.prettifyError(parsed.error)}; write it again with "toehold run"`,
  );
}

/** Reads the study record of a run folder. */
export async function readStudy(runFolder: string): Promise<StudyRecord> {
  const path = join(runFolder, studyFile);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? new UserError(
          `${path} is missing: ${runFolder} is not the folder of a study; make one with "toehold run CONFIG -o ${runFolder}"`,
        )
      : fileError(error, path);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: not JSON (${messageOf(error)}); run the study again to write it`);
  }
  return parseStudy(value, path);
}

/** Every table of a study: its own, and one per figure. */
export function tablesOf(study: StudyRecord, figures: readonly Figure[] = figuresOf(study)): Table[] {
  const own = [resultsTable(study), comparisonsTable(study), cellsTable(study), recommendationsTable(study)];
  return [...own.filter((t) => t.rows.length > 0), ...figures.map((f) => f.table)];
}

/** Writes figures/, tables/ and report.html into the run folder from its records alone. Same record, same bytes. */
export async function writeReport(runFolder: string): Promise<WrittenReport> {
  return writeReportOf(await readStudy(runFolder), runFolder);
}

/** As {@link writeReport}, from a record in memory. */
export async function writeReportOf(study: StudyRecord | StudyInput, folder: string): Promise<WrittenReport> {
  const record = parseStudy(study, 'study record');
  const figures = figuresOf(record);
  const svgs = new Map<string, string>();
  for (const figure of figures) svgs.set(figure.id, await renderSvg(figure.spec));
  const files = {
    figures: figures.flatMap((figure): [string, string][] => [
      [`figures/${figure.id}.vl.json`, `${JSON.stringify(figure.spec, null, 1)}\n`],
      [`figures/${figure.id}.svg`, `${svgs.get(figure.id)}\n`],
    ]),
    tables: await tableFiles(tablesOf(record, figures)),
  };
  await Promise.all(
    [...files.figures, ...files.tables].map(([path, text]) => writeFileAtomic(join(folder, path), text)),
  );
  const page = await pageHtml(record, figures, svgs);
  const report = join(folder, 'report.html');
  await writeFileAtomic(report, page);
  const names = (list: [string, string][]) => list.map(([path]) => path);
  return { report, bytes: Buffer.byteLength(page), figures: names(files.figures), tables: names(files.tables) };
}

async function tableFiles(tables: readonly Table[]): Promise<[string, string][]> {
  const files: [string, string][] = [];
  for (const table of tables.map(lasting))
    files.push(
      [`tables/${table.id}.csv`, await toCsv(table)],
      [`tables/${table.id}.md`, toMarkdown(table)],
      [`tables/${table.id}.tex`, toLatex(table)],
    );
  return files;
}
