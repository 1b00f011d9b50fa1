/** What reads files that others may have made or damaged. Each target makes a damaged input and reads it as a command would. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Random } from '../../src/base/index.js';
import { decodeImage, readDataset, resolvePreprocess } from '../../src/data/index.js';
import { createEngine, type Engine } from '../../src/engine/index.js';
import { readChunkHeader, writeChunk } from '../../src/features/chunks.js';
import { encodeNpy, extract, loadBackbone, openStore, requestOf, tapsOf } from '../../src/features/index.js';
import { float32, GraphBuilder, readModelFile, writeModel } from '../../src/graph/index.js';
import { predictImages, readNpz, sourceDefaults, taskFromArrays, taskFromStore } from '../../src/probe/index.js';
import { encodeNpz } from '../../src/probe/npz.js';
import { readRecord } from '../../src/record/index.js';
import { figuresOf } from '../../src/report/index.js';
import { extraction, parseConfig, RunFolder, resultOf } from '../../src/study/index.js';
import { readCheckpoint, writeCheckpoint } from '../../src/transfer/checkpoint.js';
import { readResult } from '../../src/transfer/results.js';
import { tinyNetwork, writeImages, writeTinyModel } from '../support/tiny.js';
import { mutateBytes, mutateJson } from './mutate.js';

export interface Target {
  readonly name: string;
  /** Share of the inputs; the rest cost less or more. */
  readonly weight: number;
  /** Makes one damaged input and reads it. */
  readonly read: (random: Random) => Promise<unknown>;
}

export interface Corpus {
  readonly targets: readonly Target[];
  dispose(): Promise<void>;
}

const bytesTarget = (
  name: string,
  weight: number,
  path: string,
  good: Uint8Array,
  read: () => Promise<unknown>,
): Target => ({
  name,
  weight,
  read: async (random) => {
    await writeFile(path, mutateBytes(good, random));
    return read();
  },
});

const jsonTarget = (
  name: string,
  weight: number,
  path: string,
  read: () => Promise<unknown>,
  value: unknown,
): Target => ({
  name,
  weight,
  read: async (random) => {
    await writeFile(path, mutateJson(value, random));
    return read();
  },
});

const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));

/** Whole files of every kind, in a folder of their own. */
export async function createCorpus(): Promise<Corpus> {
  const folder = await mkdtemp(join(tmpdir(), 'toehold-fuzz-'));
  const at = (...parts: string[]) => join(folder, ...parts);
  const engine = await createEngine({ threads: 1 });
  const images = await writeImages(at('images'), ['a', 'b'], 3);
  const model = await writeTinyModel(folder);
  const photo = join(images, 'train', 'a', '000.png');
  const targets: Target[] = [
    ...(await arrayTargets(at)),
    ...(await imageTargets(at)),
    ...(await modelTargets(at, engine, photo)),
    ...(await storeTargets(at, engine, model, images)),
    ...(await textTargets(at)),
    ...(await resultTargets(at)),
  ];
  return { targets, dispose: () => rm(folder, { recursive: true, force: true }) };
}

type At = (...parts: string[]) => string;

async function arrayTargets(at: At): Promise<Target[]> {
  const [x, y] = [at('x.npy'), at('y.npy')];
  const features = encodeNpy(
    '<f4',
    [8, 3],
    Float32Array.from({ length: 24 }, (_, i) => (i * 7) % 5),
  );
  const labels = encodeNpy('<i4', [8], Int32Array.of(0, 1, 0, 1, 0, 1, 0, 1));
  const task = async (files: { features: string; labels: string }) => {
    const { task } = await taskFromArrays(files, sourceDefaults);
    const { matrix } = task.train;
    for (const { features, read } of matrix.blocks) await read?.(0, features, new Float32Array(matrix.rows * features));
  };
  await writeFile(at('good-x.npy'), features);
  await writeFile(at('good-y.npy'), labels);
  const archive = encodeNpz({
    W: encodeNpy('<f8', [2, 2], Float64Array.of(1, 2, 3, 4)),
    b: encodeNpy('<f8', [2], Float64Array.of(1, 2)),
    features: encodeNpy('<i4', [2], Int32Array.of(0, 1)),
  });
  return [
    bytesTarget('npy features', 6, x, features, () => task({ features: x, labels: at('good-y.npy') })),
    bytesTarget('npy labels', 6, y, labels, () => task({ features: at('good-x.npy'), labels: y })),
    bytesTarget('text labels', 4, at('y.txt'), Buffer.from('cat\ndog\ncat\ndog\ncat\ndog\ncat\ndog\n'), () =>
      task({ features: at('good-x.npy'), labels: at('y.txt') }),
    ),
    bytesTarget('npz', 8, at('w.npz'), archive, () => readNpz(at('w.npz'))),
  ];
}

async function imageTargets(at: At): Promise<Target[]> {
  const data = Uint8Array.from({ length: 24 * 16 * 3 }, (_, i) => (i * 37) % 256);
  const image = sharp(data, { raw: { width: 24, height: 16, channels: 3 } });
  const files = {
    jpeg: await image
      .clone()
      .jpeg()
      .withExif({ IFD0: { Orientation: '6' } })
      .toBuffer(),
    png: await image.clone().png().toBuffer(),
    webp: await image.clone().webp().toBuffer(),
    tiff: await image.clone().tiff().toBuffer(),
    cmyk: await image.clone().toColourspace('cmyk').tiff().toBuffer(),
    gif: await image.clone().gif().toBuffer(),
  };
  return Object.entries(files).map(([name, bytes]) =>
    bytesTarget(`image ${name}`, 4, at(`image.${name}`), bytes, () => decodeImage(at(`image.${name}`))),
  );
}

