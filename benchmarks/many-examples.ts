/**
 * Probes on many examples: 46 taps of 50,000 examples on disk, beside scikit-learn's Ridge by Cholesky at one penalty.
 *
 * usage: tsx benchmarks/many-examples.ts [--examples 50000] [--features 17000] [--classes 100] [--methods all-ridge,tap-ridge,all-l2,head2toe] [--data FOLDER]
 * Needs scikit-learn of benchmarks/peers/setup.sh for the peer (`--peer`). Every run has a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, openSync, readSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random, writeFileAtomic } from '../src/base/index.js';
import { createEngine } from '../src/engine/index.js';
import { runProbes, selectMethods } from '../src/probe/index.js';
import { FeatureMatrix } from '../src/solver/index.js';
import { python, type ResultRow, writeResults } from './support.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values: flags } = parseArgs({
  options: {
    examples: { type: 'string', default: '50000' },
    features: { type: 'string', default: '17000' },
    classes: { type: 'string', default: '100' },
    methods: { type: 'string', default: 'all-ridge,tap-ridge,all-l2,head2toe' },
    data: { type: 'string', default: `${here}data` },
    threads: { type: 'string', default: '2' },
    peer: { type: 'boolean', default: false },
    child: { type: 'string' },
  },
});
const [n, p, K] = [flags.examples, flags.features, flags.classes].map(Number) as [number, number, number];
const TAPS = 46;
const folder = join(flags.data, `many-${n}-${p}-${K}`);
const widths = Array.from({ length: TAPS }, (_, t) => Math.floor(((t + 1) * p) / TAPS) - Math.floor((t * p) / TAPS));
const tested = 2000;

/** The splits' files, as a store has them, and where each begins among all examples. */
const splits = { train: { from: 0, count: n }, test: { from: n, count: tested } };
const fileOf = (split: keyof typeof splits) => join(folder, `${split}.f32`);

/**
 * Features (p, examples) in float32, a file for each split: factors that examples share, of which later taps see more, with
 * what tells classes in some of them, and noise.
 */
async function draw(): Promise<void> {
  if (existsSync(join(folder, 'done'))) return;
  await mkdir(folder, { recursive: true });
  const all = n + tested;
  const random = new Random(0, 'many examples');
  const labels = Int32Array.from({ length: all }, () => Math.floor(K * random.uniform()));
  const factors = 64;
  const centres = Float32Array.from({ length: K * factors }, () => random.normal());
  const hidden = new Float32Array(factors * all);
  for (let f = 0; f < factors; f++) {
    for (let i = 0; i < all; i++)
      hidden[f * all + i] = random.normal() + (f < 24 ? (centres[(labels[i] as number) * factors + f] as number) : 0);
  }
  const files = await Promise.all([open(fileOf('train'), 'w'), open(fileOf('test'), 'w')]);
  const row = new Float32Array(all);
  for (const [t, width] of widths.entries()) {
    for (let j = 0; j < width; j++) {
      row.fill(1);
      for (let use = 0; use < 4; use++) {
        const f = Math.floor(factors * random.uniform());
        const rate = (0.2 + t / TAPS) * random.normal();
        for (let i = 0; i < all; i++) row[i] = (row[i] as number) + rate * (hidden[f * all + i] as number);
      }
      // A cheap stream of its own: drawing 850 million normal numbers would take longer than what is measured.
      let state = (t * 7919 + j * 104729 + 1) >>> 0;
      for (let i = 0; i < all; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        row[i] = Math.max(0, (row[i] as number) + 3 * (state / 2 ** 32 - 0.5));
      }
      for (const [i, { from, count }] of Object.values(splits).entries()) {
        await files[i]?.write(new Uint8Array(row.buffer, 4 * from, 4 * count));
      }
    }
  }
  for (const file of files) await file.close();
  await writeFileAtomic(join(folder, 'labels.json'), JSON.stringify([...labels]));
  await writeFileAtomic(join(folder, 'done'), '');
}

