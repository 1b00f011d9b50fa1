/** Text of others is decoded strictly, and tables are read the same whatever stands between their cells. */
import { describe, expect, test } from 'vitest';
import { decodeText, parseCsvRows } from '../../src/base/index.js';

const utf16 = (text: string, big = false) => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return big ? bytes.swap16() : bytes;
};

describe('text', () => {
  test('is UTF-8 with or without a mark, UTF-16 with one, or what it is said to be', () => {
    for (const bytes of [
      Buffer.from('Zürich\n'),
      Buffer.from('\ufeffZürich\n'),
      utf16('Zürich\n'),
      utf16('Zürich\n', true),
    ]) {
      expect(decodeText(bytes, 'labels.txt')).toBe('Zürich\n');
    }
    expect(decodeText(Buffer.from('Zürich', 'latin1'), 'labels.txt', 'windows-1252')).toBe('Zürich');
  });

  test('in another encoding is an error with line and byte', () => {
    expect(() => decodeText(Buffer.from('cat\ndog\nZürich\n', 'latin1'), 'labels.txt')).toThrow(
      'labels.txt line 3: byte 10 (0xfc) is not UTF-8: save the file as UTF-8, or name its encoding with --encoding (windows-1252, for example)',
    );
    expect(() => decodeText(Buffer.from('a'), 'x', 'klingon')).toThrow("there is no encoding 'klingon'");
  });
});

describe('a table', () => {
  const cells = (text: string) => parseCsvRows(text, 't.csv').map((row) => row.cells);

  test.each([',', ';', '\t'])('with %j between its cells', (d) => {
    const text = `file${d}label\n"a 1.png"${d} cat \n"b,;\t""2"".png"${d}"dog\r\nbig"\n\n${d}\nc${d}`;
    expect(cells(text)).toEqual([
      ['file', 'label'],
      ['a 1.png', 'cat'],
      ['b,;\t"2".png', 'dog\r\nbig'],
      ['c', ''],
    ]);
  });

  test('knows on which line a row starts', () => {
    expect(parseCsvRows('a,b\r\n"x\ny",1\n\nz,2', 't.csv').map((row) => row.line)).toEqual([1, 2, 5]);
  });

  test('with broken quotes is an error with its line', () => {
    expect(() => cells('a,b\n"x"y,1\n')).toThrow('t.csv line 2: text follows a closing quote');
    expect(() => cells('a,b\nx,"1\n2\n')).toThrow('t.csv line 2: a quote is opened and never closed');
  });

  test('with a cell of 10 MB is read in one pass', () => {
    const long = '"" x'.repeat(2_500_000);
    expect(cells(`file,label\n"${long}",cat\n`)[1]?.[0]).toHaveLength(7_500_000);
  });
});
