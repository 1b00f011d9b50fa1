/** Tables for the terminal. */
import { terminalColumns, truncate, widthOf } from './width.js';

const number = String.raw`[-+−~<>≤≥]?\s?(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?`;
const numeric = new RegExp(`^(?:${number}(?: ?(?:%|[kMGTPE]?B?|ms|s|min|h))?(?: (?:-|–|±|to) ${number})?)?$`);

/** A name may hold anything; a terminal must not obey it. */
const oneLine = (text: string) => text.replace(/\p{Cc}+/gu, ' ');

const gap = 2;

/**
 * Columns of equal width under a ruled header. A column whose cells are all numbers, ranges or empty stands to the right,
 * any other to the left. A table that is wider than the terminal is printed in parts, each with the first column; words of a
 * column that is too wide by itself are cut.
 * @param room columns of the terminal
 */
export function textTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  room = terminalColumns(),
): string[] {
  const body = rows.map((row) => header.map((_, j) => oneLine(row[j] ?? '')));
  const right = header.map((_, j) => body.every((row) => numeric.test(row[j] ?? '')));
  const lengths = (cells: readonly string[]) => cells.map(widthOf);
  const wanted = [header, ...body].map(lengths).reduce((widest, row) => widest.map((w, j) => Math.max(w, row[j] ?? 0)));
  const widths = fitted(wanted, right, room);
  const line = (columns: readonly number[], cells: readonly string[]) =>
    columns
      .map((j) => {
        const cell = truncate(cells[j] ?? '', widths[j] ?? 0);
        const space = ' '.repeat(Math.max(0, (widths[j] ?? 0) - widthOf(cell)));
        return right[j] ? space + cell : cell + space;
      })
      .join(' '.repeat(gap))
      .trimEnd();
  return parts(widths, room).flatMap((columns, i) => [
    ...(i > 0 ? [''] : []),
    line(columns, header),
    columns.map((j) => '─'.repeat(widths[j] ?? 0)).join(' '.repeat(gap)),
    ...body.map((row) => line(columns, row)),
  ]);
}

/** Numbers keep their width; words give way: the first column down to a third of the room, others to what is left beside it. */
function fitted(wanted: readonly number[], right: readonly boolean[], room: number): number[] {
  const total = wanted.reduce((sum, w) => sum + w, 0) + gap * (wanted.length - 1);
  if (total <= room) return [...wanted];
  const first = Math.min(wanted[0] ?? 0, Math.max(8, Math.floor(room / 3)));
  return wanted.map((w, j) => (j === 0 ? first : right[j] ? w : Math.min(w, Math.max(8, room - first - gap))));
}

/** Columns side by side, as many as there is room for; the first begins every part. */
function parts(widths: readonly number[], room: number): number[][] {
  const [first = 0, ...rest] = widths;
  const found: number[][] = [[0]];
  let used = first;
  for (const [i, width] of rest.entries()) {
    if (used + gap + width > room && (found.at(-1)?.length ?? 0) > 1) {
      found.push([0]);
      used = first;
    }
    found.at(-1)?.push(i + 1);
    used += gap + width;
  }
  return found;
}