async function matrices() {
  const labels = Int32Array.from(JSON.parse(await readFile(join(folder, 'labels.json'), 'utf8')) as number[]);
  const matrix = (split: keyof typeof splits) => {
    const { count } = splits[split];
    const file = openSync(fileOf(split), 'r');
    let first = 0;
    const blocks = widths.map((features, t) => {
      const start = first;
      first += features;
      return {
        name: `tap ${t}`,
        features,
        read: async (at: number, many: number, into: Float32Array) => {
          const view = new Uint8Array(into.buffer, into.byteOffset, 4 * many * count);
          readSync(file, view, 0, view.length, 4 * (start + at) * count);
        },
      };
    });
    return new FeatureMatrix(blocks, count, { unitNorm: true, memory: 5e8 });
  };
  return { train: matrix('train'), test: matrix('test'), labels };
}

async function child(method: string): Promise<void> {
  const engine = await createEngine({ threads: Number(flags.threads) });
  const { train, test, labels } = await matrices();
  const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);
  const task = {
    train: { matrix: train, labels: labels.slice(0, n), files: names(n) },
    test: { matrix: test, files: names(tested) },
    classes: names(K),
    taps: widths.map((features, t) => ({ alias: `tap ${t}`, name: `tap ${t}`, features })),
    source: { data: 'drawn', description: 'drawn' },
  };
  const began = performance.now();
  const options = {
    leaveOut: 0,
    repetitions: 0,
    progress: (note: string) => process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0)} s  ${note}\n`),
  };
  const { results } = await runProbes(engine, task, selectMethods(method), options);
  const { fit, predictions } = results[0] as (typeof results)[0];
  const { user, system } = process.cpuUsage();
  const probabilities = Float64Array.from(predictions?.probabilities ?? []);
  let right = 0;
  for (let i = 0; i < tested; i++) {
    const own = probabilities.subarray(i * K, (i + 1) * K);
    if (own.indexOf(Math.max(...own)) === labels[n + i]) right++;
  }
  const answer = {
    seconds: (performance.now() - began) / 1000,
    cpuSeconds: (user + system) / 1e6,
    maxRssMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    accuracy: right / tested,
    notes: fit.notes,
    tuned: fit.tuned,
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

interface Answer {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly maxRssMiB: number;
  readonly accuracy: number;
  readonly notes?: readonly string[];
}

function answerOf(command: string, args: readonly string[]): Answer {
  const threads = { OMP_NUM_THREADS: flags.threads, OPENBLAS_NUM_THREADS: flags.threads };
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...threads },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (result.status !== 0) throw new Error(`${command} ${args[0]} failed`);
  return JSON.parse(result.stdout.trim().split('\n').at(-1) as string) as Answer;
}

async function main(): Promise<void> {
  await draw();
  const size = [
    '--examples',
    flags.examples,
    '--features',
    flags.features,
    '--classes',
    flags.classes,
    '--data',
    flags.data,
  ];
  const said = ({ seconds, cpuSeconds, maxRssMiB, accuracy }: Answer) =>
    `${seconds.toFixed(0)} s, ${cpuSeconds.toFixed(0)} s of CPU, ${(maxRssMiB / 953.7).toFixed(1)} GB, test accuracy ${(100 * accuracy).toFixed(1)} %`;
  const what = `n ${n}, p ${p} in ${TAPS} taps, K ${K}`;
  const rows: ResultRow[] = [];
  const write = () => writeResults('many-examples', 'Probes on many examples', rows);
  for (const method of flags.methods.split(',')) {
    const own = answerOf(process.execPath, [
      '--import',
      'tsx',
      `${here}many-examples.ts`,
      '--child',
      method,
      ...size,
      '--threads',
      flags.threads,
    ]);
    console.error(method, own);
    rows.push({
      figure: `${method} with its choice of settings, seconds (smaller is better)`,
      value: own.seconds,
      ...(method === 'tap-ridge' ? { must: 600, aim: 180 } : {}),
      detail: `${what}, features on disk: ${[said(own), ...(own.notes ?? [])].join('; ')}`,
    });
    await write();
  }
  if (flags.peer) {
    const peer = answerOf(python, [
      `${here}peers/many_sklearn.py`,
      folder,
      String(n),
      String(tested),
      ...widths.map(String),
    ]);
    rows.push({
      figure: 'scikit-learn Ridge, Cholesky, one penalty, seconds',
      value: peer.seconds,
      detail: `${what}, in memory: ${said(peer)}`,
    });
    await write();
  }
  await rm(folder, { recursive: true });
}

if (flags.child) await child(flags.child);
else await main();
