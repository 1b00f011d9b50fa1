/**
 * Probes beside each other on frozen networks: every data set and backbone below, one pass for the features at 512 values a tap,
 * then linear, head2toe and auto on the same rows. Writes the table of docs/probes.md.
 * `npm run bench:probes -- FOLDER`: FOLDER keeps features and records; what is there is not computed again.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { textTable, writeFileAtomic } from '../src/base/index.js';
import { done, type RunRecord, readRecord } from '../src/record/index.js';
import { prepareDemo } from '../src/study/index.js';
import { assets, machine } from './support.js';

const [given] = process.argv.slice(2);
if (given === undefined) throw new Error('name a folder that keeps features and records');
const folder = resolve(given);
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const page = fileURLToPath(new URL('../docs/probes.md', import.meta.url));
const [from, to] = ['<!-- written by npm run bench:probes -->', '<!-- end -->'];
const methods = ['linear', 'head2toe', 'auto'] as const;
/** cifar10 is large: this many training images of each class, and as many test images. */
const perClass = 100;

interface Data {
  readonly name: string;
  readonly path: () => Promise<string>;
  readonly flags?: readonly string[];
}
const shared = (name: string, ...flags: string[]): Data => ({
  name,
  path: async () => `${assets}/datasets/${name}`,
  flags,
});
const drawn = (name: string): Data => ({
  name,
  path: async () => {
    await prepareDemo(join(folder, 'drawn'));
    return join(folder, 'drawn', name);
  },
});
const data: readonly Data[] = [
  // Images of one track show one sign.
  shared('gtsrb', '--group-from', 'source:/^\\d+\\/(\\d+)_/'),
  shared('sign_digits'),
  shared('aid'),
  shared('caltech101'),
  { name: 'cifar10', path: cifarManifest, flags: ['--allow-outside'] },
  drawn('textures'),
  drawn('position'),
];
const backbones = { mobilenetv2_tf: ['--preprocess', 'tf'], deit_tiny: [] } as const;

/** The first images of each class, listed in a manifest. */
async function cifarManifest(): Promise<string> {
  const root = `${assets}/datasets/cifar10`;
  const [, ...rows] = (await readFile(`${root}/labels.csv`, 'utf8')).trim().split(/\r?\n/);
  const counts = new Map<string, number>();
  const kept = rows.flatMap((row) => {
    const [file = '', label = '', name = ''] = row.split(',');
    const split = file.split('/')[0] as string;
    const key = `${split} ${label}`;
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    return count < perClass ? [`${root}/${file},${label},${name},${split}`] : [];
  });
  const manifest = join(folder, 'cifar10.csv');
  await writeFileAtomic(manifest, `file,label,class,split\n${kept.join('\n')}\n`);
  return manifest;
}

function toehold(...args: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [main, ...args, '--quiet'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function recordOf({ name, path, flags = [] }: Data, backbone: keyof typeof backbones): Promise<RunRecord> {
  const output = join(folder, `${name}-${backbone}`);
  if (!existsSync(join(output, 'record.json'))) {
    const store = join(folder, 'stores', `${name}-${backbone}`);
    const model = `${assets}/backbones/${backbone}/model.onnx`;
    toehold('extract', model, await path(), '-o', store, '--pool', 'target:512', ...backbones[backbone], ...flags);
    toehold('probe', store, '-m', methods.join(), '--leave-out', '0', '--repetitions', '0', '-o', output);
  }
  return readRecord(output);
}

const percent = (share: number) => (100 * share).toFixed(1);
const points = (share: number) => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)}`;

const rows: string[][] = [];
const gains = { head2toe: [] as number[], linear: [] as number[] };
const optimism: number[] = [];
await mkdir(folder, { recursive: true });
for (const backbone of Object.keys(backbones) as (keyof typeof backbones)[]) {
  for (const own of data) {
    const record = await recordOf(own, backbone);
    const [task] = record.tasks;
    if (!task) throw new Error(`${own.name}: the record has no task`);
    const cells = Object.fromEntries(methods.map((m) => [m, done(task, m)]));
    const over = (reference: 'head2toe' | 'linear') => {
      const found = record.answer.comparisons.find((c) =>
        [c.method, c.reference].every((m) => m === 'auto' || m === reference),
      );
      if (!found) throw new Error(`${own.name}: auto is not compared with ${reference}`);
      const sign = found.method === 'auto' ? 1 : -1;
      const ends = [sign * found.interval[0], sign * found.interval[1]].sort((a, b) => a - b) as [number, number];
      gains[reference].push(sign * found.difference);
      return `${points(sign * found.difference)} [${points(ends[0])}, ${points(ends[1])}]`;
    };
    const { auto } = cells;
    optimism.push((auto?.validation ?? Number.NaN) - (auto?.score ?? Number.NaN));
    rows.push([
      own.name,
      backbone,
      `${task.examples.train} / ${task.examples.test}`,
      ...methods.map((m) => percent(cells[m]?.score ?? Number.NaN)),
      over('head2toe'),
      over('linear'),
      percent(auto?.validation ?? Number.NaN),
    ]);
    console.error(rows.at(-1)?.join('  '));
  }
}
const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;
const summary = (which: 'head2toe' | 'linear', label: string) =>
  `auto minus ${label}: mean ${points(mean(gains[which]))} points, worst ${points(Math.min(...gains[which]))}`;
const header = ['data', 'network', 'training / test', ...methods, 'auto − head2toe', 'auto − linear', 'auto, expected'];
const lines = [
  `${machine()}, ${new Date().toISOString().slice(0, 10)}.`,
  '',
  ...[header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
  '',
  `${summary('head2toe', 'head2toe')}; ${summary('linear', 'linear')}; expected minus measured accuracy of auto: mean ${points(mean(optimism))} points.`,
];
const text = await readFile(page, 'utf8');
const before = text.slice(0, text.indexOf(from) + from.length);
await writeFileAtomic(page, `${before}\n${lines.join('\n')}\n${text.slice(text.indexOf(to))}`);
console.log(textTable(header, rows).join('\n'));
