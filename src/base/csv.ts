/** CSV as RFC 4180 has it: the one writer of every table that toehold leaves. */
import { harmlessCell } from './printable.js';

export type CsvCell = string | number | boolean | null | undefined;

/** A header line and one line per row, each ended by a line feed; absent cells are empty; see harmlessCell. */
export async function csv(header: readonly string[], rows: readonly (readonly CsvCell[])[]): Promise<string> {
  const { writeToString } = await import('fast-csv');
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? harmlessCell(cell) : (cell ?? ''))));
  return writeToString([[...header], ...cells], { includeEndRowDelimiter: true });
}
