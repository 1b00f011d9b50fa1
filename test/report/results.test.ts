/** The published results say what their records say: page, tables and README, word for word. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { printedIn } from '../../docs/results/printed.js';
import { terminalText } from '../../src/cli/terminal.js';
import { adviceOf, type RunRecord, readRecord } from '../../src/record/index.js';
import { tablesOf, toCsv, toMarkdown } from '../../src/report/index.js';
import { claimOf } from '../../src/report/page/head.js';
import { compact, html, lasting } from '../../src/report/table.js';
import { catalogue } from '../../src/study/index.js';

const results = fileURLToPath(new URL('../../docs/results/', import.meta.url));
const folders = readdirSync(results, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? [e.name] : []));
const draw = 'run npx tsx docs/results/draw.ts';

const root = join(results, '../..');
const quoted = printedIn(readFileSync(join(root, 'README.md'), 'utf8'));

test('README quotes runs as they were printed', async () => {
  for (const { folder, printed } of quoted) {
    expect(printed, draw).toBe(terminalText(await readRecord(join(root, folder), catalogue)));
  }
});

const published = folders.filter((name) => existsSync(join(results, name, 'README.md')));
describe.each(published)('docs/results/%s', (name) => {
  const file = (of: string) => readFileSync(join(results, name, of), 'utf8');
  const record: Promise<RunRecord> = readRecord(join(results, name), catalogue);
  const sentences = record.then(({ answer }) => [
    answer.headline,
    ...answer.deck,
    ...adviceOf(answer).each.map((t) => t.sentence),
    ...answer.missing,
  ]);

  test('README and page have every sentence of the answer', async () => {
    const [readme, page] = [file('README.md'), file('report.html').replaceAll('\u00a0', ' ')];
    expect(readme, draw).toContain(adviceOf((await record).answer).others ?? '');
    for (const sentence of await sentences) {
      expect(readme, draw).toContain(sentence);
      // A long headline stands there in two parts.
      const parts =
        sentence === (await record).answer.headline
          ? Object.values(claimOf(sentence, (await record).methods))
          : [sentence];
      for (const part of parts) expect(page.includes(html(part)), `${draw}: ${part}`).toBe(true);
    }
  });
  test('tables are those of the record', async () => {
    for (const table of tablesOf(await record, [])) {
      if (!existsSync(join(results, name, `${table.id}.csv`))) continue;
      const kept = compact(lasting(table));
      expect(file(`${table.id}.csv`), draw).toBe(await toCsv(kept));
      expect(file(`${table.id}.md`), draw).toBe(toMarkdown(kept));
    }
  });
  test('no baseline is advised', async () => {
    const { answer, methods } = await record;
    for (const { method } of answer.tasks)
      if (method !== undefined) expect(methods.find((m) => m.id === method)?.role).toBe('candidate');
  });
});
