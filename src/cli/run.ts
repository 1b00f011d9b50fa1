/** toehold run CONFIG -o RUN: a whole study; run it again to resume. */
import { type Command, Option } from 'commander';
import { claimFolder, parseShare } from '../base/index.js';
import { prepareStudy, type StudyConfig } from '../study/index.js';
import { dataInput } from './data-flags.js';
import { addLogFlag, addOutput, assertOneDevice, createEngine } from './flags.js';
import { addJobsFlag, engineOfJob, type JobFlags, jobCountOf } from './jobs.js';
import { assembleOnly, noteJobs, runOnSlurm, type SlurmFlags } from './slurm.js';
import { doPrepared, doStudy, type StudyFlags } from './study.js';
import { addConfigFlags, type ConfigFlags, engineOf, studyOf, threadsOf, wordsOf } from './study-flags.js';

interface RunFlags extends ConfigFlags, JobFlags, SlurmFlags, Omit<StudyFlags, 'shard' | 'output'> {
  shard?: string;
  scheduler: 'none' | 'slurm';
  assemble?: boolean;
}

async function claim(config: string, study: StudyConfig, flags: RunFlags): Promise<void> {
  const { backbones, tasks } = study.config;
  const models = Object.values(backbones).map(({ model }) => study.path(model));
  const data = await Promise.all(Object.values(tasks).map(({ data }) => dataInput(study.path(data))));
  await claimFolder(flags.output, 'a study', { force: flags.force, inputs: [config, ...models, ...data] });
}

export function registerRun(program: Command): void {
  const command = program
    .command('run')
    .description('run a study: probe, select, fine-tune and train from scratch on every task; rerun to resume')
    .argument('<config>', 'YAML file; toehold schema describes it')
    .option('--dry-run', 'print the plan with its expected time and stop')
    .option('--shard <i/n>', 'do the i-th of n shares (from 0); processes may share the run folder')
    .addOption(
      new Option('--scheduler <name>', 'slurm: submit the study as jobs (docs/clusters.md)')
        .choices(['none', 'slurm'])
        .default('none'),
    )
    .option('--wait', 'with --scheduler: stay until the jobs have ended (default on a terminal)')
    .option('--no-wait', 'with --scheduler: submit and leave')
    .option('--assemble', 'do no unit: write record and report of what the run folder holds')
    .addOption(new Option('--continue').hideHelp())
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addOutput(command, { kind: 'dir', text: 'run folder', required: true });
  addLogFlag(addConfigFlags(addJobsFlag(command, 1), { several: true })).action(
    async (config: string, flags: RunFlags) => {
      const shard = flags.shard === undefined ? undefined : parseShare(flags.shard, '--shard');
      const study = await studyOf(config, flags, flags.dryRun === true);
      if (!flags.dryRun) await claim(config, study, flags);
      const typed = `toehold run ${config} -o ${flags.output}${flags.lite ? ' --lite' : ''}`;
      const wanted = { ...flags, ...engineOf(study.config, command) };
      const jobs = jobCountOf(wanted, command);
      const { shard: _, margin: __, sourceAccuracy: ___, ...rest } = flags;
      if (flags.scheduler === 'slurm' || flags.assemble) {
        // Its own GPU is all that such a job sees.
        if (flags.scheduler === 'slurm') assertOneDevice(wanted.device, 'a job of Slurm');
        const threads = await threadsOf(flags, study);
        if (flags.dryRun) {
          const prepared = await prepareStudy(study, await createEngine({ ...wanted, threads }), { measure: true });
          await doPrepared(prepared, rest, typed);
          if (flags.scheduler === 'slurm') await noteJobs(prepared);
          return;
        }
        const prepared = await prepareStudy(study, await createEngine({ ...wanted, threads }), { keep: flags.output });
        if (flags.assemble) await assembleOnly(prepared, flags, typed);
        else {
          const words = (name: string) => wordsOf(name, config, flags, { ...wanted, threads });
          const logs = (flags.log ?? []).flatMap((logger) => ['--log', logger]);
          const commands = {
            unitCommand: [...words('unit'), '--quiet'],
            lastCommand: [...words('run'), '--scheduler', 'slurm', '--continue', '--no-wait', ...logs],
          };
          await runOnSlurm(prepared, { ...flags, command: typed, ...commands });
        }
        return;
      }
      await doStudy(
        study,
        await engineOfJob({ ...wanted, jobs }),
        { ...rest, jobs, ...(shard ? { shard } : {}) },
        typed,
      );
    },
  );
}
