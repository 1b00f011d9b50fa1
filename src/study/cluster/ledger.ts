/**
 * What of a run was submitted, wave by wave: slurm/WAVE.json and slurm/WAVE.units, written before sbatch is asked for the first
 * array, and slurm/WAVE.ids, a line for each array that it took. A submission is found again in the queue by its name, even if the
 * process that made it died in between.
 */
import { existsSync } from 'node:fs';
import { appendFile, mkdir, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, followed, given, sha256, writeFileAtomic } from '../../base/index.js';
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
  /** In the queue's words. Absent where sbatch was not asked yet, or whoever asked it died before it could write the answer down. */
  readonly id?: string;
}

/** Arrays submitted by one command, in the order in which they were. */
export interface Wave {
  readonly campaign: number;
  /** ISO 8601 */
  readonly at: string;
  readonly arrays: readonly Pick<Submission, 'name' | 'jobs' | 'megabytes'>[];
}

/** The wave that begins with an array is called as that array is. */
const nameOf = ({ arrays }: Wave): string => arrays[0]?.name ?? '';

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
    const waves = await Promise.all(
      names.map(async (file) => {
        const wave = JSON.parse(await readFile(this.file(file), 'utf8')) as Wave;
        const text = await readFile(this.file(`${nameOf(wave)}.ids`), 'utf8').catch(() => '');
        // A line without its end was being written when the process died.
        const ids = new Map([...text.matchAll(/^(\d+) (\d+)\n/gm)].map(([, name, id]) => [name, id]));
        return wave.arrays.map((array) => ({
          ...array,
          campaign: wave.campaign,
          ...given({ id: ids.get(array.name) }),
        }));
      }),
    );
    return waves.flat();
  }

  /** @returns for each array, what its script is to be told: where its units are, and what it is called */
  async begin(wave: Wave): Promise<(readonly string[])[]> {
    const root = this.folder.path;
    const lines = wave.arrays.map(({ jobs }) => jobs.map((units) => `${units.join(' ')}\n`));
    await writeFileAtomic({ root, file: `slurm/${nameOf(wave)}.units` }, lines.flat().join(''));
    await writeFileAtomic({ root, file: `slurm/${nameOf(wave)}.json` }, `${JSON.stringify(wave)}\n`);
    let line = 1;
    return wave.arrays.map(({ name, jobs }) => {
      const words = [nameOf(wave), String(line), name];
      line += jobs.length;
      return words;
    });
  }

  /** What is not yet on the disk when a machine dies is found in the queue. */
  async took(wave: Wave, name: string, id: string): Promise<void> {
    await appendFile(this.file(`${nameOf(wave)}.ids`), `${name} ${id}\n`);
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
