/**
 * What folds share: l2 probes at nine penalties on five folds of a table with fewer features than examples, with one factor per
 * penalty for all folds, and with one of each fold's own. Processor time; rounds alternate, minima over rounds.
 *
 * usage: npx tsx benchmarks/fold-probes.ts [--rows 1000] [--classes 10] [--rounds 3]
 */
import { parseArgs } from 'node:util';
import { Random } from '../src/base/index.js';
import { createEngine } from '../src/engine/index.js';
import { HeldTable, TableLogistic } from '../src/solver/index.js';
import { tableOf } from '../src/solver/logistic/table.js';
import { type ResultRow, writeResults } from './support.js';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000' },
    classes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
  },
});
const [n, classes, rounds] = [values.rows, values.classes, values.rounds].map(Number) as [number, number, number];
const penalties = [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8];
const folds = 5;
const engine = await createEngine({ engine: 'onnxruntime', device: 'cpu', threads: 1 });

/** Examples of unit norm around the mean of their class, with a spectrum that falls as features of networks' do. */
function problem(p: number) {
  const random = new Random(0, 'fold probes', p);
  const labels = Int32Array.from({ length: n }, (_, i) => i % classes);
  const means = Float64Array.from({ length: p * classes }, () => random.normal());
  const x = new Float64Array(p * n);
  const squares = new Float64Array(n);
  for (let j = 0; j < p; j++) {
    const scale = (j + 1) ** -0.5;
    for (let i = 0; i < n; i++) {
      const value = scale * (0.5 * (means[j * classes + (labels[i] as number)] as number) + random.normal());
      x[j * n + i] = value;
      squares[i] = (squares[i] as number) + value * value;
    }
  }
  for (let at = 0; at < x.length; at++) x[at] = (x[at] as number) / Math.sqrt(squares[at % n] as number);
  return { table: tableOf(p, n, x), labels };
}

async function seconds({ table, labels }: ReturnType<typeof problem>, shared: boolean) {
  const before = process.cpuUsage();
  const products = new HeldTable(engine, table, shared);
  let objectives = 0;
  for (let fold = 0; fold < folds; fold++) {
    const rows = Array.from(labels.keys()).filter((i) => Math.floor(i / classes) % folds !== fold);
    const probes = await TableLogistic.on(products, { labels, classes, rows, standardize: false });
    for (const l2 of penalties) objectives += (await probes.fit(l2)).objective;
  }
  const { user, system } = process.cpuUsage(before);
  return { seconds: (user + system) / 1e6, objectives };
}

const rows: ResultRow[] = [];
for (const p of [192, 384, 768]) {
  const own = problem(p);
  const best = { shared: Number.POSITIVE_INFINITY, apart: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round++) {
    const shared = await seconds(own, true);
    const apart = await seconds(own, false);
    best.shared = Math.min(best.shared, shared.seconds);
    best.apart = Math.min(best.apart, apart.seconds);
    const difference = Math.abs(shared.objectives - apart.objectives);
    if (difference > 1e-3 * apart.objectives) throw new Error(`objectives differ by ${difference}`);
  }
  console.log(`${p} features: ${best.shared.toFixed(2)} s shared, ${best.apart.toFixed(2)} s apart`);
  rows.push({
    figure: `l2 probes on five folds, ${p} features: own factors / shared ones, CPU seconds`,
    value: best.apart / best.shared,
    detail: `${best.apart.toFixed(2)} against ${best.shared.toFixed(2)} s; ${n} examples, ${classes} classes, ${penalties.length} penalties, 1 thread, minima of ${rounds} rounds`,
  });
}
await writeResults('fold-probes', 'Probes of single layers in cross-validation', rows);
