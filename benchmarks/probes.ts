/**
 * Probes beside each other on frozen networks: every data set and network of probe-data.ts, one pass for the features, then linear,
 * head2toe and auto on the same rows: at 512 values a tap, or (`--finer`) with pooling and target size chosen in validation by
 * each (`--pool auto`). Writes the tables of docs/probes.md.
 * `npm run bench:probes -- FOLDER [--finer] [--only gtsrb,aid]`: FOLDER keeps features and records; what is there is not
 * computed again.
 */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { textTable } from '../src/base/index.js';
import { done, type RunRecord, readRecord } from '../src/record/index.js';
import { type Backbone, backbones, type ProbeData, probeData, storeOf, toehold, writeBetween } from './probe-data.js';
import { machine } from './support.js';

const { values: flags, positionals } = parseArgs({
  options: { finer: { type: 'boolean', default: false }, only: { type: 'string' } },
  allowPositionals: true,
});
const [given] = positionals;
if (given === undefined) throw new Error('name a folder that keeps features and records');
const folder = resolve(given);
const page = fileURLToPath(new URL('../docs/probes.md', import.meta.url));
const methods = ['linear', 'head2toe', 'auto'] as const;
const [name, pool, marks] = flags.finer
  ? (['finer', 'auto', ['<!-- written by npm run bench:probes -- --finer -->', '<!-- end of finer -->']] as const)
  : (['512', 'target:512', ['<!-- written by npm run bench:probes -->', '<!-- end -->']] as const);
const data = probeData.filter((own) => !flags.only || flags.only.split(',').includes(own.name));

async function recordOf(own: ProbeData, backbone: Backbone): Promise<RunRecord> {
  const output = join(folder, `${own.name}-${backbone}-${name}`);
  if (!existsSync(join(output, 'record.json'))) {
    const store = await storeOf(folder, own, backbone, name, ['--pool', pool]);
    toehold('probe', store, '-m', methods.join(), '--leave-out', '0', '--repetitions', '0', '-o', output);
    // Of every pooling: a gigabyte each.
    if (flags.finer) await rm(store, { recursive: true });
  }
  return readRecord(output);
}

const percent = (share: number) => (100 * share).toFixed(1);
const points = (share: number) => {
  const text = Math.abs(100 * share).toFixed(1);
  return Number(text) === 0 ? text : `${share < 0 ? '−' : '+'}${text}`;
};

const rows: string[][] = [];
const gains = { head2toe: [] as number[], linear: [] as number[] };
/** What auto expects less what it gets: where the test has the folds' kind of examples, and where it has other groups. */
const optimism = { alike: [] as number[], groups: [] as number[] };
await mkdir(folder, { recursive: true });
for (const backbone of Object.keys(backbones) as Backbone[]) {
  for (const own of data) {
    const record = await recordOf(own, backbone);
    const [task] = record.tasks;
    if (!task) throw new Error(`${own.name}: the record has no task`);
    const cells = Object.fromEntries(methods.map((m) => [m, done(task, m)]));
    const over = (reference: 'head2toe' | 'linear') => {
      const found = record.answer.comparisons.find((c) =>
        [c.method, c.reference].every((m) => m === 'auto' || m === reference),
      );
      if (!found) throw new Error(`${own.name}: auto is not compared with ${reference}`);
      const sign = found.method === 'auto' ? 1 : -1;
      const ends = [sign * found.interval[0], sign * found.interval[1]].sort((a, b) => a - b) as [number, number];
      gains[reference].push(sign * found.difference);
      return `${points(sign * found.difference)} [${points(ends[0])}, ${points(ends[1])}]`;
    };
    const { auto } = cells;
    const excess = (auto?.validation ?? Number.NaN) - (auto?.score ?? Number.NaN);
    optimism[own.flags.includes('--group-from') ? 'groups' : 'alike'].push(excess);
    rows.push([
      own.name,
      backbone,
      `${task.examples.train} / ${task.examples.test}`,
      ...methods.map((m) => percent(cells[m]?.score ?? Number.NaN)),
      over('head2toe'),
      over('linear'),
      percent(auto?.validation ?? Number.NaN),
    ]);
    console.error(rows.at(-1)?.join('  '));
  }
}
const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
const summary = (which: 'head2toe' | 'linear', label: string) =>
  `auto minus ${label}: mean ${points(mean(gains[which]))} points, worst ${points(Math.min(...gains[which]))}`;
const header = ['data', 'network', 'training / test', ...methods, 'auto − head2toe', 'auto − linear', 'auto, expected'];
await writeBetween(page, marks, [
  `${machine()}, ${new Date().toISOString().slice(0, 10)}.`,
  '',
  ...[header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
  '',
  `${summary('head2toe', 'head2toe')}; ${summary('linear', 'linear')}; expected minus measured accuracy of auto: mean ${points(mean(optimism.alike))} points${optimism.groups.length > 0 ? `, on gtsrb ${points(mean(optimism.groups))}` : ''}.`,
]);
console.log(textTable(header, rows).join('\n'));
