/**
 * Exported networks of PyTorch, timm, torchvision and transformers: taps, extraction, counts, training and exported heads
 * against the frameworks. Writes ../results/raw/networks.json as it goes, and docs/networks.md from it.
 *
 *     benchmarks/peers/setup.sh
 *     python ../shared/cases/networks/export_networks.py NETS --how free        (fixed, fixed-default, free-dynamo)
 *     npm run coverage:networks -- NETS [--how free,fixed] [--only taps,counts] [--page] [NAME ...]
 *
 * --only makes some of the checks (taps, counts, step, training, head) and keeps what was found of the others; --page makes
 * none and writes the page.
 */
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { UserError, writeFileAtomic } from '../../src/base/index.js';
import { createEngine } from '../../src/engine/index.js';
import { assets, Peer } from '../support.js';
import { type Check, checks, type ExportInfo, type Images, measureNetwork, type NetworkRow } from './network-work.js';
import { networksPage, wayIndex, ways } from './networks-page.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const cases = here('../../../shared/cases/networks');
const resultsFile = here('../results/raw/networks.json');

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    how: { type: 'string', default: ways.join(',') },
    only: { type: 'string', default: checks.join(',') },
    page: { type: 'boolean', default: false },
  },
});
const [nets, ...only] = positionals;
if (!nets) throw new UserError('name the folder that export_networks.py has written');

const names = readFileSync(join(cases, 'architectures.txt'), 'utf8')
  .split('\n')
  .filter((line) => line.trim() !== '' && !line.startsWith('#'));

/** Sign digits of four classes: 3 images of each to train on, 1 to test, every second of these enlarged. */
async function writeImages(folder: string): Promise<Images> {
  const lines = (await readFile(join(assets, 'datasets/sign_digits/labels.csv'), 'utf8')).trim().split('\n').slice(1);
  const counts = new Map<string, number>();
  const classes = ['0', '1', '2', '3'];
  for (const line of lines) {
    const [file = '', , name = ''] = line.split(',');
    const seen = counts.get(name) ?? 0;
    if (!classes.includes(name) || seen >= 4 || !file.startsWith('train/')) continue;
    counts.set(name, seen + 1);
    const split = seen < 3 ? 'train' : 'test';
    const into = join(folder, split, name);
    await mkdir(into, { recursive: true });
    const from = join(assets, 'datasets/sign_digits', file);
    if (split === 'test' && Number(name) % 2 === 0) {
      await sharp(from)
        .resize(331, 290, { fit: 'fill' })
        .png()
        .toFile(join(into, `${seen}.png`));
    } else await copyFile(from, join(into, `${seen}.jpg`));
  }
  return { folder, classes };
}

const rows = new Map<string, NetworkRow>();
/** Again before each change, since several runs may write to the file in turn. */
const readRows = () => {
  if (!existsSync(resultsFile)) return;
  for (const row of JSON.parse(readFileSync(resultsFile, 'utf8')) as NetworkRow[])
    rows.set(`${row.name} ${row.how}`, row);
};
readRows();
const wanted = new Set(values.only.split(',') as Check[]);

/** What an earlier run found of checks that this one did not make; every run reads the file and finds its taps. */
function merged(before: NetworkRow | undefined, row: NetworkRow): NetworkRow {
  if (!before || row.failed.export !== undefined) return row;
  const kept = Object.entries(before.failed).filter(
    ([what]) => what !== 'taps' && checks.some((c) => c === what && !wanted.has(c)),
  );
  return { ...before, ...row, failed: { ...Object.fromEntries(kept), ...row.failed } };
}

const page = async () => {
  const order = (row: NetworkRow) => names.indexOf(row.name) * ways.length + wayIndex(row.how);
  const sorted = [...rows.values()].sort((a, b) => order(a) - order(b));
  await writeFileAtomic(resultsFile, `${JSON.stringify(sorted, null, 1)}\n`);
  await writeFileAtomic(here('../../docs/networks.md'), networksPage(sorted, names));
};

if (!values.page) {
  const engine = await createEngine({ threads: 2 });
  const isCompared = [...wanted].some((check) => check !== 'training' && check !== 'alike');
  const peer = isCompared ? new Peer('network_truth.py', undefined, [cases]) : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'toehold-networks-'));
  try {
    const images = await writeImages(folder);
    for (const name of only.length > 0 ? only : names) {
      for (const how of values.how.split(',')) {
        const file = join(nets, `${name.replace(':', '_')}.${how}`);
        if (!existsSync(join(file, 'info.json'))) continue;
        const info = JSON.parse(await readFile(join(file, 'info.json'), 'utf8')) as ExportInfo;
        const row = info.exported
          ? await measureNetwork(engine, peer, join(file, 'model.onnx'), info, images, wanted)
          : { name, how, failed: { export: info.error ?? '' }, seconds: 0 };
        readRows();
        rows.set(`${name} ${how}`, merged(rows.get(`${name} ${how}`), row));
        console.log(JSON.stringify(row));
        await page();
      }
    }
  } finally {
    peer?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
await page();
