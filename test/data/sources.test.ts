/** Every data source passes one suite; what is special about each lies in dataset.test.ts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import { imageName, type Place, readDataset, readImage, sources } from '../../src/data/index.js';

/** The data set that every source's fixture holds: class by image, in three splits. */
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
const bytesOf = (image: string) => `bytes of ${image}`;
const all = Object.entries(truth).flatMap(([split, rows]) => rows.map(([image, label]) => ({ split, image, label })));

let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'toehold sources '));
});
afterAll(() => rmSync(root, { recursive: true }));

function put(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
}

/** Writes the data set for a source and says where.*/
const fixtures: Readonly<Record<string, { write(): string; empty(): string }>> = {
  'a folder of images': {
    write() {
      for (const { split, image, label } of all) put(`folder/${split}/${label}/${image}.png`, bytesOf(image));
      return join(root, 'folder');
    },
    empty() {
      mkdirSync(join(root, 'empty folder'), { recursive: true });
      return join(root, 'empty folder');
    },
  },
  'a .csv manifest': {
    write() {
      for (const { image } of all) put(`manifest/${image}.png`, bytesOf(image));
      const rows = all.map(({ split, image, label }) => `${image}.png,${label},${split}\n`);
      put('manifest/list.csv', `file,label,split\n${rows.join('')}`);
      return join(root, 'manifest/list.csv');
    },
    empty() {
      put('empty.csv', 'file,label\n');
      return join(root, 'empty.csv');
    },
  },
};

const placeOf = (path: string, ...entries: string[]): Place => ({
  shown: path,
  path,
  ...(entries.length > 0 && { entries }),
});

test('every source has a fixture, and no two recognise one place', () => {
  expect(Object.keys(fixtures).sort()).toEqual(sources.map((s) => s.name).sort());
  const places = [
    placeOf('/x', 'cat', 'dog'),
    placeOf('/x', 'train', 'test'),
    placeOf('/x', 'cat', 'labels.csv'),
    placeOf('/x.csv'),
    placeOf('/x.CSV'),
  ];
  for (const place of places) expect(sources.filter((s) => s.recognises(place)).length, place.path).toBe(1);
  expect(sources.filter((s) => s.recognises(placeOf('/x.txt')))).toEqual([]);
});

describe.each(sources.map((s) => [s.name, fixtures[s.name] as (typeof fixtures)[string]] as const))(
  '%s',
  (_, fixture) => {
    test('lists every example with its true label, split and bytes', async () => {
      const data = await readDataset(fixture.write());
      expect(data).toMatchObject({ kind: 'class', classes: ['9', '10'], warnings: [] });
      const found = await Promise.all(
        data.examples.map(async (e) => ({
          split: e.split,
          image: Buffer.from(await readImage(e.image))
            .toString('utf8')
            .replace('bytes of ', ''),
          label: data.classes[e.label],
          class: e.class,
        })),
      );
      const byImage = (a: { image: string }, b: { image: string }) => (a.image < b.image ? -1 : 1);
      expect(found.sort(byImage)).toEqual(all.map((e) => ({ ...e, class: e.label })).sort(byImage));
    });

    test('names every example within the data set, and finds its image from anywhere', async () => {
      const { examples } = await readDataset(fixture.write());
      expect(new Set(examples.map((e) => e.file)).size).toBe(examples.length);
      for (const { file, image } of examples) {
        expect(file).not.toMatch(/^\/|\\|\.\./);
        expect(imageName(image)).toContain(file);
      }
    });

    test('gives the same list every time', async () => {
      const path = fixture.write();
      expect(await readDataset(path)).toEqual(await readDataset(path));
    });

    test('without anything in it is a mistake of the request, in one sentence', async () => {
      const path = fixture.empty();
      await expect(readDataset(path)).rejects.toThrow(UserError);
      await expect(readDataset(path)).rejects.toThrow(/(holds|lists) no images/);
    });
  },
);
