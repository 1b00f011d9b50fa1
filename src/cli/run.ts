/** toehold run CONFIG -o RUN: a whole study; run it again to resume. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { claimFolder, given } from '../base/index.js';
import { loadConfig, parseShare, type StudyConfig } from '../study/index.js';
import { dataInput } from './data-flags.js';
import { addEngineFlags, addLogFlag, addOutput, addPixelFlag, type EngineFlags, margin, marginHelp } from './flags.js';
import { addJobsFlag, engineOfJob, type JobFlags } from './jobs.js';
import { doStudy, type StudyFlags } from './study.js';

interface RunFlags extends EngineFlags, JobFlags, Omit<StudyFlags, 'shard'> {
  lite?: boolean;
  margin?: number;
  sourceAccuracy?: string;
  shard?: string;
}

/** What the config says of the engine and the command line does not. */
function engineOf({ engine, device }: StudyConfig['config'], command: Command): Partial<EngineFlags> {
  const isOpen = (flag: string) => command.getOptionValueSource(flag) === 'default';
  return {
    ...(engine !== undefined && isOpen('engine') && { engine }),
    ...(device !== undefined && isOpen('device') && { device: device as EngineFlags['device'] }),
  };
}

export function registerRun(program: Command): void {
  const command = program
    .command('run')
    .description('run a study: probe, select, fine-tune and train from scratch on every task; rerun to resume')
    .argument('<config>', 'YAML file; toehold schema describes it')
    .option('--lite', 'small budgets: about ten minutes a task on two cores; says what it gives up')
    .option('--margin <points>', marginHelp, margin)
    .option(
      '--source-accuracy <file>',
      'CSV of network,accuracy[,source]: how good networks are on what they were pretrained on (protocol kornblith)',
    )
    .option('--dry-run', 'print the plan with its expected time and stop')
    .option('--shard <i/n>', 'do the i-th of n shares (from 0); processes may share the run folder')
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addOutput(command, { kind: 'dir', text: 'run folder', required: true });
  addLogFlag(addPixelFlag(addEngineFlags(addJobsFlag(command, 1)))).action(async (config: string, flags: RunFlags) => {
    const shard = flags.shard === undefined ? undefined : parseShare(flags.shard, '--shard');
    const study = await loadConfig(config, {
      lite: flags.lite === true,
      planning: flags.dryRun === true,
      ...given({ margin: flags.margin, sourceAccuracy: flags.sourceAccuracy && resolve(flags.sourceAccuracy) }),
    });
    if (!flags.dryRun) {
      const { backbones, tasks } = study.config;
      const models = Object.values(backbones).map(({ model }) => study.path(model));
      const data = await Promise.all(Object.values(tasks).map(({ data }) => dataInput(study.path(data))));
      await claimFolder(flags.output, 'a study', { force: flags.force, inputs: [config, ...models, ...data] });
    }
    const { shard: _, margin: __, sourceAccuracy: ___, ...rest } = flags;
    const typed = `toehold run ${config} -o ${flags.output}${flags.lite ? ' --lite' : ''}`;
    const engine = await engineOfJob({ ...flags, ...engineOf(study.config, command) });
    await doStudy(study, engine, { ...rest, ...(shard ? { shard } : {}) }, typed);
  });
}
