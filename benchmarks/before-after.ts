/**
 * Commands of this checkout against those of another (an earlier commit), both built first and run as users run them,
 * in alternating rounds: wall time, CPU time and peak memory of the whole process.
 * `npm run bench:before -- OTHER [rounds] [only]`: `only` is part of a case's name; rows of the others stay as they were
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assets, type ResultRow, writeResults } from './support.js';

const [other, rounds = '3', only = ''] = process.argv.slice(2);
if (other === undefined) throw new Error('name a checkout of an earlier commit, with its packages installed');
const checkouts = { before: resolve(other), after: fileURLToPath(new URL('..', import.meta.url)) };
type Side = keyof typeof checkouts;
const folder = mkdtempSync(join(tmpdir(), 'toehold-before-'));

interface Use {
  readonly wall: number;
  readonly cpu: number;
  /** GB */
  readonly memory: number;
}

// Written by every process of the command when it ends: since 0.2 one starts and one works.
const probe = join(folder, 'probe.mjs');
writeFileSync(
  probe,
  `import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
if (isMainThread) process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  appendFileSync(process.env.TOEHOLD_USE, (userCPUTime + systemCPUTime) / 1e6 + ' ' + maxRSS / 1e6 + '\\n');
});`,
);

async function run(side: Side, args: readonly string[]): Promise<Use> {
  const use = join(folder, 'use.txt');
  rmSync(use, { force: true });
  const start = performance.now();
  await new Promise<void>((done, fail) => {
    const node = spawn(process.execPath, ['--import', probe, 'dist/cli/main.js', ...args], {
      cwd: checkouts[side],
      env: { ...process.env, TOEHOLD_USE: use },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let messages = '';
    node.stderr.on('data', (text) => (messages += text));
    node.on('exit', (code) => (code === 0 ? done() : fail(new Error(`${side}: ${args.join(' ')}: ${messages}`))));
  });
  const wall = (performance.now() - start) / 1000;
  const processes = readFileSync(use, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const sum = (place: number) => processes.reduce((total, one) => total + (one[place] as number), 0);
  return { wall, cpu: sum(0), memory: sum(1) };
}

interface Case {
  readonly name: string;
  readonly args: (output: string, side: Side) => string[];
  readonly on: string;
  readonly keep?: boolean;
}

const backbone = join(assets, 'backbones/mobilenetv2_tf/model.onnx');
const data = join(assets, 'datasets/sign_digits');
const store = (side: Side) => join(folder, `store-${side}`);
const cases: Case[] = [
  {
    name: 'toehold extract',
    args: (output) => [
      'extract',
      backbone,
      data,
      '-o',
      output,
      '--preprocess',
      'tf',
      '--pool',
      'target:512',
      '--quiet',
    ],
    on: '2,000 images of sign_digits, MobileNetV2 at 224 px, 46 taps, target:512',
    keep: true,
  },
  {
    name: 'toehold probe',
    args: (_, side) => ['probe', store(side), '-m', 'linear,all-l2,head2toe', '--quiet'],
    on: 'linear, all-l2, head2toe on 1,000 training rows and 21,353 features, 5 folds; after with stability and with probes refitted without taps, which 0.1 did not have',
  },
  {
    name: 'toehold probe, as much as 0.1 did',
    args: (_, side) => [
      'probe',
      store(side),
      '-m',
      'linear,all-l2,head2toe',
      '--quiet',
      ...(side === 'after' ? ['--leave-out', '0', '--repetitions', '0'] : []),
    ],
    on: 'the same without these (--leave-out 0 --repetitions 0)',
  },
  {
    name: 'toehold train',
    args: (output) => [
      'train',
      backbone,
      data,
      '-o',
      output,
      '--preprocess',
      'tf',
      '--size',
      '96',
      '--steps',
      '40',
      '--quiet',
    ],
    on: 'fine-tuning MobileNetV2 at 96 px, 40 steps of 32, predictions of 1,000 test images included',
  },
];

for (const cwd of Object.values(checkouts)) execFileSync('npm', ['run', 'build'], { cwd, stdio: 'ignore' });

const rows: ResultRow[] = [];
for (const { name, args, on, keep } of cases.filter((c) => c.keep || c.name.includes(only))) {
  const best: Record<Side, Use> = {
    before: { wall: Infinity, cpu: Infinity, memory: Infinity },
    after: { wall: Infinity, cpu: Infinity, memory: Infinity },
  };
  for (let round = 0; round < Number(rounds); round++) {
    for (const side of ['before', 'after'] as const) {
      const output = keep ? store(side) : join(folder, 'output');
      rmSync(output, { recursive: true, force: true });
      const { wall, cpu, memory } = await run(side, args(output, side));
      best[side] = {
        wall: Math.min(best[side].wall, wall),
        cpu: Math.min(best[side].cpu, cpu),
        memory: Math.min(best[side].memory, memory),
      };
      console.error(
        `${name}, round ${round + 1}, ${side}: ${wall.toFixed(1)} s, ${cpu.toFixed(1)} s of CPU, ${memory.toFixed(2)} GB`,
      );
    }
  }
  const { before, after } = best;
  const detail = (figure: (use: Use) => string) =>
    `${figure(before)} / ${figure(after)}; ${on}; minima of ${rounds} rounds`;
  rows.push(
    {
      figure: `${name}: seconds before / after`,
      value: before.wall / after.wall,
      detail: detail((u) => `${u.wall.toFixed(1)} s`),
    },
    {
      figure: `${name}: CPU seconds before / after`,
      value: before.cpu / after.cpu,
      detail: detail((u) => `${u.cpu.toFixed(1)} s`),
    },
    {
      figure: `${name}: peak memory before / after`,
      value: before.memory / after.memory,
      detail: detail((u) => `${u.memory.toFixed(2)} GB`),
    },
  );
}
rmSync(folder, { recursive: true, force: true });
const results = fileURLToPath(new URL('results/before-after.json', import.meta.url));
const earlier: ResultRow[] = only === '' ? [] : JSON.parse(readFileSync(results, 'utf8')).rows;
const others = earlier.filter(({ figure }) => !rows.some((row) => row.figure === figure));
await writeResults('before-after', 'Commands of version 0.2 beside those of version 0.1', [...others, ...rows]);
