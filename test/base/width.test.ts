/** Text brought to the width of a terminal, and progress that says how long. */
import { describe, expect, test } from 'vitest';
import { createSteps, terminalColumns, textTable, truncate, widthOf, wrapLine } from '../../src/base/index.js';

describe('lines', () => {
  test('are broken between words, and what follows is indented as the beginning is', () => {
    expect(wrapLine('  a note on several words', 14)).toEqual(['  a note on', '  several', '  words']);
    expect(wrapLine('short', 80)).toEqual(['short']);
  });
  test('stay whole where there is no terminal', () => {
    expect(terminalColumns({})).toBe(Number.POSITIVE_INFINITY);
    expect(terminalColumns({ isTTY: true, columns: 100 })).toBe(100);
    expect(wrapLine('word '.repeat(50), Number.POSITIVE_INFINITY)).toHaveLength(1);
  });
  test('are measured in cells: two for a Chinese character', () => {
    expect([widthOf('鳥'), widthOf('e\u0301')]).toEqual([2, 1]);
    expect(truncate('鳥鳥鳥', 5)).toBe('鳥鳥…');
    expect(truncate('fits', 4)).toBe('fits');
  });
});

describe('a table wider than the terminal', () => {
  const header = ['method', 'unseen-figures', 'textures', 'position'];
  const rows = [
    ['Linear', '95.0 [92.4, 96.7]', '58.3 [53.4, 63.0]', '72.0 [67.4, 76.2]'],
    ['Fine-tune', '87.8 [84.2, 90.6]', '71.3 [66.6, 75.5]', '95.3 [92.7, 96.9]'],
  ];
  test('comes in parts, each with the first column, and no number is cut', () => {
    const lines = textTable(header, rows, 50);
    expect(lines.every((line) => widthOf(line) <= 50)).toBe(true);
    expect(lines.filter((line) => line.startsWith('Linear'))).toHaveLength(2);
    for (const cell of rows.flat()) expect(lines.join('\n')).toContain(cell);
  });
  test('cuts words of a column that is too wide by itself', () => {
    const lines = textTable(['file', 'n'], [['a/very/long/name/of/an/image.png', '12']], 24);
    expect(lines.every((line) => widthOf(line) <= 24)).toBe(true);
    expect(lines.at(-1)).toMatch(/…\s+12$/);
  });
  test('is whole without a terminal', () => {
    expect(textTable(header, rows, Number.POSITIVE_INFINITY)).toHaveLength(4);
  });
});

describe('progress of steps', () => {
  const seconds = () => {
    let now = 0;
    return {
      clock: () => 1000 * now,
      at: (s: number) => {
        now = s;
      },
    };
  };
  test('says the time so far, then rate and end', () => {
    const { clock, at } = seconds();
    const timed = createSteps(clock);
    expect(timed('head2toe: fold 1 of 5')).toBe('head2toe: fold 1 of 5  0 s');
    at(10);
    expect(timed('head2toe: fold 2 of 5')).toBe('head2toe: fold 2 of 5  10 s, 10.0 s each, 40 s left');
    at(12);
    expect(timed('head2toe: all training rows')).toBe('head2toe: all training rows  12 s');
  });
  test('counts within counts: every setting of every fold', () => {
    const { clock, at } = seconds();
    const timed = createSteps(clock);
    timed('fold 1 of 2, setting 1 of 4');
    at(2);
    expect(timed('fold 1 of 2, setting 3 of 4')).toBe('fold 1 of 2, setting 3 of 4  2 s, 1.0 s each, 6 s left');
    at(4);
    expect(timed('fold 2 of 2, setting 1 of 4')).toBe('fold 2 of 2, setting 1 of 4  4 s, 1.0 s each, 4 s left');
  });
});
