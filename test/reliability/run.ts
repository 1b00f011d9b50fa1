/** npm run reliability -- [MOMENTS] [--seed S] [--only WORK] [--json FILE]: every work, disturbed so often in every way. */
import { parseArgs } from 'node:util';
import { textTable } from '../../src/base/index.js';
import { writeFigures } from '../support/figures.js';
import { type Disturbance, disturb } from './disturb.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    disturbance: { type: 'string', multiple: true },
    json: { type: 'string' },
  },
});
const all: readonly Disturbance[] = ['kill', 'kill of the parent', 'full disk', 'cut image'];
const moments = Number(positionals[0] ?? 3);
const tallies = await disturb({
  seed: values.seed,
  moments,
  // As users run it: compiled.
  commandLine: [`${process.cwd()}/dist/cli/main.js`],
  disturbances: all.filter((d) => values.disturbance === undefined || values.disturbance.includes(d)),
  only: values.only,
  onProgress: (line) => process.stderr.write(`${line}\n`),
});
console.log(
  textTable(
    ['work', 'disturbance', 'moments', 'hit', 'identical'],
    tallies.map((t) => [t.work, t.disturbance, String(t.moments), String(t.hit), String(t.identical)]),
  ).join('\n'),
);
for (const { work, disturbance, faults } of tallies)
  for (const fault of faults) console.log(`${work}, ${disturbance}: ${fault}`);
if (values.json) await writeFigures(values.json, { moments, seed: values.seed, tallies });
process.exitCode = tallies.some((t) => t.faults.length > 0) ? 1 : 0;
