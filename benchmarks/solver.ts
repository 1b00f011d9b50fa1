/**
 * The certified path and the l2 grid beside glmnet, adelie and scikit-learn, on the same data in one run.
 *
 * usage: tsx benchmarks/solver.ts [--data FOLDER] [--only p10k-k10,...] [--skip-peers] [--threads n]
 * Needs the peers of benchmarks/peers/setup.sh, and Rscript with glmnet. Writes benchmarks/results/solver.json, and what
 * every solver said to results/raw. Times exclude reading the data, except on disk where reading is the work.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../src/base/index.js';
import { createEngine } from '../src/engine/index.js';
import { type FeatureBlock, FeatureMatrix, fitDesign, fitLogistic, solvePath } from '../src/solver/index.js';
import { python, type ResultRow, writeResults } from './support.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: `${here}data` },
    only: { type: 'string' },
    'skip-peers': { type: 'boolean', default: false },
    threads: { type: 'string', default: '0' },
    /** Seconds that scikit-learn may take. */
    budget: { type: 'string', default: '600' },
    child: { type: 'string' },
  },
});

interface Case {
  n: number;
  p: number;
  classes: number;
  kind: 'path' | 'l2';
  /** Bytes of features held in memory. */
  memory?: number;
  repeats: number;
  peers: ('glmnet' | 'adelie' | 'sklearn')[];
}
const cases: Record<string, Case> = {
  'p10k-k10': { n: 1000, p: 10_000, classes: 10, kind: 'path', repeats: 5, peers: ['glmnet', 'adelie'] },
  'p100k-k10': { n: 1000, p: 100_000, classes: 10, kind: 'path', repeats: 3, peers: ['glmnet', 'adelie'] },
  'l2-p20k-k43': { n: 1000, p: 20_000, classes: 43, kind: 'l2', repeats: 3, peers: ['sklearn'] },
  'p100k-k10-disk': { n: 1000, p: 100_000, classes: 10, kind: 'path', memory: 2 ** 27, repeats: 2, peers: [] },
  'p1m-k10-disk': { n: 1000, p: 1_000_000, classes: 10, kind: 'path', memory: 2 ** 29, repeats: 1, peers: [] },
  'p10k-k100': { n: 1000, p: 10_000, classes: 100, kind: 'path', repeats: 2, peers: ['glmnet', 'adelie'] },
};

async function load(folder: string, memory: number) {
  const labels = readFileSync(`${folder}/y.npy`);
  const offset = 10 + labels.readUInt16LE(8);
  const n = (labels.length - offset) / 8;
  const y = Int32Array.from({ length: n }, (_, i) => Number(labels.readBigInt64LE(offset + 8 * i)));
  const file = await open(`${folder}/X.npy`);
  const head = Buffer.alloc(256);
  await file.read(head, 0, 256, 0);
  const start = 10 + head.readUInt16LE(8);
  const p = Number(/\(\d+, (\d+)\)/.exec(head.toString('latin1'))?.[1]);
  const blocks: FeatureBlock[] = [];
  const size = Math.ceil(p / 10);
  for (let first = 0; first < p; first += size) {
    blocks.push({
      name: `block${blocks.length}`,
      features: Math.min(size, p - first),
      source: `${folder}/X.npy`,
      read: async (from, count, into) => {
        const bytes = new Uint8Array(into.buffer, into.byteOffset, count * n * 4);
        let done = 0;
        while (done < bytes.length) {
          const { bytesRead } = await file.read(
            bytes,
            done,
            bytes.length - done,
            start + 4 * n * (first + from) + done,
          );
          done += bytesRead;
        }
      },
    });
  }
  const matrix = new FeatureMatrix(blocks, n, { memory });
  if (p * n * 4 <= memory) for await (const _ of matrix.chunks()) _;
  return { matrix, y };
}

/** One of our runs, in a process of its own so that its memory is its own. */
async function child(name: string): Promise<void> {
  const test = cases[name] as Case;
  const { matrix, y } = await load(`${flags.data}/${name}`, test.memory ?? 2 ** 31);
  const engine = await createEngine({ threads: Number(flags.threads) });
  const runs: number[] = [];
  let report: object = {};
  for (let i = 0; i < test.repeats; i++) {
    const began = performance.now();
    const design = await fitDesign(engine, matrix, { standardize: false });
    if (test.kind === 'path') {
      const { points, converged } = await solvePath(engine, design, y, { tolerance: 1e-4 });
      const last = points.at(-1);
      report = {
        lambdas: points.length,
        lastLambda: last?.lambda,
        objective: last?.objective,
        nonzero: last?.nonzero,
        largestGap: Math.max(...points.map((q) => q.gap)),
        iterations: points.reduce((sum, q) => sum + q.iterations, 0),
        converged,
      };
    } else {
      const { points, converged } = await fitLogistic(engine, design, y);
      report = { converged, points: points.map(({ C, seconds, ...rest }) => rest) };
    }
    runs.push((performance.now() - began) / 1000);
  }
  const sorted = [...runs].sort((a, b) => a - b);
  process.stdout.write(
    `${JSON.stringify({
      solver: `toehold, ${engine.name}, ${engine.threads} threads`,
      seconds: sorted[sorted.length >> 1],
      runs,
      ...report,
      maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    })}\n`,
  );
}

