/** Several processes on one study: small networks and small tables leave cores idle that another unit can use. */
import { spawn } from 'node:child_process';
import { type Command, Option } from 'commander';
import { parseShare, type Share } from '../base/index.js';
import { deviceName, type Engine, machineTopology, parseDevices } from '../engine/index.js';
import { type Budget, SharedBudget } from '../study/index.js';
import { workerVariable } from './ending.js';
import { bytes, createEngine, type EngineFlags, positiveNumber } from './flags.js';
import { note } from './output.js';
import { budgetOfParent, serve } from './shared-budget.js';

export interface JobFlags {
  jobs: number;
  /** In a process that another has started: which of them it is. */
  job?: string;
  /** Bytes that units at work may need together. */
  memory?: number;
}

/** Declares `--jobs`. */
export function addJobsFlag(command: Command, jobs: number): Command {
  return command
    .option(
      '--jobs <n>',
      'units of work at once, each in a process with its share of the cores (or --threads) and GPUs, never on more than there are; takes as much more memory; with numbered GPUs one for each by default',
      positiveNumber,
      jobs,
    )
    .option(
      '--memory <size>',
      'with --jobs: units are begun while they are expected to need no more together: 16G',
      bytes,
    )
    .addOption(new Option('--job <i/n>').hideHelp());
}

export const shareOf = ({ job }: JobFlags): Share | undefined =>
  job === undefined ? undefined : parseShare(job, '--job');

/** What a process that another has started may take. */
export const budgetOf = ({ job }: JobFlags): Budget | undefined => (job === undefined ? undefined : budgetOfParent());

/** An engine with a job's share of the cores, unless threads were asked for. */
export function engineOfJob({ jobs, ...flags }: JobFlags & EngineFlags): Promise<Engine> {
  const threads = flags.threads || Math.max(1, Math.floor(machineTopology().processors / jobs));
  const index = flags.job === undefined ? 0 : parseShare(flags.job, '--job').index;
  const device = deviceOfJob(flags.device, index, jobs);
  return createEngine(jobs > 1 ? { ...flags, device, threads } : flags);
}

/** Jobs asked for, else one for each numbered device. */
export function jobCountOf({ jobs, device }: JobFlags & Pick<EngineFlags, 'device'>, command: Command): number {
  const { ordinals } = parseDevices(device);
  return command.getOptionValueSource('jobs') === 'default' ? ordinals.length || jobs : jobs;
}

/** A job's part of the devices: one, or several where there are fewer jobs than devices. */
export function deviceOfJob(name: EngineFlags['device'], index: number, jobs: number): EngineFlags['device'] {
  const { device, ordinals } = parseDevices(name);
  if (ordinals.length < 2) return name;
  const parts = Math.min(jobs, ordinals.length);
  const own = ordinals.filter((_, i) => i % parts === index % parts);
  return deviceName({ device, ordinals: own }) as EngineFlags['device'];
}

/**
 * Starts the other jobs of the command that runs; they end with this process.
 * @returns this process's share and the budget that all take from, where there are others, and what waits for their end
 */
export function startJobs({ jobs, memory }: JobFlags): {
  share?: Share;
  budget?: Budget;
  ended: () => Promise<unknown>;
} {
  if (jobs < 2) return { ended: async () => undefined };
  const budget = new SharedBudget({ bytes: memory ?? Number.POSITIVE_INFINITY, cores: machineTopology().processors });
  const others = Array.from({ length: jobs - 1 }, (_, i) => startJob(i + 1, jobs, budget));
  return { share: { index: 0, count: jobs }, budget, ended: () => Promise.all(others) };
}

function startJob(index: number, count: number, budget: Budget): Promise<void> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, ...process.argv.slice(1), '--quiet', '--job', `${index}/${count}`],
    { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: { ...process.env, [workerVariable]: '1' } },
  );
  serve(child, budget);
  return new Promise((done) => {
    const end = (how: string) => {
      note(`warning: job ${index + 1} of ${count} ended early (${how}); the others do its work`);
      done();
    };
    child.on('error', (error) => end(error.message));
    // Failures of units are told by the process that assembles them.
    child.on('exit', (code, signal) => (code === 0 ? done() : end(signal ?? `code ${code}`)));
  });
}
