/** Renders benchmarks/RESULTS.md from benchmarks/results/*.json: `npm run bench:results`. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '../src/base/index.js';
import type { ResultRow } from './support.js';

interface Result {
  readonly title: string;
  readonly machine: string;
  readonly date: string;
  readonly rows: readonly ResultRow[];
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const files = readdirSync(here('results'))
  .filter((f) => f.endsWith('.json') && 'rows' in JSON.parse(readFileSync(here(`results/${f}`), 'utf8')))
  .sort();

const number = (value: number | undefined) => (value === undefined ? '' : String(Number(value.toPrecision(3))));

const sections = files.map((file) => {
  const { title, machine, date, rows } = JSON.parse(readFileSync(here(`results/${file}`), 'utf8')) as Result;
  return [
    `## ${title}`,
    `${machine}; ${date}.`,
    '',
    '| figure | measured | must | aim | on what |',
    '|---|---|---|---|---|',
    ...rows.map((r) => `| ${r.figure} | **${number(r.value)}** | ${number(r.must)} | ${number(r.aim)} | ${r.detail} |`),
  ].join('\n');
});

await writeFileAtomic(
  here('RESULTS.md'),
  `# Measured
Written by \`npm run bench:results\` from the files in \`benchmarks/results\`, which the benchmarks write; not by hand.
Ratios are taken within one run, sides in turn, the same work and the same threads on each side; times are minima over the
rounds, of the solvers medians. Larger is better unless it says otherwise. \`benchmarks/peers/setup.sh\` sets the peers up.

${sections.join('\n\n')}
`,
);
