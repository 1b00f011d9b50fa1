/** Images of which nobody says what they show: extraction takes them, whoever learns refuses them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import { readDataset, readExamples, type UnlabelledDataset } from '../../src/data/index.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'toehold unlabelled é 数据 '));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(...files: (string | [string, string])[]): void {
  for (const entry of files) {
    const [file, text] = typeof entry === 'string' ? [entry, entry] : entry;
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
}
const fixture = (name: string) => join(import.meta.dirname, '../fixtures/data/sources', name);

/** What is read without labels; nothing of it says any. */
async function unlabelled(path: string, target?: 'none'): Promise<UnlabelledDataset> {
  const data = await readExamples(path, { target });
  expect(data.kind).toBe('none');
  expect(data).not.toHaveProperty('classes');
  for (const example of data.examples) {
    expect(example).not.toHaveProperty('label');
    expect(example).not.toHaveProperty('class');
  }
  return data as UnlabelledDataset;
}
const brief = ({ examples }: UnlabelledDataset) => examples.map((e) => `${e.split} ${e.file}`);

describe('images have no labels where there is no room for any', () => {
  test.each([
    ['a flat folder', ['b.jpg', 'a.png', 'notes.txt'], ['train a.png', 'train b.jpg'], /images lie directly in .+$/],
    [
      'flat splits',
      ['test/1.jpg', 'training/2.jpg', '0.jpg'],
      ['train 0.jpg', 'test test/1.jpg', 'train training/2.jpg'],
      /images lie directly in .+test$/,
    ],
    [
      'a table of files alone',
      ['a.jpg', 'test/b.jpg', ['labels.csv', 'file,group\ntest/b.jpg,x\na.jpg,y\n']],
      ['test test/b.jpg', 'train a.jpg'],
      /has no column 'label' \(columns: file, group\)$/,
    ],
  ] as [string, (string | [string, string])[], string[], RegExp][])('%s', async (_, files, expected, reason) => {
    put(...files);
    const data = await unlabelled(root);
    expect(brief(data)).toEqual(expected);
    expect(data.reason).toMatch(reason);
    // Whoever learns says the same in one sentence.
    await expect(readDataset(root)).rejects.toThrow(UserError);
    await expect(readDataset(root)).rejects.toThrow(`labels are missing: ${data.reason}; ${data.remedy}`);
  });
  test('archives of images alone', async () => {
    put(['x/a.jpg', 'one'], ['x/b.jpg', 'two']);
    spawnSync('tar', ['-cf', 'photos.tar', 'x/a.jpg', 'x/b.jpg'], { cwd: root });
    const path = join(root, 'photos.tar');
    expect(brief(await unlabelled(path))).toEqual(['train photos.tar/x/a.jpg', 'train photos.tar/x/b.jpg']);
    await expect(readDataset(path)).rejects.toThrow(
      'photos.tar holds images without labels; add a .cls or .json file beside each image',
    );
  });
});

describe('what could be labels is not passed over in silence', () => {
  test('a table with another column is asked about, and read when that is answered', async () => {
    put('a.jpg', 'b.jpg', ['labels.csv', 'file,lable\na.jpg,x\nb.jpg,y\n']);
    await expect(readExamples(root)).rejects.toThrow(
      "has no column 'label' (columns: file, lable); name it with --columns label=NAME; extract --target none does without",
    );
    expect(brief(await unlabelled(root, 'none'))).toEqual(['train a.jpg', 'train b.jpg']);
  });
  test('a class beside images without one keeps its label, and the others are counted', async () => {
    put('stray.jpg', 'a/1.jpg', 'a/2.jpg', 'b/1.jpg');
    const data = await readExamples(root);
    expect(data).toMatchObject({ kind: 'class', classes: ['a', 'b'] });
    expect(data.warnings[0]).toMatch(/^1 image directly in .* without a class: left out$/);
  });
  test('classes in one split and none in the other are an error', async () => {
    put('train/a/1.jpg', 'train/b/1.jpg', 'test/1.jpg');
    await expect(readExamples(root)).rejects.toThrow(/labels are missing: images lie directly in .*test;/);
  });
});

describe('--target none', () => {
  test('reads every image of a folder of classes, and no label', async () => {
    put('stray.jpg', 'a/1.jpg', 'b/deep/2.jpg', 'test/c/3.jpg');
    const data = await unlabelled(root, 'none');
    expect(brief(data)).toEqual(['train stray.jpg', 'train a/1.jpg', 'train b/deep/2.jpg', 'test test/c/3.jpg']);
  });
  test('keeps other columns of a table, not the labels', async () => {
    put('a.jpg', 'b.jpg', ['labels.csv', 'file,label,class,camera\na.jpg,0,x,left\nb.jpg,1,y,right\n']);
    const { examples } = await unlabelled(root, 'none');
    expect(examples.map(({ extra }) => extra)).toEqual([{ camera: 'left' }, { camera: 'right' }]);
  });
  test.each(['parquet', 'webdataset', 'tfrecord', 'coco', 'voc'])(
    'reads %s like the same images with labels',
    async (name) => {
      const path = fixture(name);
      const [labelled, data] = [await readDataset(path), await unlabelled(path, 'none')];
      expect(brief(data)).toEqual(labelled.examples.map((e) => `${e.split} ${e.file}`));
    },
  );
  test('asks nothing of images that show several classes', async () => {
    const box = (image_id: number, category_id: number) => ({ image_id, category_id, bbox: [0, 0, 2, 2], area: 4 });
    put('a.png', 'b.png', [
      'x.json',
      JSON.stringify({
        images: [1, 2].map((id) => ({ id, file_name: id === 1 ? 'a.png' : 'b.png' })),
        categories: [1, 2].map((id) => ({ id, name: `c${id}` })),
        annotations: [box(1, 1), box(1, 2), box(2, 1)],
      }),
    ]);
    await expect(readDataset(join(root, 'x.json'))).rejects.toThrow('show objects of several classes');
    expect(brief(await unlabelled(join(root, 'x.json'), 'none'))).toEqual(['train a.png', 'train b.png']);
  });
  test('takes no groups: nothing is divided', async () => {
    put('a.jpg');
    await expect(readExamples(root, { groupFrom: 'file' })).rejects.toThrow('--group-from keeps examples together');
  });
});
