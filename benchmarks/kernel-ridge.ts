/**
 * Ridge regression on kernels of taps, at the sizes of a thousand images: all-ridge's comparison of penalties, the nested
 * descents of tap-ridge at a fixed number of steps, and the kernels of every (tap, pool) pair. Made-up features; minima over
 * rounds, with the load of the machine when it began.
 *
 * usage: npx tsx benchmarks/kernel-ridge.ts [--rows 1000] [--classes 43] [--features 17000] [--taps 46] [--steps 40]
 *   [--wide 500000] [--pairs 186] [--rounds 2] [--threads 0]
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Random } from '../src/base/index.js';
import { createEngine } from '../src/engine/index.js';
import {
  type FeatureBlock,
  FeatureMatrix,
  type FoldLabels,
  fitDesign,
  fitFoldRidge,
  giveUp,
  leaveOut,
  TapDescent,
  TapKernels,
  weightedKernel,
} from '../src/solver/index.js';
import { type ResultRow, writeResults } from './support.js';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000' },
    classes: { type: 'string', default: '43' },
    features: { type: 'string', default: '17000' },
    taps: { type: 'string', default: '46' },
    steps: { type: 'string', default: '40' },
    wide: { type: 'string', default: '500000' },
    pairs: { type: 'string', default: '186' },
    rounds: { type: 'string', default: '2' },
    threads: { type: 'string', default: '0' },
  },
});
const numbers = Object.fromEntries(Object.entries(values).map(([name, text]) => [name, Number(text)]));
const {
  rows: n,
  classes,
  features,
  taps,
  steps,
  wide,
  pairs,
  rounds,
  threads,
} = numbers as Record<keyof typeof values, number>;
const [folds, penalties] = [5, 13];
const load = loadavg()[0] as number;
const engine = await createEngine({ engine: 'onnxruntime', device: 'cpu', threads });
const labels = Int32Array.from({ length: n }, (_, i) => i % classes);
const rows = Array.from(labels.keys());
const foldOf = (i: number) => Math.floor(i / classes) % folds;

/** So many features around the means of their classes, feature after feature. */
function madeUp(count: number): Float32Array {
  const random = new Random(0, 'kernel ridge', count);
  const data = new Float32Array(count * n);
  for (let j = 0, at = 0; j < count; j++) {
    const means = Float64Array.from({ length: classes }, () => 0.3 * random.normal());
    for (let i = 0; i < n; i++, at++) data[at] = (means[labels[i] as number] as number) + random.normal();
  }
  return data;
}

function matrixOf(count: number, total: number, data: (own: number) => Float32Array): FeatureMatrix {
  const own = Math.ceil(total / count);
  const blocks: FeatureBlock[] = Array.from({ length: count }, (_, t) => ({
    name: `tap ${t}`,
    features: own,
    data: data(own),
  }));
  return new FeatureMatrix(blocks, n);
}

const designOf = (matrix: FeatureMatrix) => fitDesign(engine, matrix, { standardize: false });
const examplesOf = (own: readonly number[], fold: (i: number) => number): FoldLabels => ({
  labels: own.map((i) => labels[i] as number),
  classes,
  weights: new Float64Array(own.length).fill(1),
  folds: Array.from({ length: folds }, (_, f) => [...own.keys()].filter((i) => fold(own[i] as number) === f)).filter(
    (fold) => fold.length > 0,
  ),
});

async function timed(work: () => Promise<void>): Promise<{ seconds: number; cpu: number }> {
  const [before, began] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 };
}

const matrix = matrixOf(taps, features, madeUp);
const works = {
  async equal() {
    const design = await designOf(matrix);
    const kernel = await weightedKernel(engine, design, new Float64Array(taps).fill(1 / taps));
    const examples = examplesOf(rows, foldOf);
    for (let i = 0; i < penalties; i++) {
      const fit = await fitFoldRidge(engine, kernel, examples, 10 ** (1.5 - i / 2));
      const left = fit && (await leaveOut(engine, fit, examples));
      if (!left) throw new Error('the kernel came out indefinite');
      giveUp(fit, left);
    }
  },
  async weighed() {
    const kernels = await TapKernels.of(engine, await designOf(matrix));
    for (let f = 0; f < folds; f++) {
      const own = rows.filter((i) => foldOf(i) !== f);
      const descent = new TapDescent(engine, taps, { strength: 0.01, rate: 0.2, penalty: 0.1, temperature: 0.1 });
      await descent.to([steps], { kernels: kernels.among(own), examples: examplesOf(own, foldOf) });
    }
  },
  async pairs() {
    // The same numbers serve every pair: what is multiplied does not change the work.
    let shared: Float32Array | undefined;
    const all = matrixOf(pairs, wide, (own) => {
      shared ??= madeUp(own);
      return shared;
    });
    await TapKernels.of(engine, await designOf(all));
  },
};

const best = new Map<string, { seconds: number; cpu: number }>();
for (let round = 0; round < rounds; round++) {
  for (const [name, work] of Object.entries(works)) {
    const found = await timed(work);
    const known = best.get(name);
    best.set(name, known && known.seconds < found.seconds ? known : found);
    console.log(`${name}, round ${round + 1}: ${found.seconds.toFixed(2)} s, ${found.cpu.toFixed(2)} CPU s`);
  }
}
const rowOf = (name: keyof typeof works, figure: string, [must, aim]: readonly [number, number]): ResultRow => {
  const { seconds, cpu } = best.get(name) as { seconds: number; cpu: number };
  const detail = `${cpu.toFixed(2)} CPU s; ${engine.threads} threads, load ${load.toFixed(1)} at the start, minima of ${rounds} rounds`;
  return { figure: `${figure}, seconds (smaller is better)`, value: seconds, must, aim, detail };
};
const size = `${n} examples, ${features} features, ${taps} taps, ${classes} classes`;
await writeResults('kernel-ridge', 'Ridge regression on kernels of taps', [
  rowOf('equal', `all-ridge: kernel and ${penalties} penalties x ${folds} folds, ${size}`, [1, 0.2]),
  rowOf('weighed', `tap-ridge: kernels and ${folds} descents of ${steps} steps, ${size}`, [60, 15]),
  rowOf('pairs', `kernels of ${pairs} (tap, pool) pairs, ${n} examples, ${wide} features`, [20, 6]),
]);
