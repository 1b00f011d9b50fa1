/**
 * A study handed to Slurm: what is not done is packed into jobs, which are submitted with what they wait for. The run folder
 * stays the truth: a submission asks it what is done, and the queue what is under way.
 */
import { given, tryLock, writeFileAtomic } from '../../base/index.js';
import type { SlurmSettings } from '../config/slurm.js';
import { RunFolder } from '../folder.js';
import { type Job, jobsOf } from '../jobs.js';
import type { Plan } from '../plan.js';
import { searchedOrder } from '../schedule.js';
import { arraysOf, classOf, type JobArray, optionsOf } from './arrays.js';
import { Ledger, type Submission, type Wave } from './ledger.js';
import { type QueuedJob, QueueFull, type QueueLimits, type slurm as slurmCommands } from './queue.js';
import { jobScript, lastScript } from './script.js';

export type Queue = typeof slurmCommands;

export interface SubmitOptions {
  readonly plan: Plan;
  /** Run folder, absolute. */
  readonly folder: string;
  readonly settings: SlurmSettings;
  /** Cores of each job. */
  readonly cpus: number;
  /** Command and arguments that do units, whose ids follow; and that submit the rest or assemble. */
  readonly unitCommand: readonly string[];
  readonly lastCommand: readonly string[];
  readonly queue: Queue;
  /** Units that the command before this one of the same campaign tried are left alone: what failed stays failed. */
  readonly continues?: boolean | undefined;
}

export interface Submitted {
  /** Jobs that this call submitted, elements of arrays each. */
  readonly jobs: number;
  readonly units: number;
  /** Units in jobs that were under way before. */
  readonly underWay: number;
  /** Units that the next wave will take. */
  readonly later: number;
  /** Number of the last job, which assembles; absent where nothing was left to do. */
  readonly last?: string;
  /** Another command was submitting this run: nothing was done. */
  readonly busy?: true;
}

/** Of all jobs that the controller keeps, of whoever, this run takes no more. */
const share = 0.2;
const most = 1000;
/** Calls of sbatch at once: it mostly waits, and a controller is asked by many. */
const sideBySide = 8;
/** Numbers come in the order of the calls but for those under way at once: what each array is nicer by than the one before. */
const niceStep = (byNumber: boolean): number => (byNumber ? sideBySide + 2 : 1);

/** @throws UserError where there is no Slurm, WorkError where it refuses */
export async function submit(options: SubmitOptions): Promise<Submitted> {
  const ledger = new Ledger(new RunFolder(options.folder));
  await ledger.create();
  const lock = await tryLock(ledger.file('submit.lock'));
  if (!lock) return { jobs: 0, units: 0, underWay: 0, later: 0, busy: true };
  try {
    return await new Submitting(options, ledger, await ledger.submissions()).run();
  } finally {
    await lock.release();
  }
}

/** The name of a submission in the name of its job. */
export const nameOf = (job: Pick<QueuedJob, 'name'>): string => job.name.split('.').at(-1) ?? '';
/** The number of an element in its array: 12_3 -> 3. */
export const elementOf = ({ id }: Pick<QueuedJob, 'id'>): number => Number(id.split('_')[1] ?? 0);

/** Of the job that submits what is left, or assembles. */
export const lastName = 'last';

class Submitting {
  /** Numbers of arrays by name of submission, for dependencies. */
  readonly #ids = new Map<string, string>();
  #campaign = 1;

  constructor(
    private readonly options: SubmitOptions,
    private readonly ledger: Ledger,
    private readonly before: readonly Submission[],
  ) {}

