/** A queue in memory: it keeps what it was asked for, and jobs end when a test says so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Queue, type QueuedJob, QueueFull } from '../../../src/study/cluster/index.js';

export interface Asked {
  readonly id: string;
  readonly args: readonly string[];
  /** Units of each element; empty for the last job. */
  readonly jobs: readonly (readonly string[])[];
}

export class FakeQueue implements Queue {
  readonly asked: Asked[] = [];
  readonly cancelled: string[] = [];
  #alive: QueuedJob[] = [];
  /** Elements that it holds at most. */
  room = Number.POSITIVE_INFINITY;
  limitsGiven = { maxJobs: 10_000, maxArray: 1001, cores: 64, byNumber: false };

  async submit(args: readonly string[]): Promise<string> {
    const id = String(100 + this.asked.length);
    const name = optionIn(args, 'job-name') as string;
    const elements = Number(optionIn(args, 'array')?.split('-')[1] ?? -1) + 1;
    if (this.#alive.length + Math.max(1, elements) > this.room) throw new QueueFull('job submit limit');
    const folder = optionIn(args, 'chdir') as string;
    const [wave, line] = args.slice(-3);
    const lines =
      elements === 0
        ? []
        : readFileSync(join(folder, 'slurm', `${wave}.units`), 'utf8')
            .split('\n')
            .slice(Number(line) - 1, Number(line) - 1 + elements);
    this.asked.push({ id, args, jobs: lines.map((line) => line.split(' ')) });
    const ids = elements === 0 ? [id] : lines.map((_, i) => `${id}_${i}`);
    this.#alive.push(...ids.map((own) => ({ id: own, name, state: 'PENDING', where: 'Priority' })));
    return id;
  }

  async queued(prefix: string): Promise<QueuedJob[]> {
    return this.#alive.filter(({ name }) => name.startsWith(prefix));
  }

  async cancel(ids: readonly string[]): Promise<void> {
    this.cancelled.push(...ids);
    this.end((job) => ids.includes(job.id));
  }

  async limits() {
    return this.limitsGiven;
  }

  /** Jobs leave the queue, whatever became of them. */
  end(which: (job: QueuedJob) => boolean): void {
    this.#alive = this.#alive.filter((job) => !which(job));
  }

  /** Jobs run from now on. */
  run(which: (job: QueuedJob) => boolean): void {
    this.#alive = this.#alive.map((job) => (which(job) ? { ...job, state: 'RUNNING', where: 'node7' } : job));
  }

  /** What was asked for after the first so many, without last jobs. */
  arrays(from = 0): Asked[] {
    return this.asked.slice(from).filter(({ jobs }) => jobs.length > 0);
  }
}

/** The value of --name=value. */
export function optionIn(args: readonly string[], name: string): string | undefined {
  return args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
}
