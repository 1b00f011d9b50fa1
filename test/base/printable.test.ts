/** Names are others' text: neither a terminal, nor a spreadsheet, nor a page of Markdown obeys them. */
import { describe, expect, test } from 'vitest';
import { createStatus, csv, harmlessCell, printable, printableJson } from '../../src/base/index.js';
import { fail, note, printJson, printText, startOutput } from '../../src/cli/output.js';
import { toMarkdown } from '../../src/report/index.js';
import { captured } from '../support/cli.js';

const evil = 'cat\u001b[2J\u009b31m\u0007\u202e\u007f';
const codes = /[^\P{Cc}\n\t]|[\u202a-\u202e]/u;

describe('a terminal', () => {
  test('gets no control codes of a name, in messages, results, errors and progress', async () => {
    startOutput(false);
    const { stdout, stderr } = await captured(() => {
      printText([evil]);
      printJson({ [evil]: evil });
      note(evil);
      fail(new Error(evil));
    });
    const lines: string[] = [];
    const status = createStatus({
      stream: { write: (text: string) => lines.push(text) > 0, isTTY: false },
      plainSeconds: 0,
    });
    status.show(evil, true);
    status.line(evil);
    for (const text of [stdout, stderr, lines.join('')]) {
      expect(text).toContain('cat');
      expect(text).not.toMatch(codes);
    }
  });

  test('gets line ends, tabs and every script', () => {
    const text = 'a\tb\nZürich 数据 👩‍🔬 ﷽';
    expect(printable(text)).toBe(text);
  });

  test('JSON says the same as it did', () => {
    const value = { [evil]: [evil, 1, null] };
    expect(JSON.parse(printableJson(value))).toEqual(value);
  });
});

describe('a spreadsheet', () => {
  test.each(['=1+1', '+cmd|x', '-2+3', '@SUM(A1)', '\t=1'])('does not compute %j', async (text) => {
    expect(harmlessCell(text)).toBe(`'${text}`);
    expect(await csv(['class'], [[text]])).toMatch(/^class\n"?'/);
  });

  test.each(['-0.5', '+1e-3', '-12', 'a=b', "o'clock", ''])('keeps %j', (text) => {
    expect(harmlessCell(text)).toBe(text);
  });
});

test('Markdown shows a tag as text', () => {
  const table = { id: 't', caption: 't', columns: [{ title: 'class' }], rows: [['<img src=x onerror=alert(1)> & |']] };
  expect(toMarkdown(table)).toContain('| &lt;img src=x onerror=alert(1)&gt; &amp; \\| |');
});
