import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256, UserError } from '../../src/base/index.js';
import { type Dataset, duplicateWarnings, fingerprintImages, readDataset } from '../../src/data/index.js';
import { assetsTest, datasetPath } from '../support/assets.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'toehold data é 数据 '));
});
afterEach(() => rmSync(root, { recursive: true }));

/** Writes files, by default each with its own path as content: nothing here is decoded. */
function put(...files: (string | [string, string])[]): void {
  for (const entry of files) {
    const [file, text] = typeof entry === 'string' ? [entry, entry] : entry;
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
}
const brief = ({ examples }: Dataset) => examples.map((e) => `${e.split} ${e.label} ${e.class} ${e.file}`);

describe('a folder of classes', () => {
  test('is all training, in code-point order', async () => {
    put('dog/b.jpg', 'dog/a.PNG', 'cat/x.webp', 'cat/deep/er/y.tif', 'Zebra/1.gif', 'Zebra/2.jpeg');
    const data = await readDataset(root);
    expect(data).toMatchObject({ root, classes: ['Zebra', 'cat', 'dog'], warnings: [] });
    expect(brief(data)).toEqual([
      'train 0 Zebra Zebra/1.gif',
      'train 0 Zebra Zebra/2.jpeg',
      'train 1 cat cat/x.webp',
      'train 1 cat cat/deep/er/y.tif',
      'train 2 dog dog/a.PNG',
      'train 2 dog dog/b.jpg',
    ]);
  });

  test('numeric class names keep their numeric order', async () => {
    put('10/a.png', '10/b.png', '9/a.png', '9/b.png', '0/a.png', '0/b.png');
    expect((await readDataset(root)).classes).toEqual(['0', '9', '10']);
  });

  test('hidden and other files are passed over; images of other formats and without class are told', async () => {
    put('a/1.jpg', 'a/2.jpg', 'a/._1.jpg', 'a/Thumbs.db', 'b/1.jpg', 'b/2.jpg', 'b/3.bmp', 'stray.jpg', '.cache/x.jpg');
    const data = await readDataset(root);
    expect(data.examples.length).toBe(4);
    expect(data.warnings).toEqual([
      `1 image directly in ${root} without a class: left out`,
      '2 files are no images (JPEG, PNG, WebP, TIFF and GIF): left out (a/Thumbs.db, b/3.bmp)',
    ]);
  });

  test('symbolic links are followed', async () => {
    put('real/a/1.jpg', 'real/a/2.jpg');
    mkdirSync(join(root, 'linked'));
    symlinkSync(join(root, 'real/a'), join(root, 'linked/a'));
    expect((await readDataset(join(root, 'linked'))).examples.map((e) => e.file)).toEqual(['a/1.jpg', 'a/2.jpg']);
  });

  test('files without a known ending are looked at', async () => {
    put('a/1.jpg', 'a/2.jpg', 'b/1.jpg');
    writeFileSync(join(root, 'b/n0153'), Buffer.from('89504e470d0a1a0a0000', 'hex'));
    writeFileSync(join(root, 'b/notes'), 'no image');
    const data = await readDataset(root);
    expect(data.examples.map((e) => e.file)).toEqual(['a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/n0153']);
    expect(data.warnings).toEqual(['1 file is no image (JPEG, PNG, WebP, TIFF and GIF): left out (b/notes)']);
  });

  test('class folders without images are named', async () => {
    put('a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/2.jpg', 'c/readme.txt');
    const data = await readDataset(root);
    expect(data.classes).toEqual(['a', 'b']);
    expect(data.warnings[0]).toBe("1 class folder holds no images: left out ('c')");
  });

  test.skipIf(process.platform === 'win32')(
    'a loop of links is walked once; pipes and lost links are told',
    async () => {
      put('a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/2.jpg');
      symlinkSync('..', join(root, 'a/up'));
      symlinkSync('nowhere', join(root, 'a/lost.jpg'));
      spawnSync('mkfifo', [join(root, 'b/pipe.jpg')]);
      const data = await readDataset(root);
      expect(data.examples.map((e) => e.file)).toEqual(['a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/2.jpg']);
      expect(data.warnings).toEqual([
        '2 entries are neither files nor folders, or links that lead nowhere: left out (a/lost.jpg, b/pipe.jpg)',
        '1 link leads to a folder that it lies in: left out (a/up)',
      ]);
    },
  );

  test("a class may be called 'train' when other classes lie beside it", async () => {
    put('train/1.jpg', 'train/2.jpg', 'plane/1.jpg', 'plane/2.jpg');
    expect((await readDataset(root)).classes).toEqual(['plane', 'train']);
  });
});

describe('train/ and test/ with classes', () => {
  test('give the splits; validation has three spellings', async () => {
    put('train/a/1.jpg', 'train/a/2.jpg', 'train/b/1.jpg', 'train/b/2.jpg', 'Test/a/3.jpg', 'Test/b/3.jpg');
    put('valid/a/4.jpg', 'valid/a/5.jpg', 'valid/b/4.jpg', 'valid/b/5.jpg');
    const data = await readDataset(root);
    expect(data.warnings).toEqual([]);
    expect(new Set(data.examples.map((e) => e.split))).toEqual(new Set(['train', 'test', 'val']));
    expect(brief(data)).toContain('test 1 b Test/b/3.jpg');
  });

  test('a class that a split lacks, and a class of one image, are told', async () => {
    put('train/a/1.jpg', 'train/a/2.jpg', 'train/b/1.jpg', 'test/a/3.jpg');
    expect((await readDataset(root)).warnings).toEqual([
      "class 'b' without any image in split 'test'",
      "class 'b' with only one image in split 'train'",
    ]);
  });

  test('images without class folders, and a split without images, are errors', async () => {
    put('train/1.jpg', 'test/2.jpg');
    await expect(readDataset(root)).rejects.toThrow(`labels are missing: images lie directly in ${root}/test`);
    put('train/a/1.jpg');
    rmSync(join(root, 'train/1.jpg'));
    rmSync(join(root, 'test/2.jpg'));
    await expect(readDataset(root)).rejects.toThrow(`${root}/test holds no images`);
    put('test/a/readme.txt');
    await expect(readDataset(root)).rejects.toThrow(`${root}/test/ holds no images`);
  });
});

describe('nothing to read', () => {
  test('says what is wrong and what to do', async () => {
    await expect(readDataset(join(root, 'none'))).rejects.toThrow(`no such file or folder: ${join(root, 'none')}`);
    await expect(readDataset(root)).rejects.toThrow(
      `${root} holds no images; put the images of each class in a folder`,
    );
    put('a/x.bmp');
    await expect(readDataset(root)).rejects.toThrow(
      'a/x.bmp is none of JPEG, PNG, WebP, TIFF and GIF: convert it to PNG',
    );
    put('1.jpg', 'labels.txt');
    await expect(readDataset(root)).rejects.toThrow('labels are missing: images lie directly in');
    await expect(readDataset(join(root, 'labels.txt'))).rejects.toThrow(
      'labels.txt is none of what data is read from: a manifest (.csv, .tsv, .jsonl), ',
    );
    await expect(readDataset(root)).rejects.toThrow(UserError);
  });
});

describe('a CSV manifest', () => {
  test('is read alike with semicolons, tabs, quotes and spaces; its names are one form of Unicode', async () => {
    put('1.png', '2.png');
    for (const text of [
      'file,label\n1.png,café\n2.png,cafe\u0301\n',
      'file;label\n"1.png" ; café\n2.png;"café "\n',
      'file\tlabel\n1.png\tcafé\n2.png\tcafé',
    ]) {
      put(['labels.csv', text]);
      expect((await readDataset(root)).classes).toEqual(['café']);
    }
  });

  test('in another encoding is an error, unless that is named', async () => {
    put('1.png', '2.png');
    writeFileSync(join(root, 'labels.csv'), Buffer.from('file,label\n1.png,Zürich\n2.png,Bern\n', 'latin1'));
    await expect(readDataset(root)).rejects.toThrow(/labels.csv line 2: byte 19 \(0xfc\) is not UTF-8/);
    expect((await readDataset(root, { encoding: 'windows-1252' })).classes).toEqual(['Bern', 'Zürich']);
  });

  test('whose labels are missing values, or one number in two ways, is refused', async () => {
    put('1.png', '2.png', ['labels.csv', 'file,label\n1.png,NaN\n2.png,cat\n']);
    await expect(readDataset(root)).rejects.toThrow("the label 'NaN' stands for a missing value");
    put(['labels.csv', 'file,label\n1.png,1\n2.png,1.0\n']);
    await expect(readDataset(root)).rejects.toThrow("the labels '1' and '1.0' are one number; write them alike");
  });

  test('that lists an image outside its folder is refused, unless that is allowed', async () => {
    put('data/a/1.jpg', 'data/a/2.jpg', 'secret.jpg');
    const lists = (file: string) => put(['data/labels.csv', `file,label\na/1.jpg,x\na/2.jpg,y\n${file},x\n`]);
    for (const file of ['../secret.jpg', 'a/../../secret.jpg', join(root, 'secret.jpg')]) {
      lists(file);
      const data = join(root, 'data');
      await expect(readDataset(data)).rejects.toThrow(
        "labels.csv line 4: ../secret.jpg lies outside the manifest's folder; if the manifest is to be trusted, pass --allow-outside",
      );
      const { examples } = await readDataset(data, { allowOutside: true });
      expect(examples[2]?.image).toBe(join(root, 'secret.jpg'));
    }
    lists(join(root, 'data/a/1.jpg'));
    expect((await readDataset(join(root, 'data'))).examples).toHaveLength(3);
  });

  test('keeps groups and other columns; path prefixes give the split', async () => {
    put('train/0 é.jpg', 'train/1.jpg', 'test/2.jpg', 'more/3.jpg');
    const csv =
      'file,label,class,group,source,note\ntrain/0 é.jpg,10,ten,p1,"a, b",\n./train/1.jpg,9,nine,p2,,x\ntest/2.jpg,10,ten,p3,,\nmore/3.jpg,9,nine,p2,,\n';
    put(['labels.csv', csv]);
    const data = await readDataset(root);
    expect(data.classes).toEqual(['nine', 'ten']);
    expect(data.examples[0]).toEqual({
      file: 'train/0 é.jpg',
      image: join(root, 'train/0 é.jpg'),
      label: 1,
      class: 'ten',
      split: 'train',
      group: 'p1',
      extra: { source: 'a, b', note: '' },
    });
    expect(data.examples.map((e) => e.split)).toEqual(['train', 'train', 'test', 'train']);
    expect(await readDataset(join(root, 'labels.csv'))).toEqual(data);
  });

  test('a split column wins over the path; labels need not be numbers; a byte-order mark is no part of the header', async () => {
    put('train/a.jpg', 'train/b.jpg');
    put(['my list.csv', '\ufefffile,label,split\r\ntrain/a.jpg,oui,Test\r\ntrain/b.jpg,non,holdout\r\n']);
    const data = await readDataset(join(root, 'my list.csv'));
    expect(brief(data)).toEqual(['test 1 oui train/a.jpg', 'holdout 0 non train/b.jpg']);
  });

  test('without label, class is the label', async () => {
    put('a.jpg', ['labels.csv', 'class,file\nx,a.jpg\n']);
    expect(brief(await readDataset(root))).toEqual(['train 0 x a.jpg']);
  });

  const bad: [string, string, string][] = [
    ['no rows', 'file,label\n', 'lists no images'],
    ['an empty file', '', 'lists no images'],
    ['no header', 'a.jpg,1\nb.jpg,2\n', "has no column 'file' (columns: "],
    ['no labels', 'file,group\na.jpg,1\n', "has no column 'label'"],
    ['an empty label', 'file,label\na.jpg,1\nb.jpg,\n', 'line 3: no label for b.jpg'],
    ['an empty file name', 'file,label\n,1\n', 'line 2: file is empty'],
    ['an empty split', 'file,label,split\na.jpg,1,train\nb.jpg,1,\n', 'line 3: split is empty for b.jpg'],
    ['a group for some', 'file,label,group\na.jpg,1,g\nb.jpg,1,\n', 'line 3: group is empty'],
    [
      'two classes of a label',
      'file,label,class\na.jpg,1,x\nb.jpg,1,y\n',
      "line 3: label 1 is class 'y' here and 'x' above",
    ],
    [
      'two labels of a class',
      'file,label,class\na.jpg,1,x\nb.jpg,2,x\n',
      "line 3: class 'x' has label 2 here and 1 above",
    ],
    ['two labels of a file', 'file,label\na.jpg,1\na.jpg,2\n', 'lines 2 and 3 give a.jpg the labels 1 and 2'],
    ['too many cells', 'file,label\na.jpg,1\nb.jpg,2,3\n', 'line 3: 3 cells do not fit the header'],
    ['a file that is not there', 'file,label\na.jpg,1\nc.jpg,2\n', 'lists a file that is not there: c.jpg (line 3)'],
    [
      'files that are not there',
      'file,label\nd/e.jpg,1\nc.jpg,2\n',
      'lists 2 files that are not there: the first is d/e.jpg',
    ],
  ];
  test.each(bad)('with %s is an error', async (_, text, message) => {
    put('a.jpg', 'b.jpg', ['labels.csv', text]);
    await expect(readDataset(root)).rejects.toThrow(message);
    await expect(readDataset(root)).rejects.toThrow(UserError);
  });
});

describe('groups from a column', () => {
  const groups = async (groupFrom: string) => (await readDataset(root, { groupFrom })).examples.map((e) => e.group);
  beforeEach(() => {
    put('1.jpg', '2.jpg', '3.jpg', '4.jpg');
    put(['labels.csv', 'file,label,source\n1.jpg,0,0/007_1\n2.jpg,0,0/007_2\n3.jpg,1,1/007_1\n4.jpg,1,1/008_1\n']);
  });

  test('are the first capture within the class, with or without quotes and slashes', async () => {
    const expected = ['0/007', '0/007', '1/007', '1/008'];
    for (const text of [
      "source:'/(\\d+)_'",
      'source:/(\\d+)_',
      'source:/\\/(\\d+)_/',
      'source:"(\\d+)_"',
      'source: (\\d+)_',
    ]) {
      expect(await groups(text), text).toEqual(expected);
    }
  });

  test('a capture called group, or a whole column, means the same in every class', async () => {
    expect(await groups('source:/(?<group>\\d+)_/')).toEqual(['007', '007', '007', '008']);
    expect(await groups('class')).toEqual(['0', '0', '1', '1']);
    expect(await groups('file:^\\d')).toEqual(['0/1', '0/2', '1/3', '1/4']);
  });

  test('names that several classes share are told', async () => {
    const { warnings } = await readDataset(root, { groupFrom: 'source:/(\\d+)_/' });
    expect(warnings[0]).toMatch(/^1 group name occurs in several classes and is taken as another group in each/);
  });

  test('an unknown column, a cell that does not match and a broken pattern are errors', async () => {
    await expect(groups('sorce:x')).rejects.toThrow("there is no column 'sorce'; did you mean 'source'?");
    await expect(groups('source:/00(8)/')).rejects.toThrow("source '0/007_1' of 1.jpg does not match /00(8)/");
    await expect(groups('source:(')).rejects.toThrow('is not a regular expression');
    await expect(groups('source:')).rejects.toThrow('lacks a pattern');
  });
});

describe('fingerprints', () => {
  test('are the sha256 of each file, and find images in two splits or classes', async () => {
    put('train/a/1.jpg', ['train/a/2.jpg', 'same'], ['train/b/1.jpg', 'same'], 'train/b/2.jpg', [
      'test/a/9.jpg',
      'same',
    ]);
    put(['test/b/9.jpg', 'train/b/2.jpg'], ['train/b/big.jpg', 'x'.repeat(300_000)]);
    const data = await readDataset(root);
    const hashes = await fingerprintImages(data.examples.map((e) => e.image));
    const at = (file: string) => hashes[data.examples.findIndex((e) => e.file === file)];
    expect(at('train/a/1.jpg')).toBe(sha256('train/a/1.jpg'));
    expect(at('train/b/big.jpg')).toBe(sha256('x'.repeat(300_000)));
    expect(duplicateWarnings(data.examples, hashes)).toEqual([
      '2 images occur in more than one of the splits test, train (test/a/9.jpg = train/a/2.jpg): the test is too easy',
      '1 image occurs under more than one class (test/a/9.jpg = train/b/1.jpg)',
    ]);
  });

  test('a file that went away is named', async () => {
    put('a/1.jpg', 'a/2.jpg');
    const data = await readDataset(root);
    rmSync(join(root, 'a/2.jpg'));
    await expect(fingerprintImages(data.examples.map((e) => e.image))).rejects.toThrow(join(root, 'a/2.jpg'));
  });
});

describe('the shipped data sets', () => {
  assetsTest('are read as their README says', async () => {
    for (const [name, classes] of Object.entries({ caltech101: 101, aid: 30, sign_digits: 10, gtsrb: 43 })) {
      const data = await readDataset(datasetPath(name));
      expect([data.classes.length, data.examples.length], name).toEqual([classes, 2000]);
      expect(data.examples.filter((e) => e.split === 'test').length, name).toBe(1000);
    }
  });
  assetsTest('gtsrb has tracks of its own in every class', async () => {
    const data = await readDataset(datasetPath('gtsrb'), { groupFrom: "source:'/(\\d+)_'" });
    const first = data.examples.find((e) => e.extra.source === '2/00007_00012.ppm');
    expect(first?.group ?? '2/00007').toBe('2/00007');
    expect(data.classes.slice(0, 11)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
  });
});
