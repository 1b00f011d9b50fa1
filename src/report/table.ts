/** A table once, as CSV, Markdown, LaTeX and HTML. */
import { csv, textTable } from '../base/index.js';

export type Cell = string | number | undefined;

export interface Column {
  readonly title: string;
  /** How a number is printed for people; CSV keeps it as it is. */
  readonly format?: (v: number) => string;
  /** Differs between equal runs: shown in the page, left out of the files, which are equal for equal runs. */
  readonly varies?: boolean;
  /** Holds sentences: wraps in the page. */
  readonly wraps?: boolean;
}

/** A table of a report. */
export interface Table {
  readonly id: string;
  readonly caption: string;
  readonly columns: readonly Column[];
  /** An absent cell is printed as an en dash and left empty in CSV. */
  readonly rows: readonly (readonly Cell[])[];
}

/** The table without columns that no row has anything for. */
export function compact(table: Table): Table {
  const keeps = (_: unknown, i: number) => table.rows.some((row) => row[i] !== undefined);
  return withColumns(table, keeps);
}

/** The table without what varies between equal runs. */
export function lasting(table: Table): Table {
  return withColumns(table, (_, i) => !table.columns[i]?.varies);
}

function withColumns(table: Table, keeps: (_: unknown, i: number) => boolean): Table {
  return { ...table, columns: table.columns.filter(keeps), rows: table.rows.map((row) => row.filter(keeps)) };
}

/** The table as CSV. */
export function toCsv(table: Table): Promise<string> {
  return csv(
    table.columns.map((c) => c.title),
    table.rows,
  );
}

/** The table as Markdown. */
export function toMarkdown(table: Table): string {
  const oneCell = (text: string) =>
    text
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('|', '\\|')
      .replace(/\s+/g, ' ');
  const line = (cells: readonly string[]) => `| ${cells.map(oneCell).join(' | ')} |`;
  const rule = line(table.columns.map((_, i) => (isNumeric(table, i) ? '---:' : '---')));
  return `${[line(table.columns.map((c) => c.title)), rule, ...table.rows.map((row) => line(printed(table, row)))].join('\n')}\n`;
}

/** Lines for a terminal. */
export function toText(table: Table): string[] {
  return textTable(
    table.columns.map((c) => c.title),
    table.rows.map((row) => printed(table, row)),
  );
}

/** A tabular with rules of the booktabs package. */
export function toLatex(table: Table): string {
  const line = (cells: readonly string[]) => `  ${cells.map(latex).join(' & ')} \\\\`;
  return `${[
    `% ${table.caption}`,
    `\\begin{tabular}{${table.columns.map((_, i) => (isNumeric(table, i) ? 'r' : 'l')).join('')}}`,
    '  \\toprule',
    line(table.columns.map((c) => c.title)),
    '  \\midrule',
    ...table.rows.map((row) => line(printed(table, row))),
    '  \\bottomrule',
    '\\end{tabular}',
  ].join('\n')}\n`;
}

/** Rows of a table in the page; the files have all. */
const htmlRows = 400;

/** @param above words that stand over the table: a caption that says the same is for screen readers only */
export function toHtml(table: Table, above?: string): string {
  const head = table.columns.map((c, i) => `<th scope="col"${classOf(table, i)}>${html(c.title)}</th>`).join('');
  const rows = table.rows.slice(0, htmlRows).map((row) => {
    const cells = printed(table, row).map((text, i) =>
      i === 0 ? `<th scope="row">${html(text)}</th>` : `<td${classOf(table, i)}>${html(text)}</td>`,
    );
    const task = table.columns[0]?.title === 'task' ? ` data-task="${html(String(row[0]))}"` : '';
    return `<tr${task}>${cells.join('')}</tr>`;
  });
  const more =
    table.rows.length > htmlRows
      ? ` (the first ${htmlRows} of ${table.rows.length} rows; all in tables/${html(table.id)}.csv)`
      : '';
  const quiet = more === '' && table.caption === above ? ' class="unseen"' : '';
  return `<table><caption${quiet}>${html(table.caption)}${more}</caption><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

export function html(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function printed(table: Table, row: readonly Cell[]): string[] {
  return table.columns.map((column, i) => {
    const cell = row[i];
    if (cell === undefined) return '–';
    return typeof cell === 'number' ? (column.format ?? String)(cell) : cell;
  });
}

function isNumeric(table: Table, column: number): boolean {
  return table.columns[column]?.format !== undefined || table.rows.some((row) => typeof row[column] === 'number');
}

const classOf = (table: Table, column: number) =>
  isNumeric(table, column) ? ' class="n"' : table.columns[column]?.wraps ? ' class="w"' : '';

const symbols: Record<string, string> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '−': '$-$',
  ℓ: '$\\ell$',
  '–': '--',
  '<': '$<$',
  '>': '$>$',
  λ: '$\\lambda$',
};

function latex(text: string): string {
  return text.replace(/[\\~^−ℓ–<>λ&%$#_{}]/g, (c) => symbols[c] ?? `\\${c}`);
}
