/**
 * A study of units that cost nothing, for a real queue: `submit FOLDER`, `unit FOLDER ID...`, `last FOLDER`,
 * `assemble FOLDER`. Files in the folder say what goes wrong: `failing`, `slow` and `greedy` hold labels of units.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Random, sha256 } from '../../../src/base/index.js';
import { slurm } from '../../../src/study/cluster/queue.js';
import { statusOf } from '../../../src/study/cluster/status.js';
import { type Submitted, submit } from '../../../src/study/cluster/submit.js';
import { RunFolder } from '../../../src/study/folder.js';
import { type Plan, PlanBuilder } from '../../../src/study/plan.js';
import { type Executor, executor, runPlan } from '../../../src/study/runner.js';
import { fakeKind } from './fake.js';

const kinds = { extract: fakeKind('extract'), train: fakeKind('train'), score: fakeKind('score') };

export function clusterPlan(): Plan {
  const plan = new PlanBuilder();
  for (const task of [0, 1]) {
    const extract = plan.add(kinds.extract, { label: `${task}: extract`, inputs: { task }, seconds: 100 });
    for (const method of [0, 1]) {
      const inputs = { task, method };
      const train = plan.add(kinds.train, {
        label: `${task}: train ${method}`,
        inputs,
        seconds: 100,
        needs: [extract],
      });
      plan.add(kinds.score, { label: `${task}: score ${method}`, inputs, seconds: 0.01, needs: [train] });
    }
  }
  return plan.build();
}

function listed(folder: string, file: string): string[] {
  try {
    return readFileSync(join(folder, file), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

export const clusterExecutors = (folder: string): Executor[] =>
  Object.values(kinds).map((kind) =>
    executor(kind, async (_, { unit, needs, folder: own }) => {
      appendFileSync(join(folder, 'started.log'), `${unit.label}\n`);
      writeFileSync(join(own, 'pid'), String(process.pid));
      if (listed(folder, 'slow').includes(unit.label)) await sleep(20_000);
      if (listed(folder, 'failing').includes(unit.label)) throw new Error(`${unit.label} cannot be`);
      if (listed(folder, 'greedy').includes(unit.label)) {
        const held = Buffer.alloc(2e9, 1);
        await sleep(8000);
        if (held[0] !== 1) throw new Error('memory is not what it was');
      }
      const of = sha256(JSON.stringify(needs.map((r) => r.result))).slice(0, 8);
      return { value: new Random(unit.id).uniform(), of };
    }),
  );

export const words = (what: string, folder: string) => [
  process.execPath,
  ...process.execArgv,
  fileURLToPath(import.meta.url),
  what,
  folder,
];

export async function submitHere(folder: string, continues = false): Promise<Submitted> {
  const plan = clusterPlan();
  const units = plan.units.map(({ kind, ...unit }) => ({ ...unit, kind: kind.name }));
  await new RunFolder(folder).write('run.json', JSON.stringify({ units }));
  return submit({
    plan,
    folder,
    settings: { parallel: 2 },
    cpus: 1,
    unitCommand: words('unit', folder),
    lastCommand: words('last', folder),
    queue: slurm,
    continues,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , what = '', folder = '', ...ids] = process.argv;
  if (what === 'submit') await submitHere(folder);
  else if (what === 'assemble') writeFileSync(join(folder, 'report.html'), 'done');
  else if (what === 'last') {
    const { last } = await submitHere(folder, true);
    if (last === undefined) writeFileSync(join(folder, 'ended.json'), JSON.stringify(await statusOf(folder, slurm)));
  } else {
    const only = new Set(ids);
    const { states } = await runPlan(clusterPlan(), new RunFolder(folder), clusterExecutors(folder), {
      only,
      strictly: true,
    });
    process.exit(ids.every((id) => states.get(id) === 'done') ? 0 : 1);
  }
}
