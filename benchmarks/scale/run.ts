/**
 * Plans of the papers' size packed into jobs and submitted to commands that answer as Slurm's do, and how long they would take
 * on 1 to 256 nodes, against the bound that nothing can beat: `npm run bench:scale`. Writes benchmarks/scale/results.json and the
 * table of docs/clusters.md.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '../../src/base/index.js';
import { createEngine } from '../../src/engine/index.js';
import { arraysOf, slurm, submit } from '../../src/study/cluster/index.js';
import {
  jobsOf,
  loadConfig,
  type Plan,
  prepareStudy,
  queuePrices,
  scheduled,
  searchedOrder,
  type Unit,
} from '../../src/study/index.js';
import { writeFakeSlurm } from '../../test/support/fake-slurm.js';
import { boundsOf } from './bound.js';
import { bytesOf, kornblithPlan } from './plans.js';
import { type Scale, type ScaleRow, scaleTable } from './table.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const nodes = [1, 4, 16, 64, 256];
/** Jobs in the queue at once: enough for all, so that one call submits everything. */
const most = 9000;
/** Of a Slurm as it comes. */
const maxArray = 1000;

async function measured(name: string, plan: Plan, outputs: (unit: Unit) => number): Promise<ScaleRow> {
  const folder = await mkdtemp(join(tmpdir(), 'scale-'));
  const bin = join(folder, 'bin');
  await writeFakeSlurm(bin);
  process.env.PATH = `${bin}${delimiter}${process.env.PATH}`;
  const before = process.cpuUsage();
  const began = performance.now();
  const { jobs: count, later } = await submit({
    plan,
    folder: join(folder, 'run'),
    settings: { parallel: 64, most },
    cpus: 8,
    unitCommand: ['toehold', 'unit'],
    lastCommand: ['toehold', 'run'],
    queue: slurm,
  });
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  const processorSeconds = (user + system) / 1e6;
  if (later > 0) throw new Error(`${later} units were left for later`);
  // The last job aside.
  const arrays = (await readdir(bin)).filter((name) => name.startsWith('sbatch.asked.')).length - 1;
  await rm(folder, { recursive: true });
  const made = nodes.map((n) => {
    const jobs = jobsOf(plan, { parallel: n });
    // As they are submitted: array by array.
    const known = { waits: () => [], megabytes: () => 0 };
    const arrays = arraysOf(jobs, {}, maxArray, known).map((array) => array.jobs);
    const began = process.cpuUsage();
    const order = searchedOrder(jobs, arrays, n);
    const { user, system } = process.cpuUsage(began);
    const { makespan } = scheduled(
      jobs,
      n,
      queuePrices,
      order.flatMap((array) => arrays[array] ?? []),
    );
    const { simple, attainable } = boundsOf(plan, n);
    return { n, simple: makespan / simple, attainable: makespan / attainable, search: (user + system) / 1e6 };
  });
  const ratios = (which: 'simple' | 'attainable' | 'search') =>
    Object.fromEntries(made.map((row) => [row.n, row[which]]));
  const jobs = jobsOf(plan, { parallel: 64 });
  const places = new Map(jobs.flatMap((job, i) => job.units.map(({ id }) => [id, i] as const)));
  const bytes = bytesOf(plan, (id) => places.get(id) ?? -1, outputs);
  return {
    plan: name,
    units: plan.units.length,
    jobs: count,
    arrays,
    seconds,
    processorSeconds,
    ratios: ratios('attainable'),
    simpleRatios: ratios('simple'),
    searchSeconds: ratios('search'),
    ...bytes,
  };
}

const engine = await createEngine({ threads: 1 });
const yosinski = await prepareStudy(await loadConfig(here('../../configs/yosinski.yaml'), { planning: true }), engine);
const base = 4 * yosinski.inputs.backbone.params;
const scale: Scale = {
  date: new Date().toISOString().slice(0, 10),
  nodes,
  prices: queuePrices,
  rows: [
    await measured('Yosinski et al., `configs/yosinski.yaml`', yosinski.plan, (unit) =>
      unit.outputs.length > 0 ? base : 0,
    ),
    await measured('Kornblith et al., 16 networks x 12 tasks x 50 trainings', kornblithPlan(), ({ kind }) =>
      kind.name === 'train' ? 1e8 : kind.name === 'extract' ? 4e8 : 0,
    ),
  ],
};
await writeFileAtomic(here('results.json'), `${JSON.stringify(scale, null, 1)}\n`);
const page = here('../../docs/clusters.md');
const text = await readFile(page, 'utf8').catch(() => undefined);
if (text !== undefined) {
  const marks = /(<!-- scale -->\n)[\s\S]*?(\n<!-- end of scale -->)/;
  await writeFileAtomic(
    page,
    text.replace(marks, (_, start, end) => `${start}${scaleTable(scale)}${end}`),
  );
}
process.stdout.write(`${scaleTable(scale)}\n`);
