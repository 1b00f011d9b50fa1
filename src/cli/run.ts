/** toehold run CONFIG -o RUN: a whole study; run it again to resume. */
import type { Command } from 'commander';
import { given } from '../base/index.js';
import { loadConfig, parseShard } from '../study/index.js';
import { addEngineFlags, createEngine, type EngineFlags, margin, marginHelp } from './flags.js';
import { doStudy, type StudyFlags } from './study.js';

interface RunFlags extends EngineFlags, Omit<StudyFlags, 'shard'> {
  lite?: boolean;
  margin?: number;
  shard?: string;
}

export function registerRun(program: Command): void {
  const command = program
    .command('run')
    .description('run a study: probe, select, fine-tune and train from scratch on every task; rerun to resume')
    .argument('<config>', 'YAML file; toehold schema describes it')
    .requiredOption('-o, --output <dir>', 'run folder')
    .option('--lite', 'small budgets: about ten minutes a task on two cores; says what it gives up')
    .option('--margin <points>', marginHelp, margin)
    .option('--dry-run', 'print the plan with its expected time and stop')
    .option('--shard <i/n>', 'do the i-th of n shares (from 0); processes may share the run folder')
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addEngineFlags(command).action(async (config: string, flags: RunFlags) => {
    const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
    const study = await loadConfig(config, { lite: flags.lite === true, ...given({ margin: flags.margin }) });
    const { shard: _, margin: __, ...rest } = flags;
    const typed = `toehold run ${config} -o ${flags.output}${flags.lite ? ' --lite' : ''}`;
    await doStudy(study, await createEngine(flags), { ...rest, ...(shard ? { shard } : {}) }, typed);
  });
}