function spawn(command: string, args: string[]): Answer {
  const began = performance.now();
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: 1_800_000, maxBuffer: 2 ** 26 });
  const line = result.stdout?.trim().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as Answer;
  } catch {
    const wall = (performance.now() - began) / 1000;
    return { failed: (result.stderr ?? '').trim().split('\n').slice(-3).join(' ') || `exit ${result.status}`, wall };
  }
}

/** What a solver said of its run, or why it has nothing to say. */
interface Answer {
  solver?: string;
  seconds?: number;
  objective?: number;
  lambdas?: number;
  nonzero?: number;
  largestGap?: number;
  maxRssMiB?: number;
  failed?: string;
  wall?: number;
  /** lambdas asked of a peer that may run out of its budget. */
  asked?: number;
  points?: { lambda: number; gradient: number }[];
}
interface RawResult {
  n: number;
  p: number;
  classes: number;
  solvers: Answer[];
}

/** Floors and aims of the ratios, by problem and peer. */
const targets: Readonly<Record<string, Readonly<Record<string, readonly [must: number, aim: number]>>>> = {
  'p10k-k10': { glmnet: [2, 5], adelie: [4, 10] },
  'p100k-k10': { glmnet: [4, 10], adelie: [8, 20] },
  'p10k-k100': { adelie: [5, 10] },
  'l2-p20k-k43': { sklearn: [20, 100] },
};

function rowsOf(results: Readonly<Record<string, RawResult>>): ResultRow[] {
  const rows: ResultRow[] = [];
  for (const [name, { n, p, classes, solvers }] of Object.entries(results)) {
    const [ours, ...peers] = solvers;
    if (!ours?.seconds) continue;
    const certified = ours.largestGap === undefined ? '' : `, gap <= ${ours.largestGap.toExponential(1)}`;
    const own = `n ${n}, p ${p}, K ${classes}: ours ${ours.seconds.toFixed(2)} s${certified}`;
    for (const peer of peers) {
      const label =
        Object.keys(targets[name] ?? {}).find((t) =>
          peer.solver?.toLowerCase().includes(t.replace('sklearn', 'scikit')),
        ) ?? '';
      const [must, aim] = targets[name]?.[label] ?? [];
      const theirs =
        peer.seconds === undefined
          ? `failed (${peer.failed ?? 'no answer'}) after ${peer.wall?.toFixed(0)} s`
          : `${peer.seconds.toFixed(2)} s${peer.lambdas ? `, ${peer.lambdas} lambdas` : ''}${peer.asked ? ` of ${peer.asked} at most our gradient norms` : ''}`;
      const objectives =
        ours.objective !== undefined && peer.objective !== undefined
          ? `; last objective ${ours.objective.toFixed(7)} against ${peer.objective.toFixed(7)}, selected ${ours.nonzero} against ${peer.nonzero}`
          : '';
      rows.push({
        figure: `${name}: ${peer.solver ?? 'peer'} / ours, seconds`,
        value: (peer.seconds ?? peer.wall ?? Number.NaN) / ours.seconds,
        ...(must !== undefined && { must, aim }),
        detail: `${own}; ${theirs}${objectives}`,
      });
    }
    if (peers.length === 0) {
      const base = results['p100k-k10']?.solvers[0]?.seconds;
      if (!base) continue;
      rows.push({
        figure: `${name}: (p / 100k x the 100k time) / ours`,
        value: ((p / 1e5) * base) / ours.seconds,
        ...(p === 1_000_000 && { must: 1 / 3, aim: 1 / 1.3 }),
        detail: `${own}, peak memory ${ours.maxRssMiB} MiB, features read from disk`,
      });
    }
  }
  return rows;
}

async function main(): Promise<void> {
  const path = `${here}results/raw/solver.json`;
  const results = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, RawResult>) : {};
  for (const name of flags.only?.split(',') ?? Object.keys(cases)) {
    const test = cases[name] as Case;
    const folder = `${flags.data}/${name}`;
    spawn(python, [`${here}peers/solver_data.py`, flags.data, name, `${test.n}`, `${test.p}`, `${test.classes}`]);
    const ours = ['--child', name, '--data', flags.data, '--threads', flags.threads];
    const solvers: Answer[] = [spawn(process.execPath, ['--import', 'tsx', `${here}solver.ts`, ...ours])];
    if (!flags['skip-peers']) {
      for (const peer of test.peers) {
        if (peer === 'glmnet') solvers.push(spawn('Rscript', [`${here}peers/solver_glmnet.R`, folder, '1e-7']));
        if (peer === 'adelie') solvers.push(spawn(python, [`${here}peers/solver_adelie.py`, folder]));
        if (peer === 'sklearn') {
          const grid = solvers[0]?.points?.map((q) => `${q.lambda}:${q.gradient}`) ?? [];
          solvers.push(spawn(python, [`${here}peers/solver_sklearn.py`, folder, flags.budget, ...grid]));
        }
      }
    }
    const { n, p, classes } = test;
    results[name] = { n, p, classes, solvers };
    await writeFileAtomic(path, `${JSON.stringify(results, null, 1)}\n`);
    process.stderr.write(`${name} ${JSON.stringify(solvers).slice(0, 1500)}\n`);
  }
  await writeResults('solver', 'Certified paths and l2 grids beside glmnet, adelie and scikit-learn', rowsOf(results));
}

if (flags.child) await child(flags.child);
else await main();
