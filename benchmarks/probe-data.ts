/** Data sets and frozen networks that probes are compared on. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '../src/base/index.js';
import { prepareDemo } from '../src/study/index.js';
import { assets } from './support.js';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
/** cifar10 is large: this many training images of each class, and as many test images. */
const perClass = 100;

export interface ProbeData {
  readonly name: string;
  /** Where its images are. @param folder for what has to be made first */
  readonly path: (folder: string) => Promise<string>;
  readonly flags: readonly string[];
}
const shared = (name: string, ...flags: string[]): ProbeData => ({
  name,
  path: async () => `${assets}/datasets/${name}`,
  flags,
});
const drawn = (name: string): ProbeData => ({
  name,
  path: async (folder) => {
    await prepareDemo(join(folder, 'drawn'));
    return join(folder, 'drawn', name);
  },
  flags: [],
});
/** Real images. */
export const realData: readonly ProbeData[] = [
  // Images of one track show one sign.
  shared('gtsrb', '--group-from', 'source:/^\\d+\\/(\\d+)_/'),
  shared('sign_digits'),
  shared('aid'),
  shared('caltech101'),
  { name: 'cifar10', path: cifarManifest, flags: ['--allow-outside'] },
];
/** Those, and two drawn sets. */
export const probeData: readonly ProbeData[] = [...realData, drawn('textures'), drawn('position')];

/** Networks, and how `extract` is told of their preprocessing. */
export const backbones = { mobilenetv2_tf: ['--preprocess', 'tf'], deit_tiny: [] } as const;
export type Backbone = keyof typeof backbones;

/** The first images of each class, listed in a manifest. */
async function cifarManifest(folder: string): Promise<string> {
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

export function toehold(...args: readonly string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [main, ...args, '--quiet'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** The store of a data set's features, made where it is not there yet. @param flags of `extract`: which taps, how pooled */
export async function storeOf(
  folder: string,
  data: ProbeData,
  backbone: Backbone,
  name: string,
  flags: readonly string[],
): Promise<string> {
  const store = join(folder, 'stores', `${data.name}-${backbone}-${name}`);
  const model = `${assets}/backbones/${backbone}/model.onnx`;
  if (!existsSync(join(store, 'meta.json'))) {
    toehold('extract', model, await data.path(folder), '-o', store, ...flags, ...backbones[backbone], ...data.flags);
  }
  return store;
}

/** Puts lines between two marks of a page. */
export async function writeBetween(
  page: string,
  [from, to]: readonly [string, string],
  lines: readonly string[],
): Promise<void> {
  const text = await readFile(page, 'utf8');
  const start = text.indexOf(from);
  if (start < 0) throw new Error(`${page} has no ${from}`);
  const before = text.slice(0, start + from.length);
  await writeFileAtomic(page, `${before}\n${lines.join('\n')}\n${text.slice(text.indexOf(to, start))}`);
}
