/**
 * The whole extraction from image files against the tapped network alone, in alternating rounds, and the peak memory of
 * a large one. `npm run bench:end-to-end [-- rounds]`
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256, writeFileAtomic } from '../src/base/index.js';
import { type Dataset, parsePreprocess, readDataset } from '../src/data/index.js';
import { createEngine } from '../src/engine/index.js';
import {
  type Backbone,
  compilePass,
  defaultBatch,
  extract,
  loadBackbone,
  parsePool,
  passBuffer,
  poolTaps,
  requestOf,
  tapsOf,
} from '../src/features/index.js';
import { buildArchitecture, selectTaps, writeModel } from '../src/graph/index.js';
import { assets, passSeconds, type ResultRow, writeResults } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'toehold-bench-'));
const engine = await createEngine({ threads: 2 });

/** Seconds per image of the tapped network on pixels that are there already. */
async function pureCompute(backbone: Backbone, batch: number, images: number): Promise<() => Promise<number>> {
  const { taps } = await tapsOf(backbone, engine);
  const items = parsePool('gap');
  const pooled = poolTaps(selectTaps(taps), items);
  const pass = await compilePass(engine, { backbone, taps: pooled, items, batch });
  return () => passSeconds(pass, backbone, batch, images, () => passBuffer(pooled, batch));
}

async function compare(name: string, backbone: Backbone, dataset: Dataset, rounds: number, must: number, aim: number) {
  const batch = defaultBatch(backbone.preprocess.size);
  const compute = await pureCompute(backbone, batch, dataset.examples.length);
  let [pure, whole] = [Infinity, Infinity];
  // As many images on both sides: a short measurement finds a quieter moment than a long one.
  for (let round = 0; round < rounds; round++) {
    pure = Math.min(pure, await compute());
    const output = join(folder, `${name}-${round}`);
    const { seconds } = await extract(backbone, requestOf(dataset), engine, { output, batch, quiet: true });
    whole = Math.min(whole, seconds / dataset.examples.length);
    rmSync(output, { recursive: true });
  }
  const row: ResultRow = {
    figure: `whole extraction / tapped compute alone, ${name}`,
    value: pure / whole,
    must,
    aim,
    detail: `${(1 / whole).toFixed(0)} / ${(1 / pure).toFixed(0)} images/s; ${dataset.examples.length} JPEG files of caltech101, 224 px, batch ${batch}, hashing, decoding, resizing and writing included, minima of ${rounds} rounds`,
  };
  return row;
}

if (process.argv[2] === 'memory') {
  const backbone = await loadBackbone(`${assets}/backbones/mobilenetv2_tf/model.onnx`, engine, {
    preprocess: 'tf',
    overrides: { size: 96 },
  });
  const dataset = await readDataset(`${assets}/datasets/cifar10`);
  const { seconds, meta } = await extract(backbone, requestOf(dataset), engine, {
    output: join(folder, 'memory'),
    quiet: true,
  });
  const images = Object.values(meta.splits).reduce((sum, s) => sum + s.n, 0);
  // maxRSS of a child starts at its parent's; the high-water mark of the address space does not.
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  console.log(JSON.stringify({ gigabytes: (peak * 1024) / 1e9, images, seconds }));
} else {
  const rounds = Number(process.argv[2] ?? 3);
  const caltech = await readDataset(`${assets}/datasets/caltech101`);
  const mobilenet = await loadBackbone(`${assets}/backbones/mobilenetv2_tf/model.onnx`, engine, { preprocess: 'tf' });
  const bytes = writeModel(buildArchitecture('resnet50'));
  const path = join(folder, 'resnet50.onnx');
  await writeFileAtomic(path, bytes);
  const resnet: Backbone = {
    ...(await loadBackbone(path, engine, { preprocess: 'imagenet' })),
    sha256: sha256(bytes),
    preprocess: parsePreprocess({ size: 224 }, 'benchmark'),
  };
  const rows = [
    await compare('MobileNetV2', mobilenet, caltech, rounds, 0.65, 0.8),
    await compare('ResNet-50', resnet, caltech, rounds, 0.9, 0.95),
  ];
  const child = spawnSync(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url), 'memory'], {
    encoding: 'utf8',
  });
  const { gigabytes, images, seconds } = JSON.parse(child.stdout.trim().split('\n').at(-1) ?? '{}');
  rows.push({
    figure: 'peak memory of an extraction, GB (smaller is better)',
    value: gigabytes,
    must: 1.2,
    aim: 0.6,
    detail: `${images} images of cifar10, MobileNetV2 at 96 x 96, ${(images / seconds).toFixed(0)} images/s`,
  });
  await writeResults('end-to-end', 'From image files to the store', rows);
}
rmSync(folder, { recursive: true, force: true });
