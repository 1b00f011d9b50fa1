/** Tables for the terminal. */

const number = String.raw`[-+−~<>≤≥]?\s?(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?`;
const numeric = new RegExp(`^(?:${number}(?: ?(?:%|[kMGTPE]?B?|ms|s|min|h))?(?: (?:-|–|±|to) ${number})?)?$`);

/** A name may hold anything; a terminal must not obey it. */
const oneLine = (text: string) => text.replace(/\p{Cc}+/gu, ' ');

/**
 * Columns of equal width under a ruled header. A column whose cells are all numbers, ranges or empty stands to the right,
 * any other to the left.
 */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const body = rows.map((row) => header.map((_, j) => oneLine(row[j] ?? '')));
  const lengths = (cells: readonly string[]) => cells.map((cell) => [...cell].length);
  const widths = [header, ...body].map(lengths).reduce((widest, row) => widest.map((w, j) => Math.max(w, row[j] ?? 0)));
  const right = header.map((_, j) => body.every((row) => numeric.test(row[j] ?? '')));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, j) => {
        const space = ' '.repeat((widths[j] ?? 0) - [...cell].length);
        return right[j] ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((w) => '─'.repeat(w)).join('  '), ...body.map(line)];
}
