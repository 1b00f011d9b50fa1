/** Text for people: numbers, tables, CSV. */

import fc from 'fast-check';
import { parseString } from 'fast-csv';
import { describe, expect, test } from 'vitest';
import { csv, formatSeconds, percent, quantity, textTable } from '../../src/base/index.js';

describe('numbers', () => {
  test.each([
    [0, '0'],
    [999, '999'],
    [999.6, '1.00 k'],
    [999_900, '1.00 M'],
    [1_234_567, '1.23 M'],
    [-2048, '-2.05 k'],
    [0.125, '0.125'],
  ])('quantity(%d) is %s', (value, text) => expect(quantity(value)).toBe(text));

  test('a quantity of something carries its unit', () => {
    expect(quantity(171e6, 'B')).toBe('171 MB');
    expect(quantity(12, 'B')).toBe('12 B');
  });

  test('shares are percentages', () => {
    expect(percent(0.81234)).toBe('81.2');
    expect(percent(1, 0)).toBe('100');
  });

  test.each([
    [0.4, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [3599.7, '1 h 0 min'],
    [7500, '2 h 5 min'],
    [-3, '0 s'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('formatSeconds(%d) is %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));
});

describe('tables for the terminal', () => {
  test('numbers to the right, words to the left, a rule under the header', () => {
    const rows = [
      ['linear', '60.6', '57.5 - 63.6', '100 %'],
      ['all-l2', '5.9', '62.9 - 68.8', ''],
    ];
    expect(textTable(['method', 'test %', '95 % interval', 'network'], rows)).toEqual([
      'method  test %  95 % interval  network',
      '──────  ──────  ─────────────  ───────',
      'linear    60.6    57.5 - 63.6    100 %',
      'all-l2     5.9    62.9 - 68.8',
    ]);
  });

  test('a column with one word in it is a column of words', () => {
    expect(textTable(['a'], [['1'], ['not run']])).toEqual(['a', '───────', '1', 'not run']);
    expect(textTable(['file'], [['001.png'], ['1.png']])[3]).toBe('1.png');
  });

  test.each(['1.23 M', '2.05 k', '171 MB', '66.0 ± 2.9', '+4.1', '−4.1', '1.2e-7', '< 0.01 %', '12 s', '.5', '1,024'])(
    '%s counts as a number',
    (cell) => expect(textTable(['x'], [[cell], ['1234567890123']])[2]).toMatch(/^ /),
  );

  test('no rows, short rows and control characters do no harm', () => {
    expect(textTable(['a', 'b'], [])).toEqual(['a  b', '─  ─']);
    expect(textTable(['a', 'b'], [['x']])[2]).toBe('x');
    expect(textTable(['a'], [['red\u001b[31m\nline']])[2]).toBe('red [31m line');
  });
});

describe('CSV', () => {
  test('quotes what needs it, leaves absent cells empty, ends every line', async () => {
    const text = await csv(
      ['file', 'n', 'ok'],
      [
        ['a,"b"', 1.5, true],
        ['c', undefined, null],
      ],
    );
    expect(text).toBe('file,n,ok\n"a,""b""",1.5,true\nc,,\n');
    expect(await csv(['a'], [])).toBe('a\n');
  });

  test('any text comes back', async () => {
    // The x: a file's first character may be a byte order mark, which belongs to no cell.
    const cell = fc.string({ minLength: 1 }).map((s) => `x${s}`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1 }), async (rows) => {
        const text = await csv(['first', 'second'], rows);
        const back: string[][] = [];
        await new Promise((resolve, reject) => {
          parseString(text)
            .on('data', (row) => back.push(row))
            .on('end', resolve)
            .on('error', reject);
        });
        expect(back).toEqual([['first', 'second'], ...rows]);
      }),
    );
  });
});
