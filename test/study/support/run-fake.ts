/** A process of its own that runs the fake study: node --import tsx run-fake.ts FOLDER MILLISECONDS [INDEX COUNT] */
import { appendFileSync } from 'node:fs';
import { RunFolder, runPlan, shardOf } from '../../../src/study/index.js';
import { fakeExecutors, fakePlan } from './fake.js';

const [folder, milliseconds, index, count] = process.argv.slice(2) as [string, string, string?, string?];
const plan = fakePlan();
const outcome = await runPlan(
  plan,
  new RunFolder(folder),
  fakeExecutors({
    milliseconds: Number(milliseconds),
    onStart: (label) => appendFileSync(`${folder}/started.log`, `${label}\n`),
  }),
  index === undefined ? {} : { only: shardOf(plan, Number(index), Number(count)) },
);
console.log(JSON.stringify(outcome.units));
