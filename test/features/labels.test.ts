/** What a store says of its examples is true, and what nobody told it, it does not say. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { canonicalJson, sha256 } from '../../src/base/index.js';
import { type Dataset, readDataset, readImage } from '../../src/data/index.js';
import { createOnnxRuntime } from '../../src/engine/index.js';
import {
  type Backbone,
  type ExtractionRequest,
  extract,
  loadBackbone,
  openStore,
  readNpyData,
  requestOf,
  type StoreMeta,
} from '../../src/features/index.js';
import { labelsFile, tapFile } from '../../src/features/split-chunks.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const engine = await createOnnxRuntime();
const folder = temporaryFolder('toehold labels ');
const classes = ['rot', 'grün', '青'];
let backbone: Backbone;
let data: Dataset;

beforeAll(async () => {
  const model = await writeTinyModel(folder);
  data = await readDataset(await writeImages(join(folder, 'images'), classes, 4));
  backbone = await loadBackbone(model, engine, { overrides: { size: 16 } });
});

const extractTo = (output: string, request: ExtractionRequest, taps = 'features') =>
  extract(backbone, request, engine, { output: join(folder, output), batch: 4, quiet: true, taps });

/** The request without the labels of one split. */
function hiding(split: string, request: ExtractionRequest): ExtractionRequest {
  return {
    ...request,
    splits: request.splits.map(({ labels, ...s }) => (s.name === split || !labels ? s : { ...s, labels })),
  };
}

/** Every file below a folder. */
const filesOf = async (path: string) => (await readdir(path, { recursive: true })).map(String).sort();

async function features(output: string, split: string): Promise<Float32Array> {
  const store = await openStore(join(folder, output));
  return store.read(split, store.meta.taps[0] as StoreMeta['taps'][number]);
}

describe('a labelled store', () => {
  test('has the label that the folder of every image names', async () => {
    const { meta } = await extractTo('labelled', requestOf(data));
    const written = JSON.parse(await readFile(join(folder, 'labelled/meta.json'), 'utf8')) as StoreMeta;
    expect(written).toEqual(meta);
    expect(Object.keys(written.splits)).toEqual(['train', 'test']);
    for (const [name, split] of Object.entries(written.splits)) {
      const truth = split.files.map((file) => file.split('/')[1]);
      expect(split.labels?.map((label) => written.classes[label])).toEqual(truth);
      expect([...readNpyData(join(folder, 'labelled', name, 'labels.npy'))]).toEqual(split.labels);
      expect(split.hashes).toEqual(
        await Promise.all(split.files.map(async (f) => sha256(await readFile(join(data.root, f))))),
      );
    }
  });

  test('is known by the same key as in version 0.1, so that what was extracted then is found', async () => {
    const { meta } = await extractTo('labelled', requestOf(data));
    const hashes = await Promise.all(data.examples.map(async (e) => sha256(await readImage(e.image))));
    const images = data.examples.map((e, i) => [e.split, e.file, e.label, e.class, e.group ?? null, hashes[i]]);
    expect(meta.data.sha256).toBe(sha256(canonicalJson(images)));
  });
});

describe('a split without labels', () => {
  test('is extracted like any other and says nothing of labels', async () => {
    await extractTo('labelled', requestOf(data));
    const { meta } = await extractTo('hidden', hiding('test', requestOf(data)));
    expect(meta.splits.test).not.toHaveProperty('labels');
    expect(meta.splits.train?.labels).toHaveLength(12);
    expect(existsSync(join(folder, 'hidden/test/labels.npy'))).toBe(false);
    expect(await readFile(join(folder, 'hidden/meta.json'), 'utf8')).not.toContain('"labels": []');
    expect(await features('hidden', 'test')).toEqual(await features('labelled', 'test'));
    const store = await openStore(join(folder, 'hidden'));
    expect([...store.labels('train')]).toEqual(meta.splits.train?.labels);
    expect(() => store.labels('test')).toThrow(/holds no labels of split 'test'/);
  });

  test('is another request than with labels, and than with other labels', async () => {
    await extractTo('hidden', hiding('test', requestOf(data)));
    await expect(extractTo('hidden', requestOf(data))).rejects.toThrow(/images differs/);
    const request = requestOf(data);
    const wrong = request.splits.map((s) => ({ ...s, labels: s.rows.map(() => 0) }));
    await extractTo('labelled', request);
    await expect(extractTo('labelled', { ...request, splits: wrong })).rejects.toThrow(/images differs/);
  });

  test('does not depend on labels that it was not given', async () => {
    const blind = data.examples.map(({ file, image, extra }) => ({ file, image, extra }));
    const { meta } = await extractTo('blind', { ...hiding('test', requestOf(data)), inputs: blind });
    const { meta: hidden } = await extractTo('hidden', hiding('test', requestOf(data)));
    expect(meta).toEqual(hidden);
  });
});

