/**
 * Tables with many more examples than features: the linear probe with its cross-validation, and a whole grid of penalties
 * beside scikit-learn's lbfgs at the same gradient norms.
 *
 * usage: tsx benchmarks/large-tables.ts [--only linear,path] [--data FOLDER] [--every 4] [--budget SECONDS] [--small]
 * Needs the peers of benchmarks/peers/setup.sh. Every run has a process of its own. scikit-learn gets every fourth penalty
 * (`--every`), each warm-started from the one before, and its seconds for the others are read off between them; our own
 * path is run over all penalties. `--small` takes a table of a sixteenth of the size.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../src/base/index.js';
import { createEngine } from '../src/engine/index.js';
import { readNpyData, readNpyHeader } from '../src/features/index.js';
import { runProbes, selectMethods } from '../src/probe/index.js';
import { FeatureMatrix, fitDesign, fitLogistic } from '../src/solver/index.js';
import { python, type ResultRow, writeResults } from './support.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: `${here}data` },
    only: { type: 'string', default: 'linear,path' },
    threads: { type: 'string', default: '2' },
    every: { type: 'string', default: '4' },
    budget: { type: 'string', default: '3600' },
    small: { type: 'boolean', default: false },
    child: { type: 'string' },
  },
});

interface Case {
  readonly name: string;
  readonly n: number;
  readonly p: number;
  readonly classes: number;
}
const linear: Case = { name: 'large-linear', n: 20_000, p: 64, classes: 10 };
const path: Case = flags.small
  ? { name: 'large-path-small', n: 12_500, p: 512, classes: 100 }
  : { name: 'large-path', n: 50_000, p: 2048, classes: 100 };
const penalties = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8];

function load({ name, n, p }: Case, unitNorm: boolean) {
  const read = (file: string, first?: number, end?: number) =>
    readNpyData(`${flags.data}/${name}/${file}`, readNpyHeader(`${flags.data}/${name}/${file}`), first, end);
  const labels = Int32Array.from(read('y.npy') as ArrayLike<number | bigint>, Number);
  const block = {
    name: 'features',
    features: p,
    read: async (first: number, count: number, into: Float32Array) => {
      into.set(read('X.npy', first * n, (first + count) * n) as Float32Array);
    },
  };
  return { matrix: new FeatureMatrix([block], n, { unitNorm }), labels };
}

/** One of our runs: seconds without starting and reading. */
async function child(which: string): Promise<void> {
  const engine = await createEngine({ threads: Number(flags.threads) });
  const own = which === 'linear' ? linear : path;
  const { matrix, labels } = load(own, which === 'linear');
  for await (const _ of matrix.chunks()) _;
  const began = performance.now();
  const cpu = process.cpuUsage();
  let points: object[] = [];
  if (which === 'linear') {
    const classes = Array.from({ length: own.classes }, (_, k) => `class ${k}`);
    const task = {
      train: { matrix, labels, files: Array.from(labels, (_, i) => `${i}`) },
      classes,
      taps: [{ alias: 'features', name: 'features', features: own.p }],
      source: { data: own.name, description: own.name },
    };
    const { results } = await runProbes(engine, task, selectMethods('linear'), { l2: penalties, folds: 5 });
    points = results.flatMap(({ fit }) => fit.grid.map(({ settings, converged }) => ({ ...settings, converged })));
  } else {
    const design = await fitDesign(engine, matrix, { standardize: false });
    points = [...(await fitLogistic(engine, design, labels)).points];
  }
  const { user, system } = process.cpuUsage(cpu);
  const answer = {
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: (user + system) / 1e6,
    points,
    maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

interface Point {
  readonly lambda: number;
  readonly gradient: number;
  readonly seconds: number;
  readonly iterations: number;
  readonly reached?: boolean;
}
interface Answer {
  readonly solver?: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly points: readonly Point[];
  readonly maxRssMiB: number;
  readonly whole?: number;
  readonly folds?: number;
}

function spawn(command: string, args: string[]): Answer {
  const threads = { OMP_NUM_THREADS: flags.threads, OPENBLAS_NUM_THREADS: flags.threads };
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, ...threads },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (result.status !== 0) throw new Error(`${command} ${args[0]} failed`);
  return JSON.parse(result.stdout.trim().split('\n').at(-1) as string) as Answer;
}

const ours = (which: string) => {
  const args = [
    '--child',
    which,
    '--data',
    flags.data,
    '--threads',
    flags.threads,
    ...(flags.small ? ['--small'] : []),
  ];
  return spawn(process.execPath, ['--import', 'tsx', `${here}large-tables.ts`, ...args]);
};
const sklearn = (...args: string[]) => spawn(python, [`${here}peers/large_sklearn.py`, ...args]);

/** Seconds at every lambda, straight in log lambda between those that were measured, constant beyond. */
function filled(points: readonly Point[], lambdas: readonly number[]): number[] {
  const known = [...points].sort((a, b) => b.lambda - a.lambda);
  return lambdas.map((lambda) => {
    const after = known.findIndex((point) => point.lambda <= lambda * (1 + 1e-9));
    const [left, right] = [
      known[Math.max(0, after - 1)] as Point,
      known[after < 0 ? known.length - 1 : after] as Point,
    ];
    if (after <= 0 || left.lambda === right.lambda) return right.seconds;
    const t = Math.log(lambda / left.lambda) / Math.log(right.lambda / left.lambda);
    return left.seconds + t * (right.seconds - left.seconds);
  });
}

const s = (seconds: number) => `${seconds.toPrecision(3)} s`;

function linearRows(raw: Record<string, unknown>): ResultRow[] {
  const own = ours('linear');
  const peer = sklearn('folds', `${flags.data}/${linear.name}`, ...penalties.map(String));
  raw.linear = { own, peer };
  const what = `n ${linear.n}, p ${linear.p}, K ${linear.classes}, 7 penalties x 5 folds and the final fit`;
  return [
    {
      figure: 'linear probe with its cross-validation, seconds (smaller is better)',
      value: own.seconds,
      must: 12,
      aim: 4,
      detail: `${what}; ${s(own.cpuSeconds)} of processor time, peak memory ${own.maxRssMiB} MiB; ${peer.solver} with its own tolerance ${s(peer.folds ?? 0)} for the 35 fits, ${s(peer.whole ?? 0)} for 7 on all rows`,
    },
  ];
}

function pathRows(raw: Record<string, unknown>): ResultRow[] {
  const own = ours('path');
  const falling = [...own.points].sort((a, b) => b.lambda - a.lambda);
  const every = Number(flags.every);
  const asked = falling.filter((_, i) => i % every === 0).map((q) => `${q.lambda}:${q.gradient}`);
  const peer = sklearn('path', `${flags.data}/${path.name}`, flags.budget, ...asked);
  raw[path.name] = { own, peer };
  const times = filled(
    peer.points,
    falling.map((q) => q.lambda),
  );
  const estimate = times.reduce((sum, v) => sum + v, 0);
  const reached = peer.points.filter((q) => q.reached).length;
  const size = `n ${path.n}, p ${path.p}, K ${path.classes}, ${falling.length} penalties`;
  return [
    {
      figure: `${flags.small ? 'small ' : ''}grid of penalties: ${peer.solver} / ours, seconds`,
      value: estimate / own.seconds,
      ...(flags.small ? {} : { must: 10 }),
      detail: `${size}; ours ${s(own.seconds)}; lbfgs ${s(peer.seconds)} for ${peer.points.length} of them, hence ${s(estimate)} for all; it reached our gradient norm at ${reached} and stood still above it at the others`,
    },
    {
      figure: `${flags.small ? 'small ' : ''}grid of penalties: peak memory, GB (smaller is better)`,
      value: own.maxRssMiB / 953.7,
      must: 4,
      detail: `${size}; scikit-learn ${(peer.maxRssMiB / 953.7).toFixed(1)} GB`,
    },
  ];
}

async function main(): Promise<void> {
  const only = flags.only.split(',');
  const file = `${here}results/raw/large-tables.json`;
  const raw = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
  const rows: ResultRow[] = [];
  for (const [which, own, measure] of [
    ['linear', linear, linearRows],
    ['path', path, pathRows],
  ] as const) {
    if (!only.includes(which)) continue;
    const size = [own.n, own.p, own.classes].map(String);
    spawnSync(python, [`${here}peers/solver_data.py`, flags.data, own.name, ...size], { stdio: 'inherit' });
    rows.push(...measure(raw));
    await writeFileAtomic(file, `${JSON.stringify(raw, null, 1)}\n`);
  }
  await writeResults('large-tables', 'Large tables beside scikit-learn', rows);
}

if (flags.child) await child(flags.child);
else await main();
