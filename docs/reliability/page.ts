/** docs/reliability.md: what the long runs found, from the figures that they leave beside this file. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Column, toMarkdown } from '../../src/report/table.js';
import type { Tally as FuzzTally } from '../../test/fuzz/fuzz.js';
import type { Tally as WorkTally } from '../../test/reliability/disturb.js';
import type { Circumstances } from '../../test/support/figures.js';

interface FuzzFigures extends Circumstances {
  readonly inputs: number;
  readonly seed: string;
  readonly seconds: number;
  readonly peakBytes: number;
  readonly tallies: readonly FuzzTally[];
}

interface WorkFigures extends Circumstances {
  readonly seed: string;
  readonly tallies: readonly WorkTally[];
}

async function figures<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(fileURLToPath(new URL(name, import.meta.url)), 'utf8')) as T;
}

const count = (v: number) => v.toLocaleString('en');

export async function reliabilityPage(): Promise<string> {
  const [fuzz, works] = [await figures<FuzzFigures>('fuzz.json'), await figures<WorkFigures>('disturbed.json')];
  return `# Reliability: what was tried to break it
Written by \`npx tsx docs/reliability/draw.ts\` from what the two runs below leave; the kinds of damage are in \`test/fuzz\` and
\`test/reliability\`. Fewer of both run with the tests.

## Damaged files
\`npm run fuzz -- ${fuzz.inputs} --seed ${fuzz.seed} --json docs/reliability/fuzz.json\`: every file that others may have made, damaged by chance and
read as a command reads it. Bytes are changed, cut, doubled and moved, values of JSON files replaced, graphs of models rewired;
files that carry checksums are tried with sums that fit the damage, too. A file may be taken (the damage was harmless, or nobody can
see it) or refused in a sentence. A fault is any other error, a hang takes more than 5 s, and more than 20 s when it is tried again, a death ends the process.

${fuzzTable(fuzz)}
${count(fuzz.inputs)} inputs in ${(fuzz.seconds / 60).toFixed(0)} minutes; at most ${(fuzz.peakBytes / 2 ** 20).toFixed(0)} MiB of memory, the runtime and the compiler of the tests included. ${circumstances(fuzz)}

## Disturbed commands
\`npm run reliability -- MOMENTS --seed ${works.seed} --json docs/reliability/disturbed.json\`: a command is disturbed at a random moment and then repeated. *Kill*
is \`kill -9\` of all its processes, *kill of the parent* of the one that was started only (drawn again where the command was done before its moment); the disk is full after a random number
of bytes; an image that it reads is cut off and put back. *Hit*: it was still at work. *Identical*: after the repetition every output file
has the bytes of an undisturbed run, but for times. Every ending on the way must have a code of the contract and a sentence.

${workTable(works)}
${works.tallies.some((t) => t.faults.length > 0) ? works.tallies.flatMap((t) => t.faults.map((fault) => `- ${t.work}, ${t.disturbance}: ${fault}`)).join('\n') : 'No ending was against the contract.'} ${circumstances(works)}
`;
}

function circumstances({ date, machine }: Circumstances): string {
  return `${date}; ${machine}, and other work on it.`;
}

function fuzzTable({ tallies }: FuzzFigures): string {
  const columns = ['inputs', 'taken', 'sentences', 'faults', 'hangs', 'deaths'] as const;
  const sum = (column: (typeof columns)[number]) => tallies.reduce((total, t) => total + t[column], 0);
  return toMarkdown({
    id: 'fuzz',
    caption: '',
    columns: [{ title: 'file' }, ...columns.map((title): Column => ({ title, format: count }))],
    rows: [...tallies.map((t) => [t.target, ...columns.map((c) => t[c])]), ['all', ...columns.map(sum)]],
  });
}

function workTable({ tallies }: WorkFigures): string {
  const columns = ['moments', 'hit', 'identical'] as const;
  return toMarkdown({
    id: 'works',
    caption: '',
    columns: [
      { title: 'command' },
      { title: 'disturbance' },
      ...columns.map((title): Column => ({ title, format: count })),
    ],
    rows: tallies.map((t) => [t.work, t.disturbance, ...columns.map((c) => t[c])]),
  });
}
