/** npm run fuzz -- [INPUTS] [--seed S] [--only TARGET] [--json FILE]: prints a table; ends with 1 when anything was found. */
import { parseArgs } from 'node:util';
import { textTable } from '../../src/base/index.js';
import { writeFigures } from '../support/figures.js';
import { type FuzzResult, fuzz } from './fuzz.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' }, only: { type: 'string' }, json: { type: 'string' } },
});
const inputs = Number(positionals[0] ?? 2000);
const save = async ({ inputs, seconds, peakBytes, tallies }: FuzzResult) => {
  if (values.json) await writeFigures(values.json, { inputs, seed: values.seed, seconds, peakBytes, tallies });
};
const result = await fuzz({
  inputs,
  seed: values.seed,
  only: values.only,
  onProgress: (soFar) => {
    process.stderr.write(`${soFar.inputs}/${inputs}\n`);
    // A long run that is stopped leaves what it found.
    void save(soFar);
  },
  onFinding: ({ index, target, what, detail }) => process.stderr.write(`${index} ${target}: ${what}: ${detail}\n`),
});
const { tallies, findings, seconds, peakBytes } = result;
const columns = ['inputs', 'taken', 'sentences', 'faults', 'hangs', 'deaths'] as const;
const total = (column: (typeof columns)[number]) => tallies.reduce((sum, t) => sum + t[column], 0);
console.log(
  textTable(
    ['target', ...columns],
    [
      ...tallies.map((t) => [t.target, ...columns.map((c) => String(t[c]))]),
      ['all', ...columns.map((c) => String(total(c)))],
    ],
  ).join('\n'),
);
console.log(
  `${inputs} inputs of seed ${values.seed} in ${seconds.toFixed(0)} s, ${(peakBytes / 2 ** 20).toFixed(0)} MiB at most`,
);
const kinds = new Map<string, (typeof findings)[number][]>();
for (const f of findings) {
  const key = `${f.what} in ${f.target}: ${f.detail.split('\n').slice(0, 2).join(' | ')}`;
  kinds.set(key, [...(kinds.get(key) ?? []), f]);
}
for (const [key, found] of kinds) console.log(`${found.length} x ${key} (input ${found[0]?.index})`);
await save(result);
process.exitCode = findings.length > 0 ? 1 : 0;
