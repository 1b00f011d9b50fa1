/**
 * CPU seconds of commands that have next to nothing to do, beside those of another build: what a job of a cluster pays before it
 * works. `npm run bench:start -- OTHER/dist/cli/main.js`. Of one process each, as jobs run it.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RunFolder } from '../src/study/index.js';
import { writeImages } from '../test/support/tiny.js';
import { type ResultRow, writeResults } from './support.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const rounds = 4;
const sides = { after: here('../dist/cli/main.js'), before: process.argv[2] && resolve(process.argv[2]) };
const backbone = here('../assets/demo/figures.onnx');

const told = `process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  process._rawDebug('CPU ' + (user + system) / 1e6);
});`;
const telling = ['--import', `data:text/javascript,${encodeURIComponent(told)}`];

/** CPU seconds of a process. */
async function cpuOf(args: readonly string[]): Promise<number> {
  const env = { ...process.env, TOEHOLD_WORKER: '1' };
  const { stderr } = await promisify(execFile)(process.execPath, [...telling, ...args], { env });
  return Math.max(...[...stderr.matchAll(/^CPU (\S+)$/gm)].map(([, seconds]) => Number(seconds)));
}

const folder = await mkdtemp(join(tmpdir(), 'toehold-start-'));
await writeImages(join(folder, 'images'), ['a', 'b'], 20);
const config = join(folder, 'study.yaml');
await writeFile(
  config,
  `protocol: head2toe\nlite: true\nbackbones: {figures: {model: ${backbone}, preprocess: cifar}}\ntasks: {images: {data: images}}\nmethods: [linear, finetune]\n`,
);

/** A unit that is done: the config, the data and the network are read, and the plan is made. */
async function doneUnit(main: string): Promise<string[]> {
  const run = await mkdtemp(join(folder, 'run-'));
  await cpuOf([main, 'plan', config, '-o', run, '--threads', '1', '--force']);
  const { units } = JSON.parse(await readFile(join(run, 'plan.json'), 'utf8'));
  const { id, label, kind, needs } = units[0];
  const record = { id, label, kind, needs, inputs: {}, result: {}, seconds: 1, finishedAt: '', versions: {} };
  await new RunFolder(run).writeRecord(record);
  return ['unit', config, '-o', run, '--threads', '1', '--quiet', id];
}

const commands: { name: string; of: (main: string) => Promise<string[]> | string[]; must?: number; aim?: number }[] = [
  { name: 'toehold --version', of: () => ['--version'] },
  { name: 'toehold taps', of: () => ['taps', backbone] },
  { name: 'toehold unit, of one that is done', of: doneUnit, must: 0.5, aim: 0.2 },
];

const rows: ResultRow[] = [];
let bare = Number.POSITIVE_INFINITY;
for (const { name, of, must, aim } of commands) {
  const best = { after: Number.POSITIVE_INFINITY, before: Number.POSITIVE_INFINITY };
  for (const side of ['after', 'before'] as const) {
    const main = sides[side];
    if (!main) continue;
    const words = await of(main);
    for (let round = 0; round < rounds; round++) best[side] = Math.min(best[side], await cpuOf([main, ...words]));
    bare = Math.min(bare, await cpuOf(['-e', '0']));
  }
  const detail = `minimum of ${rounds}; Node alone ${bare.toFixed(2)} s`;
  rows.push({
    figure: `${name}: CPU seconds (smaller is better)`,
    value: best.after,
    detail,
    ...(must !== undefined && { must }),
    ...(aim !== undefined && { aim }),
  });
  if (sides.before) {
    const both = `${best.before.toFixed(2)} s / ${best.after.toFixed(2)} s; ${detail}`;
    rows.push({ figure: `${name}: CPU seconds before / after`, value: best.before / best.after, detail: both });
  }
}
await rm(folder, { recursive: true });
await writeResults('start', 'What a process costs before it works', rows);