test('bytes that are not a file of their own are extracted alike, and hashed every time', async () => {
  await extractTo('labelled', requestOf(data));
  let reads = 0;
  const embedded = data.examples.map((e) => ({
    ...e,
    image: {
      name: `archive.tar:${e.file}`,
      bytes: async () => {
        reads++;
        return Uint8Array.from(await readImage(e.image));
      },
    },
  }));
  const { meta } = await extractTo('embedded', requestOf({ ...data, examples: embedded }));
  expect(meta.data.sha256).toBe((await extractTo('labelled', requestOf(data))).meta.data.sha256);
  expect(await features('embedded', 'train')).toEqual(await features('labelled', 'train'));
  expect(reads).toBe(2 * data.examples.length);
  const [first, ...rest] = embedded;
  const broken = {
    ...(first as (typeof embedded)[number]),
    image: { name: 'archive.tar:x', bytes: async () => Buffer.from('x') },
  };
  await expect(extractTo('broken', requestOf({ ...data, examples: [broken, ...rest] }))).rejects.toThrow(
    /cannot read the image archive\.tar:x/,
  );
});

describe('hostile names of splits', () => {
  const hostile = ['../../x', 'meta.json', '.chunks', '..', 'a/b', 'a_b', '/tmp/toehold-evil', '青', 'con'];

  test('stay in the store, each apart from the others, and are read back by their names', async () => {
    const root = join(folder, 'hostile');
    const output = join(root, 'deep', 'store');
    await mkdir(root);
    const rows = data.examples.map(({ file, class: c }, i) => `${file},${c},${['train', ...hostile][i % 10]}`);
    await writeFile(join(data.root, 'hostile.csv'), `file,label,split\n${rows.join('\n')}\n`);
    const request = requestOf(await readDataset(join(data.root, 'hostile.csv')));
    const before = await filesOf(folder);
    await extract(backbone, request, engine, { output, batch: 4, quiet: true, taps: 'features' });
    const added = (await filesOf(folder)).filter((file) => !before.includes(file));
    expect(added.filter((file) => !file.startsWith('hostile/deep'))).toEqual([]);
    expect(existsSync('/tmp/toehold-evil')).toBe(false);
    const store = await openStore(output);
    expect(Object.keys(store.meta.splits).sort()).toEqual(['train', ...hostile].sort());
    for (const { name, rows: own } of request.splits) {
      const tap = store.meta.taps[0] as StoreMeta['taps'][number];
      const values = await store.read(name, tap);
      expect(values).toHaveLength(own.length * tap.features);
      expect([...store.labels(name)]).toEqual(own.map((i) => (request.inputs[i] as Dataset['examples'][number]).label));
    }
    expect(new Set(Object.values(store.meta.taps[0]?.file ?? {})).size).toBe(hostile.length + 1);
  });

  test('and of taps: ordinary names are their own, none takes the place of labels', () => {
    expect(tapFile('train', 's1.b1.act1')).toBe('train/s1.b1.act1.npy');
    expect(labelsFile('train')).toBe('train/labels.npy');
    expect(tapFile('train', 'labels')).not.toBe(labelsFile('train'));
    expect(tapFile('../x', '../../y')).toMatch(/^[^/]+~[0-9a-f]{16}\/[^/]+~[0-9a-f]{16}\.npy$/);
  });
});
