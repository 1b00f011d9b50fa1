/**
 * Do scores without training rank taps and backbones as probes do? Every store of two backbones on several tasks: each score of
 * the block outputs and the last layer from the same few training images that ridge regression on that tap alone learns from, and
 * that probe's accuracy on all test images; weighted Kendall tau per store, its mean with an interval over tasks. Writes the tables of docs/scores.md.
 * `npx tsx benchmarks/scores.ts TASK=STORE,STORE ...`: of each task a store per backbone, backbones in the same order. What it prints
 * of each task may be kept in a file: `@FILE` takes the tasks in it without measuring them again.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UserError, writeFileAtomic } from '../src/base/index.js';
import { createEngine } from '../src/engine/index.js';
import {
  featureScores,
  type ProbeTask,
  runProbes,
  selectMethods,
  sourceDefaults,
  sourceScores,
  subset,
  taskFromStore,
} from '../src/probe/index.js';
import { scoresOfTap } from '../src/probe/scores/catalogue.js';
import { stratified } from '../src/probe/scores/draw.js';
import { sourceScoresOf } from '../src/probe/scores/score-stores.js';
import { featuresOfBlock, lastTap } from '../src/probe/task.js';
import { score } from '../src/record/index.js';
import { mean, studentQuantile, weightedKendall } from '../src/stats/index.js';
import { machine } from './support.js';

const page = fileURLToPath(new URL('../docs/scores.md', import.meta.url));
const [from, to] = ['<!-- written by benchmarks/scores.ts -->', '<!-- end -->'];
/** Training images that scores and probes see. */
const examples = 300;
/** Outputs of blocks at even distances, and the last layer. */
const blocks = /^(?:s2\.b2\.sum|s3\.b2\.sum|s4\.b3\.sum|s4\.b7\.sum|s5\.b3\.sum|block\d[02468]\.out|features)$/;

interface Measured {
  readonly accuracy: number;
  readonly scores: Readonly<Record<string, number | undefined>>;
}
interface StoreResult {
  readonly model: string;
  readonly taps: readonly Measured[];
  readonly last: Measured;
}

const engine = await createEngine();

async function measure(store: string): Promise<StoreResult> {
  const { task, targets } = await taskFromStore(store, { ...sourceDefaults, normalisation: 'none' });
  const unit = await taskFromStore(store, sourceDefaults);
  if (!targets || !unit.task.test) throw new UserError(`${store} has no test images`);
  const rows = stratified(task.train.labels, examples, 0);
  const [raw, train] = [subset(task.train, rows), subset(unit.task.train, rows)];
  const taps: Measured[] = [];
  let last: Measured | undefined;
  const ofSource = await sourceScoresOf({ ...task, train: raw }, undefined);
  for (const [block, tap] of task.taps.entries()) {
    if (!blocks.test(tap.alias)) continue;
    const scores = await scoresOfTap(engine, raw.matrix, block, { labels: raw.labels, seed: 0 });
    const indices = featuresOfBlock(train.matrix, block);
    const one: ProbeTask = {
      ...unit.task,
      train: { ...train, matrix: train.matrix.select(indices) },
      test: { ...unit.task.test, matrix: unit.task.test.matrix.select(indices) },
      taps: [tap],
    };
    const { results } = await runProbes(engine, one, selectMethods('all-ridge'), {
      folds: 3,
      repetitions: 0,
      leaveOut: 0,
    });
    const predictions = results[0]?.predictions;
    if (!predictions) throw new UserError(`${store}: no predictions`);
    const { accuracy } = score(predictions, targets);
    taps.push({ accuracy, scores });
    if (block === lastTap(task.taps)) last = { accuracy, scores: { ...scores, ...ofSource } };
    process.stderr.write(`${store} ${tap.alias} ${(100 * accuracy).toFixed(1)}\n`);
  }
  if (!last) throw new UserError(`${store} holds no last layer`);
  return { model: task.source.model?.name ?? store, taps, last };
}