  async run(): Promise<Submitted> {
    const { plan, settings, cpus, queue, continues = false } = this.options;
    const latest = Math.max(0, ...this.before.map((s) => s.campaign));
    this.#campaign = continues ? Math.max(1, latest) : latest + 1;
    const prefix = await this.ledger.prefix();
    const limits = await queue.limits(settings.partition);
    const alive = await queue.queued(prefix);
    const held = this.#unitsOf(alive);
    const closed = new Set(plan.units.flatMap(({ id }) => (this.ledger.folder.has(id) ? [id] : [])));
    const blocked = continues ? this.#tried(closed, held) : new Set<string>();
    const without = new Set([...closed, ...held.keys(), ...blocked]);
    const parallel = settings.parallel ?? Math.max(1, Math.floor(limits.cores / cpus));
    const jobs = jobsOf(plan, { without, parallel, classOf: (unit) => classOf(settings, unit) });
    const room = Math.min(settings.most ?? Math.min(most, Math.floor(share * limits.maxJobs)), limits.maxJobs);
    const wave = jobs.slice(0, Math.max(0, room - 1 - alive.length));
    const underWay = held.size;
    if (jobs.length === 0 && alive.filter((job) => nameOf(job) !== lastName).length === 0) {
      return { jobs: 0, units: 0, underWay: 0, later: 0 };
    }
    await this.#writeScripts();
    const submitted = await this.#submitWave(wave, held, prefix, { parallel, ...limits });
    const last = await this.#submitLast(alive, prefix);
    const unitsOf = (list: readonly Job[]) => list.reduce((sum, job) => sum + job.units.length, 0);
    const units = unitsOf(submitted);
    return { jobs: submitted.length, units, underWay, later: unitsOf(jobs) - units, last };
  }

