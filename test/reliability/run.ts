/** npm run reliability -- [MOMENTS] [--seed S] [--only WORK] [--json FILE]: every work, disturbed so often in every way. */
import { parseArgs } from 'node:util';
import { readJson, textTable } from '../../src/base/index.js';
import { writeFigures } from '../support/figures.js';
import { type Disturbance, disturb, type Tally, works } from './disturb.js';

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

/** Figures of one work and disturbance take the place of earlier ones in the file; others stay. */
async function save(tally: Tally): Promise<void> {
  if (!values.json) return;
  const found = (await readJson(values.json)) as { tallies?: Tally[] } | undefined;
  const others = (found?.tallies ?? []).filter((t) => t.work !== tally.work || t.disturbance !== tally.disturbance);
  const place = (t: Tally) => works.findIndex((w) => w.name === t.work) * all.length + all.indexOf(t.disturbance);
  const tallies = [...others, tally].sort((a, b) => place(a) - place(b));
  await writeFigures(values.json, { seed: values.seed, tallies });
}

let saved = Promise.resolve();
const tallies = await disturb({
  seed: values.seed,
  moments: Number(positionals[0] ?? 3),
  // As users run it: compiled.
  commandLine: [`${process.cwd()}/dist/cli/main.js`],
  disturbances: all.filter((d) => values.disturbance === undefined || values.disturbance.includes(d)),
  only: values.only,
  onProgress: (line) => process.stderr.write(`${line}\n`),
  onTally: (tally) => {
    saved = saved.then(() => save(tally));
  },
});
await saved;
console.log(
  textTable(
    ['work', 'disturbance', 'moments', 'hit', 'identical'],
    tallies.map((t) => [t.work, t.disturbance, String(t.moments), String(t.hit), String(t.identical)]),
  ).join('\n'),
);
for (const { work, disturbance, faults } of tallies)
  for (const fault of faults) console.log(`${work}, ${disturbance}: ${fault}`);
process.exitCode = tallies.some((t) => t.faults.length > 0) ? 1 : 0;
