/** toehold demo: the whole story in two minutes, offline, from what the package ships. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { claimFolder } from '../base/index.js';
import { prepareDemo } from '../study/index.js';
import { addEngineFlags, addOutput, createEngine, type EngineFlags } from './flags.js';
import { doStudy, type StudyFlags } from './study.js';

export function registerDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('a study of the shipped network on tasks that are drawn on the spot: two minutes, offline')
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addOutput(command, { kind: 'dir', text: 'run folder', fallback: 'toehold-demo' });
  addEngineFlags(command).action(async (flags: EngineFlags & StudyFlags) => {
    await claimFolder(flags.output, 'a study', flags);
    const study = await prepareDemo(join(flags.output, 'data'));
    await doStudy(study, await createEngine(flags), flags, 'toehold demo');
  });
}
