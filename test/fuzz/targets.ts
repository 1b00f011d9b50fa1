/** What reads files that others may have made or damaged. Each target makes a damaged input and reads it as a command would. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { type Random, UserError } from '../../src/base/index.js';
import { decodeImage, readDataset, resolvePreprocess } from '../../src/data/index.js';
import { createEngine, type Engine } from '../../src/engine/index.js';
import { readWholeChunk, writeChunk } from '../../src/features/chunks.js';
import {
  encodeNpy,
  extract,
  loadBackbone,
  openStore,
  requestOf,
  type StoreMeta,
  tapsOf,
} from '../../src/features/index.js';
import { float32, type Graph, GraphBuilder, readModelFile, writeModel } from '../../src/graph/index.js';
import { predictImages, readNpz, sourceDefaults, taskFromArrays, taskFromStore } from '../../src/probe/index.js';
import { encodeNpz } from '../../src/probe/npz.js';
import { readRecord } from '../../src/record/index.js';
import { figuresOf } from '../../src/report/index.js';
import { extraction, parseConfig, RunFolder, resultOf } from '../../src/study/index.js';
import { readCheckpoint, writeCheckpoint } from '../../src/transfer/checkpoint.js';
import { readResult } from '../../src/transfer/results.js';
import { tinyNetwork, writeImages, writeTinyModel } from '../support/tiny.js';
import { mutateBytes, mutateGraph, mutateJson } from './mutate.js';

export interface Target {
  readonly name: string;
  /** Share of the inputs; the rest cost less or more. */
  readonly weight: number;
  readonly path: string;
  /** The file undamaged: it is taken. */
  readonly good: Uint8Array;
  readonly damage: (random: Random) => Uint8Array;
  /** Reads the file as a command would. */
  readonly read: () => Promise<unknown>;
}

/** Writes the file of a target, damaged, and reads it. Other targets find it undamaged afterwards. */
export async function readDamaged({ path, good, damage, read }: Target, random: Random): Promise<void> {
  await writeFile(path, damage(random));
  try {
    await read();
  } finally {
    await writeFile(path, good);
  }
}

export interface Corpus {
  readonly targets: readonly Target[];
  dispose(): Promise<void>;
}

type Read = Target['read'];

const bytesTarget = (name: string, weight: number, path: string, good: Uint8Array, read: Read): Target => ({
  name,
  weight,
  path,
  good,
  damage: (random) => mutateBytes(good, random),
  read,
});

const jsonTarget = (name: string, weight: number, path: string, read: Read, value: unknown): Target => ({
  name,
  weight,
  path,
  good: Buffer.from(JSON.stringify(value)),
  damage: (random) => mutateJson(value, random),
  read,
});

