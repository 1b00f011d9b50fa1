/** The executors of all kinds of units. */
import type { StudyInputs } from '../protocols/index.js';
import type { Executor } from '../runner.js';
import { Benches } from './benches.js';
import { extractExecutor, extractShareExecutor } from './extract.js';
import { probeExecutor } from './probe.js';
import { ProbeBenches } from './probe-benches.js';
import { scoreExecutor } from './score.js';
import { trainExecutor } from './train.js';
import { trialExecutor } from './trial.js';
import { named, worldOf } from './world.js';

export function executorsOf(inputs: StudyInputs): Executor[] {
  const world = worldOf(inputs);
  const [benches, probeBenches] = [new Benches(world), new ProbeBenches()];
  /** What trains needs the memory that features take. */
  const afterProbes = ({ kind, run }: Executor): Executor => ({
    kind,
    run: (context) => {
      probeBenches.clear();
      return run(context);
    },
  });
  return [
    extractShareExecutor(world),
    extractExecutor(world),
    probeExecutor(world, probeBenches),
    afterProbes(trialExecutor(world, benches)),
    afterProbes(trainExecutor(world, benches)),
    scoreExecutor((unit) => named(inputs.tasks, unit, 'task').targets),
  ];
}
