import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nameForFile } from '../../src/base/index.js';

describe('a name as a file name', () => {
  test.each([
    'train',
    'val',
    's1.b1.act1',
    'block07.mlp',
    'features',
    'head2toe-ft',
    'Conv_3',
    'förskola',
    '数据',
    '_x',
    '-1',
  ])('%s is its own', (name) => expect(nameForFile(name)).toBe(name));

  const hostile: [string, RegExp][] = [
    ['../../x', /^_\.\._x~[0-9a-f]{16}$/],
    ['a/b', /^a_b~/],
    ['a\\b', /^a_b~/],
    ['/etc/passwd', /^_etc_passwd~/],
    ['C:\\x', /^C_x~/],
    ['.', /^~/],
    ['..', /^~/],
    ['', /^~/],
    ['.hidden', /^hidden~/],
    ['name.', /^name\.~/],
    ['con', /^con~/],
    ['NUL.txt', /^NUL\.txt~/],
    ['a\0b', /^a_b~/],
    ['a~b', /^a_b~/],
    ['line\nbreak', /^line_break~/],
    ['e\u0301', /^e_~/],
    ['x'.repeat(400), /^x{60}~/],
  ];
  test.each(hostile)('%j is told by a hash', (name, pattern) => {
    expect(nameForFile(name)).toMatch(pattern);
  });

  test('a name of a file that lies there already is not taken, whatever its case', () => {
    expect(nameForFile('Meta.json', ['meta.json'])).toMatch(/^Meta\.json~/);
    expect(nameForFile('meta', ['meta.json'])).toBe('meta');
  });

  test('different names never meet, and every one is a single segment of ordinary length', () => {
    const names = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('..', 'a/b', 'a_b', 'a:b', ''),
    );
    fc.assert(
      fc.property(names, names, (a, b) => {
        const [x, y] = [nameForFile(a), nameForFile(b)];
        expect(x === y).toBe(a === b);
        expect(x).not.toMatch(/[/\\\0]|^\.|^$/);
        expect(Buffer.byteLength(x)).toBeLessThanOrEqual(160);
        // What was made is an ordinary name only where nothing had to be made.
        expect(x.includes('~')).toBe(x !== a);
      }),
      { numRuns: 2000 },
    );
  });
});