const graphTarget = (name: string, weight: number, path: string, graph: Graph, read: Read): Target => ({
  name,
  weight,
  path,
  good: writeModel(graph),
  damage: (random) => writeModel(mutateGraph(graph, random)),
  read,
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
  const arrays = {
    W: encodeNpy('<f8', [2, 2], Float64Array.of(1, 2, 3, 4)),
    b: encodeNpy('<f8', [2], Float64Array.of(1, 2)),
    features: encodeNpy('<i4', [2], Int32Array.of(0, 1)),
  };
  const archive = encodeNpz(arrays);
  return [
    bytesTarget('npy features', 6, x, features, () => task({ features: x, labels: at('good-y.npy') })),
    bytesTarget('npy labels', 6, y, labels, () => task({ features: at('good-x.npy'), labels: y })),
    bytesTarget('text labels', 4, at('y.txt'), Buffer.from('cat\ndog\ncat\ndog\ncat\ndog\ncat\ndog\n'), () =>
      task({ features: at('good-x.npy'), labels: at('y.txt') }),
    ),
    bytesTarget('npz', 3, at('w.npz'), archive, () => readNpz(at('w.npz'))),
    {
      // Its checksums are those of the damaged arrays.
      name: 'npz, summed again',
      weight: 5,
      path: at('v.npz'),
      good: archive,
      damage: (random) => {
        const entries = Object.entries(arrays);
        const [name, bytes] = entries[random.integer(entries.length)] as [string, Uint8Array];
        return encodeNpz({ ...arrays, [name]: mutateBytes(bytes, random) });
      },
      read: () => readNpz(at('v.npz')),
    },
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
  const tiny = tinyNetwork();
  const b = new GraphBuilder();
  const image = b.cast(b.input('image', 'uint8', ['H', 'W', 3]), 'float32');
  const mean = b.op<string>('ReduceMean', [image], { axes: { kind: 'ints', value: [0, 1] }, keepdims: 0 });
  const weight = b.constant(float32([3, 2], [1, 0, 0, 1, 0, 0]));
  b.output(b.op('Softmax', [b.op('MatMul', [b.op('Unsqueeze', [mean, b.ints([0])]), weight])]), 'probabilities');
  const metadata = new Map([['toehold.classes', '["red","green"]']]);
  const head: Graph = { ...b.build(), opsets: new Map([['', 17]]), metadata };
  const overrides = { size: [16, 16] as [number, number] };
  const network = async () => {
    const backbone = await loadBackbone(at('network.onnx'), engine, { preprocess: 'half', overrides });
    await tapsOf(backbone, engine);
  };
  const predict = async () => {
    for await (const _ of predictImages(engine, at('head.onnx'), [photo]));
  };
  return [
    bytesTarget('onnx file', 6, at('file.onnx'), writeModel(tiny), () => readModelFile(at('file.onnx'))),
    graphTarget('onnx graph', 4, at('file.onnx'), tiny, () => readModelFile(at('file.onnx'))),
    bytesTarget('onnx network', 1, at('network.onnx'), writeModel(tiny), network),
    graphTarget('onnx network, its graph', 3, at('network.onnx'), tiny, network),
    bytesTarget('onnx head', 1, at('head.onnx'), writeModel(head), predict),
    graphTarget('onnx head, its graph', 3, at('head.onnx'), head, predict),
  ];
}

async function storeTargets(at: At, engine: Engine, model: string, images: string): Promise<Target[]> {
  const store = at('store');
  const backbone = await loadBackbone(model, engine, { preprocess: 'half', overrides: { size: [16, 16] } });
  await extract(backbone, requestOf(await readDataset(images)), engine, { output: store, quiet: true });
  const read = async (store: string) => {
    await openStore(store);
    const { task } = await taskFromStore(store, sourceDefaults);
    const { matrix } = task.train;
    for (const { features, read } of matrix.blocks) await read?.(0, features, new Float32Array(matrix.rows * features));
  };
  const meta = (await json(join(store, 'meta.json'))) as StoreMeta;
  // Without hashes, as 0.1 wrote it, more of a damaged file is read.
  const old = at('old');
  await cp(store, old, { recursive: true });
  const unhashed = JSON.stringify(meta, (key, value) =>
    key === 'sha256' && typeof value === 'object' ? undefined : value,
  );
  await writeFile(join(old, 'meta.json'), unhashed);
  const train = join('train', 'features.npy');
  const features = await readFile(join(store, train));

  const header = { start: 0, rows: 4, bad: [{ index: 2, message: 'not an image' }] };
  await writeChunk({ root: at('chunks'), file: 'train.chunk' }, header, new Float32Array(12));
  const chunk = await readFile(at('chunks', 'train.chunk'));
  return [
    jsonTarget('store meta.json', 8, join(store, 'meta.json'), () => read(store), meta),
    bytesTarget('store features', 2, join(store, train), features, () => read(store)),
    bytesTarget('store features, no hash', 2, join(old, train), features, () => read(old)),
    bytesTarget('chunk', 6, at('chunks', 'x.chunk'), chunk, async () => {
      // A chunk that is not whole is computed again.
      if (!(await readWholeChunk(at('chunks', 'x.chunk'), 12))) throw new UserError('not whole');
    }),
  ];
}

async function textTargets(at: At): Promise<Target[]> {
  // The files that it names are there.
  const config = Buffer.from(
    (await readFile('configs/head2toe.yaml', 'utf8'))
      .replace(/^#.*\n/gm, '')
      .replace(/\S*\/model\.onnx/g, 'tiny.onnx')
      .replace(/\S*\/datasets\/\w+/g, 'images'),
  );
  const manifest =
    'file,label,class,split,group\n1.png,0,cat,train,a\n2.png,1,"dog, big",train,b\n3.png,0,cat,test,c\n4.png,1,"dog, big",test,d\n';
  await mkdir(at('listed'));
  for (const i of [1, 2, 3, 4]) await writeFile(at('listed', `${i}.png`), '');
  const preprocess = { size: 224, resize: 'exact', interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [1, 1, 1] };
  return [
    bytesTarget('config', 6, at('study.yaml'), config, async () =>
      parseConfig(await readFile(at('study.yaml'), 'utf8'), at('study.yaml')),
    ),
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
    bytesTarget('checkpoint', 4, at('x.safetensors'), checkpoint, () => readCheckpoint(at('x.safetensors'), 'run')),
    {
      // Its header has the length that it says.
      name: 'checkpoint, its header',
      weight: 4,
      path: at('x.safetensors'),
      good: checkpoint,
      damage: (random) => {
        const end = 8 + Number(checkpoint.readBigUInt64LE());
        const header = mutateJson(JSON.parse(checkpoint.toString('utf8', 8, end)), random);
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(header.length));
        return Buffer.concat([length, header, checkpoint.subarray(end)]);
      },
      read: () => readCheckpoint(at('x.safetensors'), 'run'),
    },
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
