/** The commands of Slurm. Arguments go to them as they are: no shell reads them. */
import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { UserError, WorkError } from '../../base/index.js';

/** A job, or an element of an array of jobs, that Slurm still has. */
export interface QueuedJob {
  /** 12, or 12_3 of an array. */
  readonly id: string;
  readonly name: string;
  /** PENDING, RUNNING, COMPLETING ... */
  readonly state: string;
  /** Where it runs; of one that waits, why. */
  readonly where: string;
}

export interface QueueLimits {
  /** Jobs that the controller keeps, of all users. */
  readonly maxJobs: number;
  readonly maxArray: number;
  /** Cores of the nodes that a job may get. */
  readonly cores: number;
  /** Jobs are taken by their numbers (`priority/basic`), and not by what a site finds important. */
  readonly byNumber: boolean;
}

/** What is left of a job when it could not be submitted because of a limit on their number. */
export class QueueFull extends Error {}

/** How often a command that could not reach the controller is tried. */
const attempts = 4;
const unreachable = /unable to contact|connection (refused|timed out)|socket timed out|temporarily unable/i;
const full = /job submit limit|MaxSubmitJob|MaxJobCount|too many jobs|QOSMaxSubmit/i;

/** Variables of the job that this process may run in are no wishes of the jobs that it submits. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => name === 'SLURM_CONF' || !/^(SLURM|SBATCH|SQUEUE|SCANCEL)_/.test(name),
  );
  return Object.fromEntries(own);
}

async function command(program: string, args: readonly string[]): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const { error, stdout, stderr } = await started(program, args);
    if (!error) return stdout;
    if (error.code === 'ENOENT') {
      throw new UserError(`there is no ${program} here: --scheduler slurm needs a machine that can submit to Slurm`);
    }
    const said = stderr.trim().split('\n').at(-1) || error.message;
    if (full.test(stderr)) throw new QueueFull(said);
    if (!unreachable.test(stderr) || attempt === attempts) throw new WorkError(`${program}: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 1000 * attempt ** 2));
  }
}

function started(program: string, args: readonly string[]) {
  return new Promise<{ error: (Error & { code?: string | number | null }) | null; stdout: string; stderr: string }>(
    (resolve) => {
      execFile(program, [...args], { env: environment(), maxBuffer: 256 << 20 }, (error, stdout, stderr) =>
        resolve({ error, stdout, stderr }),
      );
    },
  );
}

export const slurm = {
  /** @returns the number of the job. @throws QueueFull, UserError where there is no Slurm, WorkError where it refuses */
  async submit(args: readonly string[]): Promise<string> {
    const [id] = (await command('sbatch', ['--parsable', ...args])).trim().split(';');
    if (!id || !/^\d+$/.test(id)) throw new WorkError(`sbatch gave no number of a job but '${id}'`);
    return id;
  },

  /** This user's jobs whose names begin so. */
  async queued(prefix: string): Promise<QueuedJob[]> {
    const format = '--format=%i|%j|%T|%R';
    const text = await command('squeue', ['--noheader', '--array', `--user=${userInfo().username}`, format]);
    return text.split('\n').flatMap((line) => {
      const [id = '', name = '', state = '', ...where] = line.trim().split('|');
      return name.startsWith(prefix) ? [{ id, name, state, where: where.join('|').replace(/^\((.*)\)$/, '$1') }] : [];
    });
  },

  async cancel(ids: readonly string[]): Promise<void> {
    const most = 500;
    for (let i = 0; i < ids.length; i += most) await command('scancel', ids.slice(i, i + most));
  },

  async limits(partition: string | undefined): Promise<QueueLimits> {
    const config = await command('scontrol', ['show', 'config']);
    const figure = (name: string, otherwise: number) => {
      const value = Number(new RegExp(`^${name}\\s*=\\s*(\\d+)`, 'm').exec(config)?.[1]);
      return Number.isFinite(value) ? value : otherwise;
    };
    const sinfo = ['--noheader', '--format=%C', ...(partition === undefined ? [] : [`--partition=${partition}`])];
    // Cores in use, idle, other, total.
    const cores = (await command('sinfo', sinfo)).split('\n').map((line) => Number(line.trim().split('/')[3] ?? 0));
    return {
      maxJobs: figure('MaxJobCount', 10_000),
      maxArray: figure('MaxArraySize', 1001),
      cores: Math.max(1, ...cores.filter(Number.isFinite)),
      byNumber: /^PriorityType\s*=\s*priority\/basic/m.test(config),
    };
  },
};
