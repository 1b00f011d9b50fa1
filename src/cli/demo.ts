/** toehold demo: the whole story in about a minute, offline, from what the package ships. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { prepareDemo } from '../study/index.js';
import { addEngineFlags, createEngine, type EngineFlags } from './flags.js';
import { doStudy, type StudyFlags } from './study.js';

export function registerDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('a study of the shipped network on tasks that are drawn on the spot: about a minute, offline')
    .option('-o, --output <dir>', 'run folder', 'toehold-demo')
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addEngineFlags(command).action(async (flags: EngineFlags & StudyFlags) => {
    const study = await prepareDemo(join(flags.output, 'data'));
    await doStudy(study, await createEngine(flags), flags, 'toehold demo');
  });
}
