/**
 * Draws the published results again from their records: page, tables, the sentences of each README between its markers,
 * and what the README of the project quotes of them. Run: npx tsx docs/results/draw.ts
 */
import { access, copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { terminalText } from '../../src/cli/terminal.js';
import { adviceOf, type RunRecord, readRecord, taskOf } from '../../src/record/index.js';
import { tablesOf, writeReportOf } from '../../src/report/index.js';
import { catalogue } from '../../src/study/index.js';
import { printedIn, withPrinted } from './printed.js';

const results = fileURLToPath(new URL('.', import.meta.url));
/** Tables that are kept beside a record; those that its README shows come first. */
const shown = (id: string) => id === 'results' || id.startsWith('copied-');
const kept = (id: string) => shown(id) || ['recommendations', 'comparisons', 'cells', 'networks', 'network-pairs'].includes(id);
const [from, to] = ['<!-- from the record: draw.ts -->', '<!-- end -->'];

/** What the README says of a record: its results and its answer, word for word. */
function sentences({ answer }: RunRecord, results: string): string {
  const { each, others } = adviceOf(answer);
  const advice = each.map((t) => `- **${taskOf(t)}**: ${t.advice}. ${t.sentence}`);
  if (others) advice.push(`- ${others}`);
  const missing = answer.missing.map((line) => `- ${line}`);
  return [answer.headline, ...answer.deck, results.trim(), advice.join('\n'), ...missing].join('\n\n');
}

const exists = (path: string) => access(path).then(
  () => true,
  () => false,
);

for (const { name, parentPath } of (await readdir(results, { withFileTypes: true })).filter((e) => e.isDirectory())) {
  const folder = join(parentPath, name);
  const record = await readRecord(folder, catalogue);
  if (!(await exists(join(folder, 'README.md')))) continue;
  const drawn = await mkdtemp(join(tmpdir(), 'results-'));
  const { report } = await writeReportOf(record, drawn);
  await copyFile(report, join(folder, 'report.html'));
  const tables = (await readdir(join(drawn, 'tables'))).flatMap((file) => /^(.*)\.md$/.exec(file)?.[1] ?? []).filter(kept).sort();
  for (const table of tables)
    for (const form of ['csv', 'md']) await copyFile(join(drawn, 'tables', `${table}.${form}`), join(folder, `${table}.${form}`));
  const readme = await readFile(join(folder, 'README.md'), 'utf8');
  const [before, after] = [readme.slice(0, readme.indexOf(from) + from.length), readme.slice(readme.indexOf(to))];
  const captions = new Map(tablesOf(record, []).map(({ id, caption }) => [id, caption]));
  const results = await Promise.all(
    tables.filter(shown).map(async (id) => {
      const table = (await readFile(join(folder, `${id}.md`), 'utf8')).trim();
      return id === 'results' ? table : `${captions.get(id)}\n\n${table}`;
    }),
  );
  const text = sentences(record, results.join('\n\n'));
  await writeFile(join(folder, 'README.md'), `${before}\n${text}\n${after}`);
  await rm(drawn, { recursive: true });
}

const readme = fileURLToPath(new URL('../../README.md', import.meta.url));
const text = await readFile(readme, 'utf8');
const prints = new Map<string, string>();
for (const { folder } of printedIn(text)) {
  prints.set(folder, terminalText(await readRecord(join(results, '../..', folder), catalogue)));
}
await writeFile(readme, withPrinted(text, prints));