async function modelTargets(at: At, engine: Engine, photo: string): Promise<Target[]> {
  const tiny = writeModel(tinyNetwork());
  const b = new GraphBuilder();
  const image = b.cast(b.input('image', 'uint8', ['H', 'W', 3]), 'float32');
  const mean = b.op<string>('ReduceMean', [image], { axes: { kind: 'ints', value: [0, 1] }, keepdims: 0 });
  const weight = b.constant(float32([3, 2], [1, 0, 0, 1, 0, 0]));
  b.output(b.op('Softmax', [b.op('MatMul', [b.op('Unsqueeze', [mean, b.ints([0])]), weight])]), 'probabilities');
  const metadata = new Map([['toehold.classes', '["red","green"]']]);
  const head = writeModel({ ...b.build(), opsets: new Map([['', 17]]), metadata });
  const preprocess = { size: [16, 16] as [number, number] };
  return [
    bytesTarget('onnx file', 10, at('file.onnx'), tiny, () => readModelFile(at('file.onnx'))),
    bytesTarget('onnx network', 1, at('network.onnx'), tiny, async () => {
      const backbone = await loadBackbone(at('network.onnx'), engine, { overrides: preprocess });
      await tapsOf(backbone, engine);
    }),
    bytesTarget('onnx head', 1, at('head.onnx'), head, async () => {
      for await (const _ of predictImages(engine, at('head.onnx'), [photo]));
    }),
  ];
}

async function storeTargets(at: At, engine: Engine, model: string, images: string): Promise<Target[]> {
  const store = at('store');
  const backbone = await loadBackbone(model, engine, { preprocess: 'half', overrides: { size: [16, 16] } });
  await extract(backbone, requestOf(await readDataset(images)), engine, { output: store, quiet: true });
  const read = async () => {
    await openStore(store);
    const { task } = await taskFromStore(store, sourceDefaults);
    const { matrix } = task.train;
    for (const { features, read } of matrix.blocks) await read?.(0, features, new Float32Array(matrix.rows * features));
  };
  const meta = await json(join(store, 'meta.json'));
  await writeChunk({ root: at('chunks'), file: 'train.chunk' }, { start: 0, rows: 4, bad: [] }, new Float32Array(12));
  const chunk = await readFile(at('chunks', 'train.chunk'));
  const restore = async (target: Target, path: string): Promise<Target> => {
    const good = await readFile(path);
    return { ...target, read: (random) => target.read(random).finally(() => writeFile(path, good)) };
  };
  const metaFile = join(store, 'meta.json');
  const features = join(store, 'train', 'features.npy');
  return [
    await restore(jsonTarget('store meta.json', 8, metaFile, read, meta), metaFile),
    await restore(bytesTarget('store features', 4, features, await readFile(features), read), features),
    bytesTarget('chunk', 6, at('chunks', 'x.chunk'), chunk, () => readChunkHeader(at('chunks', 'x.chunk'))),
  ];
}

async function textTargets(at: At): Promise<Target[]> {
  const config = await readFile('configs/head2toe.yaml', 'utf8');
  const manifest =
    'file,label,class,split,group\n1.png,0,cat,train,a\n2.png,1,"dog, big",train,b\n3.png,0,cat,test,c\n4.png,1,"dog, big",test,d\n';
  await mkdir(at('listed'));
  for (const i of [1, 2, 3, 4]) await writeFile(at('listed', `${i}.png`), '');
  const preprocess = { size: 224, resize: 'exact', interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [1, 1, 1] };
  return [
    {
      name: 'config',
      weight: 6,
      read: async (random) =>
        parseConfig(Buffer.from(mutateBytes(Buffer.from(config), random)).toString('utf8'), at('study.yaml')),
    },
    bytesTarget('manifest', 6, at('listed', 'labels.csv'), Buffer.from(manifest), () => readDataset(at('listed'))),
    jsonTarget('preprocess.json', 6, at('preprocess.json'), () => resolvePreprocess(at('preprocess.json')), preprocess),
  ];
}

async function resultTargets(at: At): Promise<Target[]> {
  const state = new Map([['w', float32([2, 2], [1, 2, 3, 4])]]);
  const progress = { step: 3, seconds: 1, sums: { loss: 1, correct: 1, images: 1, steps: 1 }, epochs: [] };
  await writeCheckpoint(at('good.safetensors'), 'run', { ...progress, state });
  const checkpoint = await readFile(at('good.safetensors'));
  const record = await json('docs/results/demo/record.json');
  await mkdir(at('run', 'units', 'u'), { recursive: true });
  await mkdir(at('job'));
  const unit = {
    id: 'u',
    kind: 'extract',
    label: 'features',
    inputs: {},
    needs: [],
    result: {
      store: 'features/u',
      taps: [{ alias: 'a', name: 'a', depth: 1, features: 2, params: 3, macs: 4 }],
      images: 3,
      cost: { trainMacs: 1, storedBytes: 0 },
    },
    seconds: 1,
    finishedAt: '2026-01-01T00:00:00Z',
    versions: {},
  };
  const runFolder = new RunFolder(at('run'));
  return [
    bytesTarget('checkpoint', 8, at('x.safetensors'), checkpoint, () => readCheckpoint(at('x.safetensors'), 'run')),
    jsonTarget('record.json', 2, at('record.json'), async () => figuresOf(await readRecord(at('.'))), record),
    jsonTarget(
      'unit record',
      6,
      at('run', 'units', 'u', 'record.json'),
      async () => {
        const found = await runFolder.record('u');
        if (found) resultOf(extraction, found);
      },
      unit,
    ),
    jsonTarget('result.json', 4, at('job', 'result.json'), () => readResult(at('job'), 'k'), { key: 'k', steps: 3 }),
  ];
}