/** Mean over tasks with its 95 % interval by Student's t; the mean of a task's backbones counts once. */
function overTasks(values: readonly number[]): string {
  const n = values.length;
  const m = mean(values);
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (n - 1));
  const half = (studentQuantile(0.975, n - 1) * deviation) / Math.sqrt(n);
  return `${m.toFixed(2)} [${Math.max(-1, m - half).toFixed(2)}, ${Math.min(1, m + half).toFixed(2)}]`;
}

const tasks: { task: string; stores: StoreResult[] }[] = [];
for (const argument of process.argv.slice(2)) {
  if (argument.startsWith('@')) {
    const lines = (await readFile(argument.slice(1), 'utf8')).split('\n').filter((line) => line.startsWith('{'));
    tasks.push(...lines.map((line) => JSON.parse(line)));
    continue;
  }
  const [task = '', list = ''] = argument.split('=');
  const stores: StoreResult[] = [];
  for (const store of list.split(',')) stores.push(await measure(store));
  tasks.push({ task, stores });
  console.log(JSON.stringify({ task, stores }));
}
const models = tasks[0]?.stores.map(({ model }) => model) ?? [];
/** A score that is the same of every tap orders none. */
const tau = (values: readonly number[], { taps }: StoreResult) => {
  const found = weightedKendall(
    values,
    taps.map(({ accuracy }) => accuracy),
  );
  return Number.isNaN(found) ? 0 : found;
};
const tauOf = (store: StoreResult, id: string) =>
  tau(
    store.taps.map(({ scores }, place) => (id === 'depth' ? place : (scores[id] ?? Number.NEGATIVE_INFINITY))),
    store,
  );
const lines = [
  from,
  `${machine()}`,
  '',
  `Taps: weighted Kendall tau between a score and the test accuracy of ridge regression on the tap alone (block outputs and last layer; ${examples} training images at most), mean over the ${tasks.length} tasks with Student's 95 % interval; a score that is the same of every tap counts as 0.`,
  '',
  `| score | ${models.join(' | ')} | both |`,
  `| --- |${' --- |'.repeat(models.length + 1)}`,
  ...[...featureScores, { id: 'depth', label: 'depth alone (the later the better)' }].map(({ id, label }) => {
    const taus = tasks.map(({ stores }) => stores.map((store) => tauOf(store, id)));
    const each = models.map((_, m) => overTasks(taus.map((own) => own[m] as number)));
    return `| ${label} | ${each.join(' | ')} | ${overTasks(taus.map((own) => mean(own)))} |`;
  }),
  '',
  `Backbones: in how many of the ${tasks.length} tasks the score of the last layer is higher for the backbone whose last layer probes better.`,
  '',
  '| score | right |',
  '| --- | --- |',
  ...[...featureScores, ...sourceScores].map(({ id, label }) => {
    const right = tasks.filter(({ stores: [a, b] }) => {
      if (!a || !b) return false;
      const [x, y] = [a.last.scores[id], b.last.scores[id]];
      return x !== undefined && y !== undefined && (x - y) * (a.last.accuracy - b.last.accuracy) > 0;
    });
    return `| ${label} | ${right.length} of ${tasks.length} |`;
  }),
  '',
  `| task | ${models.map((model) => `${model}, last layer`).join(' | ')} | ${models.map((model) => `${model}, best tap`).join(' | ')} |`,
  `| --- |${' --- |'.repeat(2 * models.length)}`,
  ...tasks.map(
    ({ task, stores }) =>
      `| ${task} | ${stores.map(({ last }) => (100 * last.accuracy).toFixed(1)).join(' | ')} | ${stores
        .map(({ taps }) => (100 * Math.max(...taps.map(({ accuracy }) => accuracy))).toFixed(1))
        .join(' | ')} |`,
  ),
  to,
];
const text = await readFile(page, 'utf8');
await writeFileAtomic(
  page,
  text.slice(0, text.indexOf(from)) + lines.join('\n') + text.slice(text.indexOf(to) + to.length),
);
