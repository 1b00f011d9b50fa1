/** toehold demo: the whole story in two minutes, offline, from what the package ships. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { claimFolder } from '../base/index.js';
import { machineTopology } from '../engine/index.js';
import { prepareDemo } from '../study/index.js';
import { addEngineFlags, addOutput, type EngineFlags } from './flags.js';
import { addJobsFlag, engineOfJob, type JobFlags, jobCountOf } from './jobs.js';
import { doStudy, type StudyFlags } from './study.js';

export function registerDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('a study of the shipped network on tasks that are drawn on the spot: two minutes, offline')
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addOutput(command, { kind: 'dir', text: 'run folder', fallback: 'toehold-demo' });
  // Networks and tables are too small for several threads to help.
  addJobsFlag(command, Math.min(4, machineTopology().processors));
  addEngineFlags(command, { several: true }).action(async (given: EngineFlags & StudyFlags & JobFlags) => {
    const flags = { ...given, jobs: jobCountOf(given, command) };
    await claimFolder(flags.output, 'a study', flags);
    const study = await prepareDemo(join(flags.output, 'data'));
    await doStudy(study, await engineOfJob(flags), flags, 'toehold demo');
  });
}
