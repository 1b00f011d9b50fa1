/** How wide text is on a terminal, and text brought to its width. Files and pipes have no width: lines stay whole there. */
import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';

/** Columns of the terminal that results go to; Infinity where they go elsewhere. */
export function terminalColumns(stream: { isTTY?: boolean; columns?: number } = process.stdout): number {
  return stream.isTTY ? Math.max(20, stream.columns ?? 80) : Number.POSITIVE_INFINITY;
}

/** Cells that a text takes: two for a Chinese character, none for a combining mark. */
export const widthOf = (text: string): number => stringWidth(text);

/** A line as lines of at most so many columns, broken between words; what is continued is indented as its beginning is. */
export function wrapLine(line: string, columns: number): string[] {
  if (!Number.isFinite(columns) || widthOf(line) <= columns) return [line];
  const [indent = ''] = /^\s*/.exec(line) ?? [];
  const hanging = indent.length > columns / 2 ? '' : indent;
  return wrapAnsi(line.slice(indent.length), columns - hanging.length)
    .split('\n')
    .map((part) => hanging + part);
}

/** The beginning of a text that fits, with an ellipsis where something is missing. */
export function truncate(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let cut = '';
  for (const character of text) {
    if (widthOf(cut + character) > columns - 1) break;
    cut += character;
  }
  return `${cut}…`;
}
