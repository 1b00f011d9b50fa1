/** Reads tables of text: CSV as RFC 4180 has it, also with semicolons or tabs between cells. One pass over the text. */
import { UserError } from './errors.js';

export interface CsvRow {
  /** Line of the file on which it starts, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * Rows of a table; spaces around cells and rows without any text are dropped.
 * @param delimiter between cells, '' where every row is one; by default the one of comma, semicolon and tab that the first line has most of
 * @throws UserError naming the line of a quote that is never closed, or that other text follows
 */
export function parseCsvRows(text: string, path: string, delimiter = delimiterOf(text)): CsvRow[] {
  const rows: CsvRow[] = [];
  let cells: string[] = [];
  let line = 1;
  let first = 1;
  let at = 0;
  const endRow = () => {
    if (cells.some((cell) => cell !== '')) rows.push({ line: first, cells });
    cells = [];
  };
  while (at < text.length) {
    if (cells.length === 0) first = line;
    const start = skipSpaces(text, at, delimiter);
    if (text[start] === '"') {
      const quoted = readQuoted(text, start, path, line);
      cells.push(quoted.cell.trim());
      line += quoted.lines;
      at = skipSpaces(text, quoted.end, delimiter);
      if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') {
        throw new UserError(`${path} line ${line}: text follows a closing quote; double the quotes within a cell`);
      }
    } else {
      at = endOfCell(text, start, delimiter);
      cells.push(text.slice(start, at).trim());
    }
    if (text[at] === delimiter) {
      at++;
      // A delimiter at the very end is followed by an empty cell.
      if (at === text.length) cells.push('');
      continue;
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at++;
    at++;
    line++;
    endRow();
  }
  endRow();
  return rows;
}

function delimiterOf(text: string): string {
  const end = text.search(/[\r\n]/);
  const header = (end < 0 ? text : text.slice(0, end)).replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => header.split(delimiter).length;
  return [',', ';', '\t'].reduce((most, delimiter) => (count(delimiter) > count(most) ? delimiter : most));
}

function skipSpaces(text: string, from: number, delimiter: string): number {
  let at = from;
  while (text[at] === ' ' || (text[at] === '\t' && delimiter !== '\t')) at++;
  return at;
}

function endOfCell(text: string, from: number, delimiter: string): number {
  let at = from;
  while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at++;
  return at;
}

function readQuoted(text: string, start: number, path: string, line: number) {
  const parts: string[] = [];
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new UserError(`${path} line ${line}: a quote is opened and never closed`);
    parts.push(text.slice(from, quote));
    if (text[quote + 1] === '"') {
      parts.push('"');
      from = quote + 2;
      continue;
    }
    const cell = parts.join('');
    return { cell, end: quote + 1, lines: cell.split('\n').length - 1 };
  }
}
