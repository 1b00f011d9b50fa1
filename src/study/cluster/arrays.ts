/** Jobs as Slurm takes them: arrays of jobs that wait for the same and ask for the same. */
import type { SlurmSettings } from '../config/slurm.js';
import type { Job } from '../jobs.js';
import type { Unit } from '../plan.js';
import { extraction, extractionShare } from '../units/kinds.js';

type Wishes = Omit<SlurmSettings, 'kinds' | 'cpus' | 'parallel' | 'most'>;

/** What each element of an array asks for. */
export interface Request extends Wishes {
  readonly megabytes: number;
  readonly minutes: number;
}

export interface JobArray {
  /** Places of its elements among the jobs. */
  readonly jobs: readonly number[];
  readonly request: Request;
}

/** The wishes for units of a kind; those for extractions hold for their shares, which may have others. */
function wishesOf({ kinds = {} }: SlurmSettings, { name }: Pick<Unit['kind'], 'name'>): Wishes | undefined {
  return kinds[name] ?? (name === extractionShare.name ? kinds[extraction.name] : undefined);
}

/** The wishes of a kind of unit as text: units of equal ones may share a job. */
export function classOf(settings: SlurmSettings, { kind }: Pick<Unit, 'kind'>): string {
  return JSON.stringify(wishesOf(settings, kind) ?? null);
}

/** Estimates are for a machine of ours: a slower one takes longer. */
const timeFactor = 3;
const leastMinutes = 10;
const memoryFactor = 1.3;
const leastMegabytes = 1500;

/**
 * The jobs in arrays, in the order of their first elements.
 * @param most elements of an array
 * @param known what a job waits for beside other jobs, and the megabytes that its units were seen to need
 */
export function arraysOf(
  jobs: readonly Job[],
  settings: SlurmSettings,
  most: number,
  known: { waits(job: Job): readonly string[]; megabytes(job: Job): number },
): JobArray[] {
  const open = new Map<string, { jobs: number[]; request: Request }>();
  const arrays: { jobs: number[]; request: Request }[] = [];
  for (const [i, job] of jobs.entries()) {
    const request = requestOf(job, settings, known.megabytes(job));
    const key = JSON.stringify([request, job.needs, known.waits(job)]);
    const array = open.get(key);
    if (array && array.jobs.length < most) array.jobs.push(i);
    else {
      const fresh = { jobs: [i], request };
      open.set(key, fresh);
      arrays.push(fresh);
    }
  }
  return arrays;
}

function requestOf(job: Job, settings: SlurmSettings, seen: number): Request {
  const { kinds: _, cpus: __, parallel: ___, most: ____, ...wishes } = settings;
  // Small units ride with one of another kind, which stands first.
  const own = job.units[0] && wishesOf(settings, job.units[0].kind);
  const needed = Math.max(leastMegabytes, (memoryFactor * job.memory) / 1e6);
  return {
    ...wishes,
    ...own,
    megabytes: Math.max(seen, stepped(needed)),
    minutes: stepped(Math.max(leastMinutes, 5 + (timeFactor * job.seconds) / 60)),
  };
}

/** The next of 1, 1.5, 2, 3, 4, 6, 8, 12 ...: estimates that are nearly equal are equal, and their jobs one array. */
function stepped(value: number): number {
  const below = 2 ** Math.floor(Math.log2(value));
  return Math.ceil(value <= below ? below : value <= 1.5 * below ? 1.5 * below : 2 * below);
}

/** Options of sbatch: one word each, whatever a config holds. */
export function optionsOf({ megabytes, minutes, ...request }: Request, cpus: number): string[] {
  const { account, partition, qos, gres, constraint, memory, time, extra = [] } = request;
  const given = { account, partition, qos, gres, constraint };
  return [
    '--nodes=1',
    '--ntasks=1',
    `--cpus-per-task=${cpus}`,
    `--mem=${memory ?? `${megabytes}M`}`,
    `--time=${time ?? minutes}`,
    ...Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    ...extra,
  ];
}
