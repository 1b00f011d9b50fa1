/** Figures of a long run, with the day and the kind of machine, for docs/reliability.md. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';

/** The day, and the kind of machine. */
export interface Circumstances {
  readonly date: string;
  readonly machine: string;
}

export async function writeFigures(path: string, figures: object): Promise<void> {
  const machine = `${availableParallelism()} threads, ${cpus()[0]?.model.trim()}, Node ${process.versions.node}`;
  const circumstances: Circumstances = { date: new Date().toISOString().slice(0, 10), machine };
  await writeFile(path, `${JSON.stringify({ ...circumstances, ...figures }, null, 2)}\n`);
}
