/**
 * What of a run was submitted: slurm/NAME.json and slurm/NAME.units, written before sbatch is asked, and slurm/NAME.id after.
 * A submission is found again in the queue by its name, even if the process that made it died in between.
 */
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, followed, sha256, writeFileAtomic } from '../../base/index.js';
import type { RunFolder } from '../folder.js';

/** An array of jobs, as it was submitted. */
export interface Submission {
  readonly name: string;
  /** Counts the commands that submitted to this run; those of one command and its waves share a number. */
  readonly campaign: number;
  /** Units of each element. */
  readonly jobs: readonly (readonly string[])[];
  /** Asked for, of each element. */
  readonly megabytes: number;
  /** ISO 8601 */
  readonly at: string;
}

/** How an element ended that is no longer in the queue. */
export interface Ending {
  /** Of its script; absent where it never got to its end. */
  readonly code?: number | undefined;
  /** Last lines of its log. */
  readonly lines: readonly string[];
  /** Path of the log, relative to the run folder. */
  readonly log: string;
  /** Memory ran out. */
  readonly memory: boolean;
}

const outOfMemory = /oom[- _]?kill|out of memory|exceeded .*memory|memory .*exceeded|memory limit|bad_alloc/i;
const tailBytes = 4096;
const tailLines = 5;

export class Ledger {
  constructor(readonly folder: RunFolder) {}

  /** What names of jobs of this run begin with. */
  async prefix(): Promise<string> {
    return `toehold-${sha256(await followed(this.folder.path)).slice(0, 8)}.`;
  }

  file(...parts: string[]): string {
    return this.folder.file('slurm', ...parts);
  }

  async create(): Promise<void> {
    for (const part of ['logs', 'ends']) {
      await mkdir(this.file(part), { recursive: true }).catch((error) => {
        throw fileError(error, this.file(part));
      });
    }
  }

  exists(): boolean {
    return existsSync(this.file());
  }

  /** All submissions, oldest first. */
  async submissions(): Promise<Submission[]> {
    const names = (await readdir(this.file()).catch(() => [])).filter((name) => /^\d+\.json$/.test(name)).sort();
    return Promise.all(names.map(async (name) => JSON.parse(await readFile(this.file(name), 'utf8')) as Submission));
  }

  async write(submission: Submission): Promise<void> {
    const { name, jobs } = submission;
    const root = this.folder.path;
    await writeFileAtomic({ root, file: `slurm/${name}.units` }, jobs.map((units) => `${units.join(' ')}\n`).join(''));
    await writeFileAtomic({ root, file: `slurm/${name}.json` }, `${JSON.stringify(submission)}\n`);
  }

  async ending(name: string, element: number): Promise<Ending> {
    const code = Number(await readFile(this.file('ends', `${name}_${element}`), 'utf8').catch(() => 'none'));
    const log = join('slurm', 'logs', `${name}_${element}.log`);
    const lines = await tailOf(this.folder.file(log));
    return {
      ...(Number.isInteger(code) ? { code } : {}),
      lines,
      log,
      memory: lines.some((line) => outOfMemory.test(line)),
    };
  }
}

async function tailOf(path: string): Promise<string[]> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return [];
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, tailBytes));
    await file.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8').trimEnd().split('\n').slice(-tailLines);
  } finally {
    await file.close();
  }
}
