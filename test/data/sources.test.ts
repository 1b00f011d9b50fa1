/**
 * Every data source passes one suite, on files that the formats' own tools wrote (test/fixtures/data/sources); what is special
 * about each lies in dataset.test.ts and containers.test.ts.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import {
  type DatasetOptions,
  decodeImage,
  fingerprintImages,
  imageName,
  type Place,
  readDataset,
  sources,
} from '../../src/data/index.js';

/** The data set that every source's fixture holds: class by image, in three splits. Image k is of one grey, 20 (k + 1). */
const truth: Readonly<Record<string, readonly (readonly [image: string, label: string])[]>> = {
  train: [
    ['a', '10'],
    ['b', '10'],
    ['c', '9'],
    ['d', '9'],
  ],
  val: [
    ['e', '10'],
    ['f', '10'],
    ['g', '9'],
    ['h', '9'],
  ],
  test: [
    ['i', '10'],
    ['j', '9'],
  ],
};
const all = Object.entries(truth).flatMap(([split, rows]) => rows.map(([image, label]) => ({ split, image, label })));
const made = (...path: string[]) => join(import.meta.dirname, '../fixtures/data/sources', ...path);

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'toehold sources '));
});
afterAll(() => rmSync(root, { recursive: true }));

function put(file: string, content: string | Uint8Array): string {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), content);
  return join(root, file);
}

function putImage(file: string, image: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  copyFileSync(made('images', `${image}.png`), join(root, file));
}

interface Fixture {
  /** Which of several. */
  readonly what: string;
  /** Writes the data set where no tool has, and says where it is. */
  path(): string;
  readonly options?: DatasetOptions;
  /** The format knows training and test alone. */
  readonly withoutVal?: boolean;
}

/** A list of the images in a folder of their own. */
function listed(name: string, text: string): string {
  for (const { image } of all) putImage(`${name}/${image}.png`, image);
  return put(`${name}/${name}`, text);
}
const rowsOf = (between: string) => all.map((e) => [`${e.image}.png`, e.label, e.split].join(between)).join('\n');

const fixtures: Readonly<Record<string, { readonly good: readonly Fixture[]; empty(): string }>> = {
  'a folder of images': {
    good: [
      {
        what: 'with train, val and test',
        path() {
          for (const { split, image, label } of all) putImage(`folder/${split}/${label}/${image}.png`, image);
          return join(root, 'folder');
        },
      },
    ],
    empty() {
      mkdirSync(join(root, 'empty folder'), { recursive: true });
      return join(root, 'empty folder');
    },
  },
  'a manifest (.csv, .tsv, .jsonl)': {
    good: [
      { what: 'CSV', path: () => listed('list.csv', `file,label,split\n${rowsOf(',')}\n`) },
      { what: 'TSV by other names', path: () => listed('list.tsv', `Image Path\ttarget\tsubset\n${rowsOf('\t')}`) },
      {
        what: 'JSON lines',
        path: () =>
          listed(
            'list.jsonl',
            all
              .map((e) => JSON.stringify({ filename: `${e.image}.png`, label: Number(e.label), split: e.split }))
              .join('\n'),
          ),
      },
      {
        what: 'columns as asked',
        path: () => listed('asked.csv', `where,what,when\n${rowsOf(',')}\n`),
        options: { columns: 'path=where,label=what,split=when' },
      },
    ],
    empty: () => put('empty.csv', 'file,label\n'),
  },
  'a folder with metadata.csv or metadata.jsonl': {
    good: [{ what: 'as imagefolder reads it', path: () => made('hf-folder') }],
    empty: () => dirname(put('empty metadata/metadata.csv', 'file_name,label\n')),
  },
  'Parquet files with images': {
    good: [
      { what: 'of datasets', path: () => made('parquet') },
      { what: 'by a pattern', path: () => made('parquet/data/{train,val,test}-00000-of-00001.parquet') },
      {
        what: 'of pandas',
        path: () => made('pandas/images.parquet'),
        options: { columns: 'split=subset' },
      },
    ],
    empty: () => put('empty.parquet', new Uint8Array()),
  },
  'WebDataset archives (.tar)': {
    good: [
      { what: 'with .cls', path: () => made('webdataset/{train,val,test}-{0000..0001}.tar') },
      { what: 'with .json', path: () => made('webdataset/described.tar') },
    ],
    empty: () => put('empty.tar', new Uint8Array(1024)),
  },
  'TFRecord files': {
    good: [{ what: 'of tfrecord', path: () => made('tfrecord') }],
    empty: () => put('empty.tfrecord', ''),
  },
  'IDX files (MNIST)': {
    good: [{ what: 'gzipped', path: () => made('idx'), withoutVal: true }],
    empty: () => put('none-images-idx3-ubyte', ''),
  },
  'CIFAR binary files (.bin)': {
    good: [{ what: 'of CIFAR-10', path: () => made('cifar'), withoutVal: true }],
    empty: () => put('test_batch.bin', ''),
  },
  'NumPy arrays of images (.npz, .npy)': {
    good: [
      { what: 'stored', path: () => made('numpy/stored.npz') },
      { what: 'compressed', path: () => made('numpy/compressed.npz') },
      { what: 'files beside each other', path: () => made('numpy/arrays') },
    ],
    empty: () => put('empty.npz', Buffer.concat([Buffer.from('PK\x05\x06'), new Uint8Array(18)])),
  },
  'a folder with Annotations/ and JPEGImages/ (Pascal VOC)': {
    good: [{ what: 'with lists of splits', path: () => made('voc') }],
    empty() {
      for (const folder of ['Annotations', 'JPEGImages'])
        mkdirSync(join(root, 'empty voc', folder), { recursive: true });
      return join(root, 'empty voc');
    },
  },
  'COCO annotations (.json)': {
    good: [{ what: 'with annotations/', path: () => made('coco') }],
    empty: () => put('empty.json', '{"images": [], "categories": [], "annotations": []}'),
  },
};