  /** Units in the hands of jobs that Slurm has, and who has each. */
  #unitsOf(alive: readonly QueuedJob[]): Map<string, string> {
    const held = new Map<string, string>();
    for (const job of alive) {
      const submission = this.before.find(({ name }) => name === nameOf(job));
      for (const id of submission?.jobs[elementOf(job)] ?? []) if (!this.ledger.folder.has(id)) held.set(id, job.id);
    }
    return held;
  }

  /** Units that this campaign tried and that are neither done nor under way, and all that wait for these. */
  #tried(done: ReadonlySet<string>, held: ReadonlyMap<string, string>): Set<string> {
    const isOwn = ({ campaign, id }: Submission) => campaign === this.#campaign && id !== undefined;
    const own = this.before.filter(isOwn).flatMap((s) => s.jobs.flat());
    const tried = new Set(own.filter((id) => !done.has(id) && !held.has(id)));
    for (const unit of this.options.plan.units) if (unit.needs.some((id) => tried.has(id))) tried.add(unit.id);
    return tried;
  }

  async #writeScripts(): Promise<void> {
    const root = this.options.folder;
    await writeFileAtomic({ root, file: 'slurm/job.sh' }, jobScript(this.options.unitCommand));
    await writeFileAtomic({ root, file: 'slurm/last.sh' }, lastScript(this.options.lastCommand));
  }

  /**
   * Asks sbatch for all arrays, some at once: each as soon as it is known what those that it waits for are called.
   * @returns the jobs that were submitted: all, unless the queue takes no more
   */
  async #submitWave(
    jobs: readonly Job[],
    held: ReadonlyMap<string, string>,
    prefix: string,
    { parallel, maxArray, byNumber }: QueueLimits & { parallel: number },
  ): Promise<Job[]> {
    const seen = await this.#memorySeen(jobs);
    const waits = (job: Job) => [
      ...new Set(job.units.flatMap((unit) => unit.needs.flatMap((id) => held.get(id) ?? []))),
    ];
    const found = arraysOf(jobs, this.options.settings, Math.max(1, maxArray - 1), {
      waits,
      megabytes: (job) => Math.max(0, ...job.units.map(({ id }) => seen.get(id) ?? 0)),
    });
    if (found.length === 0) return [];
    const order = searchedOrder(
      jobs,
      found.map((array) => array.jobs),
      parallel,
    );
    const arrays = order.map((place) => found[place] as JobArray);
    const first = Math.max(0, ...this.before.map(({ name }) => Number(name))) + 1;
    const wave: Wave = {
      campaign: this.#campaign,
      at: new Date().toISOString(),
      arrays: arrays.map((array, i) => ({
        name: String(first + i).padStart(6, '0'),
        jobs: array.jobs.map((job) => (jobs[job] as Job).units.map(({ id }) => id)),
        megabytes: array.request.megabytes,
      })),
    };
    const words = await this.ledger.begin(wave);
    const submitted: Job[] = [];
    /** Where each job is: array and element. */
    const placed = new Map<number, { array: string; element: number; of: number }>();
    let failure: unknown;
    const ask = async ({ jobs: elements, request }: JobArray, i: number): Promise<void> => {
      const [name, job] = [wave.arrays[i]?.name as string, jobs[elements[0] as number] as Job];
      // Equal of all jobs of an array.
      const after = [...elementsOf(job.needs.flatMap((need) => placed.get(need) ?? [])), ...waits(job)];
      try {
        const id = await this.#ask(
          prefix,
          name,
          elements.length,
          after,
          // A queue that knows no better takes its jobs in this order, whichever call of sbatch came first.
          [`--nice=${i * niceStep(byNumber)}`, ...optionsOf(request, this.options.cpus)],
          words[i] ?? [],
        );
        this.#ids.set(name, id);
        for (const [element, own] of elements.entries()) {
          placed.set(own, { array: id, element, of: elements.length });
          submitted.push(jobs[own] as Job);
        }
        await this.ledger.took(wave, name, id);
      } catch (error) {
        failure ??= error;
      }
    };
    const open = [...arrays.entries()];
    const asked = new Set<Promise<void>>();
    for (;;) {
      const isReady = ([, array]: (typeof open)[number]) =>
        (jobs[array.jobs[0] as number] as Job).needs.every((need) => placed.has(need));
      const next = failure === undefined && asked.size < sideBySide ? open.findIndex(isReady) : -1;
      const [ready] = next < 0 ? [] : open.splice(next, 1);
      if (ready) {
        const call = ask(ready[1], ready[0]).finally(() => asked.delete(call));
        asked.add(call);
      } else if (asked.size > 0) await Promise.race(asked);
      else break;
    }
    // What a full queue left out is found by the next wave.
    const isShort = failure instanceof QueueFull && (submitted.length > 0 || held.size > 0);
    if (failure !== undefined && !isShort) throw failure;
    return submitted;
  }

  #ask(
    prefix: string,
    name: string,
    elements: number,
    after: readonly string[],
    wishes: readonly string[],
    words: readonly string[],
  ): Promise<string> {
    return this.options.queue.submit([
      `--job-name=${prefix}${name}`,
      `--chdir=${this.options.folder}`,
      `--output=slurm/logs/${name}_%a.log`,
      '--open-mode=append',
      '--requeue',
      '--kill-on-invalid-dep=yes',
      '--signal=B:USR1@60',
      `--array=0-${elements - 1}`,
      ...(after.length > 0 ? [`--dependency=afterok:${after.join(':')}`] : []),
      ...wishes,
      this.ledger.file('job.sh'),
      ...words,
    ]);
  }

  /** Twice what units had whose last job ran out of memory. */
  async #memorySeen(wave: readonly Job[]): Promise<Map<string, number>> {
    const seen = new Map<string, number>();
    const wanted = new Set(wave.flatMap((job) => job.units.map(({ id }) => id)));
    for (const { name, jobs, megabytes } of this.before) {
      for (const [element, units] of jobs.entries()) {
        if (!units.some((id) => wanted.has(id))) continue;
        const { memory } = await this.ledger.ending(name, element);
        for (const id of units) if (wanted.has(id)) seen.set(id, memory ? 2 * megabytes : (seen.get(id) ?? 0));
      }
    }
    return seen;
  }

  /** The job that runs when all others of this run have ended; an earlier one makes way. */
  async #submitLast(alive: readonly QueuedJob[], prefix: string): Promise<string> {
    const { queue, folder, settings } = this.options;
    const former = alive.filter((job) => nameOf(job) === lastName && job.state === 'PENDING');
    if (former.length > 0) await queue.cancel(former.map(({ id }) => id));
    const others = alive.filter((job) => nameOf(job) !== lastName).map(({ id }) => id.split('_')[0] as string);
    const ids = [...new Set([...others, ...this.#ids.values()])];
    const { account, partition, qos } = settings;
    return queue.submit([
      `--job-name=${prefix}${lastName}`,
      `--chdir=${folder}`,
      '--output=slurm/logs/last.log',
      '--open-mode=append',
      '--requeue',
      ...(ids.length > 0 ? [`--dependency=afterany:${ids.join(':')}`] : []),
      ...optionsOf({ ...given({ account, partition, qos }), megabytes: 3000, minutes: 60 }, 1),
      this.ledger.file('last.sh'),
    ]);
  }
}

/** Elements of arrays as dependencies name them: an array's own number, where all of it is meant. */
function elementsOf(needs: readonly { array: string; element: number; of: number }[]): string[] {
  const byArray = new Map<string, number[]>();
  const sizes = new Map(needs.map(({ array, of }) => [array, of]));
  for (const { array, element } of needs) byArray.set(array, [...(byArray.get(array) ?? []), element]);
  return [...byArray].flatMap(([array, elements]) =>
    elements.length === sizes.get(array) ? [array] : elements.map((element) => `${array}_${element}`),
  );
}
