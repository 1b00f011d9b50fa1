/**
 * A study handed to Slurm: what is not done is packed into jobs, which are submitted with what they wait for. The run folder
 * stays the truth: a submission asks it what is done, and the queue what is under way.
 */
import { existsSync } from 'node:fs';
import { given, tryLock, writeFileAtomic } from '../../base/index.js';
import type { SlurmSettings } from '../config/slurm.js';
import { RunFolder } from '../folder.js';
import { type Job, jobsOf } from '../jobs.js';
import type { Plan } from '../plan.js';
import { arraysOf, classOf, optionsOf } from './arrays.js';
import { Ledger, type Submission } from './ledger.js';
import { type QueuedJob, QueueFull, type slurm as slurmCommands } from './queue.js';
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

const lastName = 'last';

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
    const closed = new Set(plan.units.flatMap(({ id }) => (this.#isDone(id) ? [id] : [])));
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
    const done = await this.#submitWave(wave, held, prefix, limits.maxArray);
    const last = await this.#submitLast(alive, prefix);
    const units = jobs.slice(0, done).reduce((sum, job) => sum + job.units.length, 0);
    const all = jobs.reduce((sum, job) => sum + job.units.length, 0);
    return { jobs: done, units, underWay, later: all - units, last };
  }

  #isDone(id: string): boolean {
    return existsSync(this.ledger.folder.file('units', id, 'record.json'));
  }

  /** Units in the hands of jobs that Slurm has, and who has each. */
  #unitsOf(alive: readonly QueuedJob[]): Map<string, string> {
    const held = new Map<string, string>();
    for (const job of alive) {
      const submission = this.before.find(({ name }) => name === nameOf(job));
      for (const id of submission?.jobs[elementOf(job)] ?? []) if (!this.#isDone(id)) held.set(id, job.id);
    }
    return held;
  }

  /** Units that this campaign tried and that are neither done nor under way, and all that wait for these. */
  #tried(done: ReadonlySet<string>, held: ReadonlyMap<string, string>): Set<string> {
    const own = this.before.filter((s) => s.campaign === this.#campaign).flatMap((s) => s.jobs.flat());
    const tried = new Set(own.filter((id) => !done.has(id) && !held.has(id)));
    for (const unit of this.options.plan.units) if (unit.needs.some((id) => tried.has(id))) tried.add(unit.id);
    return tried;
  }

  async #writeScripts(): Promise<void> {
    const root = this.options.folder;
    await writeFileAtomic({ root, file: 'slurm/job.sh' }, jobScript(this.options.unitCommand));
    await writeFileAtomic({ root, file: 'slurm/last.sh' }, lastScript(this.options.lastCommand));
  }

  /** @returns how many of the jobs were submitted: all, unless the queue takes no more */
  async #submitWave(
    wave: readonly Job[],
    held: ReadonlyMap<string, string>,
    prefix: string,
    maxArray: number,
  ): Promise<number> {
    const { settings, cpus, queue, folder } = this.options;
    const seen = await this.#memorySeen(wave);
    const waits = (job: Job) => [
      ...new Set(job.units.flatMap((unit) => unit.needs.flatMap((id) => held.get(id) ?? []))),
    ];
    const arrays = arraysOf(wave, settings, Math.max(1, maxArray - 1), {
      waits,
      megabytes: (job) => Math.max(0, ...job.units.map(({ id }) => seen.get(id) ?? 0)),
    });
    const names = this.before.map(({ name }) => Number(name));
    let next = Math.max(0, ...names) + 1;
    let done = 0;
    /** Where each job is: array and element. */
    const placed = new Map<number, { array: string; element: number; of: number }>();
    for (const { jobs, request } of arrays) {
      const name = String(next++).padStart(6, '0');
      await this.ledger.write({
        name,
        campaign: this.#campaign,
        jobs: jobs.map((i) => (wave[i] as Job).units.map(({ id }) => id)),
        megabytes: request.megabytes,
        at: new Date().toISOString(),
      });
      // Equal of all jobs of an array.
      const first = wave[jobs[0] as number] as Job;
      const after = [...elementsOf(first.needs.flatMap((i) => placed.get(i) ?? [])), ...waits(first)];
      try {
        const id = await queue.submit([
          `--job-name=${prefix}${name}`,
          `--chdir=${folder}`,
          `--output=slurm/logs/${name}_%a.log`,
          '--open-mode=append',
          '--requeue',
          '--kill-on-invalid-dep=yes',
          '--signal=B:USR1@60',
          `--array=0-${jobs.length - 1}`,
          ...(after.length > 0 ? [`--dependency=afterok:${after.join(':')}`] : []),
          ...optionsOf(request, cpus),
          this.ledger.file('job.sh'),
          name,
        ]);
        this.#ids.set(name, id);
        for (const [element, i] of jobs.entries()) placed.set(i, { array: id, element, of: jobs.length });
        await this.ledger.folder.write(`slurm/${name}.id`, `${id}\n`);
        done += jobs.length;
      } catch (error) {
        if (!(error instanceof QueueFull) || (done === 0 && held.size === 0)) throw error;
        // Arrays are in the order of their first jobs, not all of them: what was left out is found by the next wave.
        await this.ledger.write({
          name,
          campaign: this.#campaign,
          jobs: [],
          megabytes: 0,
          at: new Date().toISOString(),
        });
        break;
      }
    }
    return done;
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