const placeOf = (path: string, ...entries: string[]): Place => ({
  shown: path,
  path,
  ...(entries.length > 0 ? { entries } : { files: [path] }),
});

test('every source has a fixture, and each place the source that reads it', () => {
  expect(Object.keys(fixtures).sort()).toEqual(sources.map((s) => s.name).sort());
  const sourceOf = (place: Place) => sources.find((s) => s.recognises(place))?.name;
  expect(sourceOf(placeOf('/x', 'cat', 'dog'))).toBe('a folder of images');
  expect(sourceOf({ ...placeOf('/x', 'cat', 'x.tar'), folders: ['cat'] })).toBe('a folder of images');
  expect(sourceOf({ ...placeOf('/x', 'train', 'train/x.tar'), folders: ['train'] })).toBe('WebDataset archives (.tar)');
  expect(sourceOf(placeOf('/x', 'cat', 'labels.csv', 'metadata.csv'))).toBe('a manifest (.csv, .tsv, .jsonl)');
  for (const file of ['/x.csv', '/x.CSV', '/x.tsv', '/x.jsonl']) {
    expect(sourceOf(placeOf(file))).toBe('a manifest (.csv, .tsv, .jsonl)');
  }
  expect(sourceOf(placeOf('/x.txt'))).toBeUndefined();
});

const cases = sources.flatMap((s) =>
  (fixtures[s.name]?.good ?? []).map((fixture) => [`${s.name}, ${fixture.what}`, s.name, fixture] as const),
);

describe.each(cases)('%s', (_, name, fixture) => {
  const read = () => readDataset(fixture.path(), fixture.options);

  test('lists every example with its true label, split and pixels', async () => {
    const data = await read();
    expect(data).toMatchObject({ kind: 'class', classes: ['9', '10'], warnings: [] });
    const found = await Promise.all(
      data.examples.map(async (e) => {
        const { width, height, data: levels } = await decodeImage(e.image);
        expect([width, height, new Set(levels).size]).toEqual([32, 32, 1]);
        return {
          split: e.split,
          image: 'abcdefghij'[Math.round((levels[0] as number) / 20) - 1],
          label: data.classes[e.label],
          class: e.class,
        };
      }),
    );
    const byImage = (a: { image?: string | undefined }, b: { image?: string | undefined }) =>
      (a.image ?? '') < (b.image ?? '') ? -1 : 1;
    const splitOf = (split: string) => (fixture.withoutVal && split === 'val' ? 'train' : split);
    expect(found.sort(byImage)).toEqual(
      all.map((e) => ({ ...e, split: splitOf(e.split), class: e.label })).sort(byImage),
    );
  });

  test('names every example within the data set, and finds its image from anywhere', async () => {
    const { examples } = await read();
    expect(new Set(examples.map((e) => e.file)).size).toBe(examples.length);
    expect(new Set(examples.map((e) => imageName(e.image))).size).toBe(examples.length);
    for (const { file, image } of examples) {
      expect(file).not.toMatch(/^\/|\\|\.\./);
      expect(imageName(image)).toContain(file);
    }
  });

  test('gives the same list and the same bytes every time', async () => {
    const [first, second] = [await read(), await read()];
    const plain = (data: typeof first) => data.examples.map((e) => ({ ...e, image: imageName(e.image) }));
    expect(plain(first)).toEqual(plain(second));
    const hashes = await fingerprintImages(first.examples.map((e) => e.image));
    expect(new Set(hashes).size).toBe(10);
    expect(await fingerprintImages(second.examples.map((e) => e.image).reverse())).toEqual(hashes.reverse());
  });

  test('without anything in it is a mistake of the request, in one sentence', async () => {
    const path = fixtures[name]?.empty() ?? '';
    await expect(readDataset(path)).rejects.toThrow(UserError);
    await expect(readDataset(path)).rejects.toThrow(/(holds|lists) no images|is no |is cut off/);
  });
});
