/**
 * `auto` beside published rivals on the same images, frozen DeiT-Ti: Attentive Layer Fusion (peers/alf.py: on ln2 of every block and
 * the last norm, eight of its 63 settings, chosen once, five seeds) and banded ridge regression by random search
 * (peers/himalaya_ridge.py: on auto's own features). Writes the second table of docs/probes.md.
 * `npm run bench:rivals -- FOLDER`: FOLDER keeps features and answers; what is there is not computed again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { textTable, writeFileAtomic } from '../src/base/index.js';
import { done, readRecord } from '../src/record/index.js';
import { type ProbeData, realData, storeOf, toehold, writeBetween } from './probe-data.js';
import { machine, python } from './support.js';

const [given, only] = process.argv.slice(2);
if (given === undefined) throw new Error('name a folder that keeps features and answers');
const folder = resolve(given);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const backbone = 'deit_tiny';
/** Settings of the paper's grid. */
const PUBLISHED = 63;
const draws = 100;

/** The JSON lines that a peer prints, on one thread. */
async function linesOf<T>(name: string, script: string, args: readonly string[]): Promise<T[]> {
  const kept = join(folder, `${name}.jsonl`);
  if (!existsSync(kept)) {
    const { status, stdout } = spawnSync(python, [here(`peers/${script}`), ...args, '--threads', '1'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (status !== 0) throw new Error(`${script} ended with ${status}`);
    await writeFileAtomic(kept, stdout);
  }
  return (await readFile(kept, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

interface FusionAnswer {
  readonly test: number;
  /** Seconds to choose a setting of `tried`, in the first seed's answer. */
  readonly choosing: number;
  readonly tried: number;
}
interface BandedAnswer {
  /** Per cent. */
  readonly test: number;
  readonly seconds: number;
  readonly kernels: number;
}

async function rivalsOf(data: ProbeData) {
  const fused = await storeOf(folder, data, backbone, 'ln2', ['--taps', 'block*.ln2,final_norm', '--pool', 'gap']);
  const store = await storeOf(folder, data, backbone, '512', ['--pool', 'target:512']);
  const fusion = await linesOf<FusionAnswer>(`${data.name}-alf`, 'alf.py', [fused, '--once', '--seeds', '5']);
  const [banded] = await linesOf<BandedAnswer>(`${data.name}-banded`, 'himalaya_ridge.py', [
    store,
    '--draws',
    `${draws}`,
  ]);
  return { store, fusion, banded: banded as BandedAnswer };
}

async function autoOf(data: ProbeData, store: string) {
  const output = join(folder, `${data.name}-auto`);
  if (!existsSync(join(output, 'record.json'))) {
    toehold('probe', store, '-m', 'auto', '--leave-out', '0', '--repetitions', '0', '--threads', '1', '-o', output);
  }
  const [task] = (await readRecord(output)).tasks;
  const cell = task && done(task, 'auto');
  if (!cell) throw new Error(`${data.name}: no auto`);
  return { score: 100 * (cell.score ?? Number.NaN), seconds: cell.seconds ?? Number.NaN };
}

const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
const deviation = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, v) => sum + (v - mean(values)) ** 2, 0) / (values.length - 1));
const points = (v: number) => `${v < 0 ? '−' : '+'}${Math.abs(v).toFixed(1)}`;

await mkdir(folder, { recursive: true });
const rows: string[][] = [];
const gains = { fusion: [] as number[], banded: [] as number[] };
const times = { fusion: [] as number[], banded: [] as number[] };
for (const data of realData) {
  const { store, fusion, banded } = await rivalsOf(data);
  if (only === 'peers') continue;
  const auto = await autoOf(data, store);
  const scores = fusion.map(({ test }) => 100 * test);
  const [{ choosing, tried }] = fusion as [FusionAnswer];
  const search = (choosing / tried) * PUBLISHED;
  gains.fusion.push(auto.score - mean(scores));
  gains.banded.push(auto.score - banded.test);
  times.fusion.push(search / auto.seconds);
  times.banded.push((banded.seconds + banded.kernels) / auto.seconds);
  rows.push([
    data.name,
    `${auto.score.toFixed(1)} (${auto.seconds.toFixed(0)} s)`,
    `${mean(scores).toFixed(1)} ± ${deviation(scores).toFixed(1)} (${choosing.toFixed(0)} s for ${tried} settings)`,
    `${banded.test.toFixed(1)} (${(banded.seconds + banded.kernels).toFixed(0)} s)`,
    points(gains.fusion.at(-1) as number),
    points(gains.banded.at(-1) as number),
  ]);
  console.error(rows.at(-1)?.join('  '));
}
if (rows.length === realData.length) {
  const header = [
    'data',
    'auto',
    'attentive layer fusion',
    `banded ridge, ${draws} draws`,
    'auto − fusion',
    'auto − banded',
  ];
  await writeBetween(
    here('../docs/probes.md'),
    ['<!-- written by npm run bench:rivals -->', '<!-- end of rivals -->'],
    [
      `${machine()}, ${new Date().toISOString().slice(0, 10)}; one thread each.`,
      '',
      ...[header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
      '',
      `auto minus fusion: mean ${points(mean(gains.fusion))} points, worst ${points(Math.min(...gains.fusion))}, in 1/${mean(times.fusion).toFixed(0)} of the time of choosing among the paper's ${PUBLISHED} settings (of those tried, scaled up); auto minus banded ridge: mean ${points(mean(gains.banded))}, worst ${points(Math.min(...gains.banded))}, in 1/${mean(times.banded).toFixed(1)} of its time.`,
    ],
  );
  console.log(textTable(header, rows).join('\n'));
}
