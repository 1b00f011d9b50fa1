/** What the benchmarks share: a peer process that answers one JSON line per request, and results on disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '../src/base/index.js';
import { type CompiledPass, runBatches } from '../src/features/index.js';
import type { Tensor } from '../src/graph/index.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
export const assets = here('../../shared/assets');
export const python = here('peers/.venv/bin/python');

/** A Python peer under benchmarks/peers. @throws when the virtual environment is not set up. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(script: string, first?: unknown, parameters: readonly string[] = []) {
    if (!existsSync(python)) throw new Error('set the peers up first: benchmarks/peers/setup.sh');
    this.#child = spawn(python, [here(`peers/${script}`), ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!this.#child.stdout) throw new Error('no output of the peer');
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    if (first !== undefined) this.#send(first);
  }

  #send(request: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  async ask<T>(request: unknown): Promise<T> {
    this.#send(request);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the peer ended before it answered');
    return JSON.parse(value) as T;
  }

  stop(): void {
    this.#send('stop');
    this.#child.stdin?.end();
  }
}

/** Seconds per image of a pass over `images` constant images, all its threads busy; the rest as in runBatches. */
export async function passSeconds(
  pass: Pick<CompiledPass, 'program' | 'workers'>,
  backbone: Parameters<typeof runBatches>[1],
  batch: number,
  images: number,
  buffer: () => Tensor | undefined,
): Promise<number> {
  const [height, width] = backbone.preprocess.size;
  const pixels = new Uint8Array(batch * height * width * 3).fill(100);
  const constant = Array.from({ length: Math.ceil(images / batch) }, () => ({ pixels }));
  const start = performance.now();
  for await (const _ of runBatches(pass, backbone, batch, constant, buffer));
  return (performance.now() - start) / 1000 / (constant.length * batch);
}

export interface ResultRow {
  /** What is measured, a ratio: larger is better. */
  readonly figure: string;
  readonly value: number;
  /** Floor and aim of the figure, where the project set them. */
  readonly must?: number;
  readonly aim?: number;
  /** Absolute figures behind the ratio and the work they were measured on. */
  readonly detail: string;
}

/** Cores, processor and Node: what timings are of. */
export const machine = () =>
  `${availableParallelism()} threads, ${cpus()[0]?.model.trim()}, Node ${process.versions.node}`;

/** Writes benchmarks/results/<name>.json, from which RESULTS.md is rendered. */
export async function writeResults(name: string, title: string, rows: readonly ResultRow[]): Promise<void> {
  const result = { title, machine: machine(), date: new Date().toISOString().slice(0, 10), rows };
  await writeFileAtomic(here(`results/${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  for (const row of rows) console.log(`${row.figure}: ${row.value.toFixed(3)}  (${row.detail})`);
}
