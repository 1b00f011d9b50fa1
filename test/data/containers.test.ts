/** What is special about data sets within files: damage, lies, labels that cannot be learned. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeNpy, UserError } from '../../src/base/index.js';
import { type DatasetOptions, decodeImage, readDataset } from '../../src/data/index.js';

const made = (...path: string[]) => join(import.meta.dirname, '../fixtures/data/sources', ...path);
const png = (image: string) => readFileSync(made('images', `${image}.png`));

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'toehold containers '));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(file: string, content: string | Uint8Array): string {
  const path = join(root, file);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** The refusal of a path, which names a file and is one sentence. */
async function refusal(path: string, options?: DatasetOptions): Promise<string> {
  const error = await readDataset(path, options).then(
    () => new Error('it was read'),
    (caught: unknown) => caught as Error,
  );
  expect(error, error.message).toBeInstanceOf(UserError);
  expect(error.message).not.toMatch(/\n/);
  expect(error.message).toContain(root);
  return error.message.replaceAll(`${root}/`, '');
}

async function tar(name: string, entries: readonly (readonly [name: string, content: string | Uint8Array])[]) {
  const archive = pack();
  for (const [entry, content] of entries) archive.entry({ name: entry }, content);
  archive.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of archive) pieces.push(piece as Uint8Array);
  return put(name, Buffer.concat(pieces));
}

describe('files that are cut off', () => {
  const whole: Readonly<Record<string, string>> = {
    'x.parquet': made('parquet/data/train-00000-of-00001.parquet'),
    'x.tar': made('webdataset/train-0000.tar'),
    'x.tfrecord': made('tfrecord/pictures-train.tfrecord-00000-of-00001'),
    'x.npz': made('numpy/stored.npz'),
    'y.npz': made('numpy/compressed.npz'),
    'test_batch.bin': made('cifar/test_batch.bin'),
    'train-images-idx3-ubyte.gz': made('idx/train-images-idx3-ubyte.gz'),
    'instances.json': made('coco/annotations/instances_train2017.json'),
  };
  test.each(Object.keys(whole))('%s, at any byte', async (name) => {
    const bytes = readFileSync(whole[name] as string);
    // What follows the last entry of an archive is nothing but zeros.
    const length = name.endsWith('.tar') ? 4096 : bytes.length;
    for (const share of [0.01, 0.3, 0.6, 0.9, 0.999]) {
      const said = await refusal(put(name, bytes.subarray(0, Math.floor(share * length))));
      expect(said).toContain(name);
    }
  });

  test('whose compressed images are damaged are refused when these are read', async () => {
    const bytes = readFileSync(made('pandas/images.parquet'));
    bytes.fill(0xff, 40, 90);
    const said = await refusal(put('x.parquet', bytes), { columns: 'split=subset' });
    expect(said).toMatch(/^x.parquet is no whole Parquet file|^x.parquet: column 'picture' holds no image files/);
  });
});

describe('sizes that are lies', () => {
  test('of IDX arrays', async () => {
    const head = (n: number) => Buffer.from([0, 0, 8, 3, n >> 24, n >> 16, n >> 8, n, 0, 0, 0, 2, 0, 0, 0, 2]);
    const path = put('train-images-idx3-ubyte', Buffer.concat([head(0x7fffffff), Buffer.alloc(8)]));
    expect(await refusal(path)).toBe(
      'train-images-idx3-ubyte is cut off: its header says (2147483647, 2, 2); copy it again',
    );
    put('train-images-idx3-ubyte', Buffer.concat([head(1), Buffer.alloc(8)]));
    expect(await refusal(path)).toContain('has bytes after its end');
    put('train-images-idx3-ubyte', Buffer.concat([head(2), Buffer.alloc(8)]));
    expect(await refusal(path)).toBe(
      'train-images-idx3-ubyte has no labels beside it: train-labels-idx1-ubyte is not there',
    );
  });

  test('of gzip files, which may be bombs', async () => {
    const bomb = gzipSync(Buffer.alloc(1 << 24));
    bomb.writeUInt32LE(100, bomb.length - 4);
    expect(await refusal(put('train-images-idx3-ubyte.gz', bomb))).toContain('is no whole gzip file');
    bomb.writeUInt32LE(0xffffffff, bomb.length - 4);
    expect(await refusal(put('train-images-idx3-ubyte.gz', bomb))).toContain('too many to keep: gunzip it first');
  });

  test('of tar entries and TFRecord records', async () => {
    const path = await tar('x.tar', [['a.png', png('a')]]);
    const bytes = readFileSync(path);
    bytes.write('77777777777', 124, 'latin1');
    const sum = bytes.subarray(0, 512).reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    expect(await refusal(put('x.tar', bytes))).toMatch(/^x.tar is no whole tar archive/);
    const records = readFileSync(made('tfrecord/pictures-train.tfrecord-00000-of-00001'));
    records.writeUInt32LE(0xfffffff, 0);
    expect(await refusal(put('x.tfrecord', records))).toBe('x.tfrecord is no TFRecord file, or is compressed');
  });

  test('of labels that are fewer than images', async () => {
    put('x.npy', encodeNpyBytes([3, 2, 2]));
    put('y.npy', encodeNpy('<i4', [2], Int32Array.of(0, 1)));
    expect(await refusal(root)).toContain('y.npy has shape (2) for 3 images in');
  });
});

/** uint8 zeros. */
function encodeNpyBytes(shape: readonly number[], type = '|u1'): Uint8Array {
  const bytes = Buffer.from(encodeNpy('<i4', shape, new Uint8Array(shape.reduce((a, b) => a * b, 1))));
  bytes.write(type, bytes.indexOf("'<i4'") + 1, 'latin1');
  return bytes;
}

describe('names that lead out', () => {
  test('of an archive', async () => {
    for (const name of ['../../a.png', '/etc/a.png', 'x/../../a.png']) {
      const path = await tar('x.tar', [
        [name, png('a')],
        [name.replace('png', 'cls'), '1'],
      ]);
      expect(await refusal(path)).toContain(`the entry '${name}' leads out of the archive`);
    }
  });

  test('of annotations, unless that is allowed', async () => {
    put('secret.png', png('a'));
    const coco = (file_name: string) =>
      put(
        'data/x.json',
        JSON.stringify({
          images: [{ id: 1, file_name }],
          categories: [{ id: 1, name: 'cat' }],
          annotations: [{ image_id: 1, category_id: 1 }],
        }),
      );
    for (const name of ['../secret.png', join(root, 'secret.png')]) {
      expect(await refusal(coco(name))).toContain("lies outside the data set's folder");
      expect((await readDataset(coco(name), { allowOutside: true })).examples[0]?.image).toBe(join(root, 'secret.png'));
    }
    cpSync(made('voc'), join(root, 'voc'), { recursive: true });
    put('voc/Annotations/a.xml', '<annotation><filename>../../secret.png</filename></annotation>');
    expect(await refusal(join(root, 'voc'))).toContain("'../../secret.png' is not the name of an image in JPEGImages/");
  });
});

describe('what cannot be learned from', () => {
  test('Parquet without images, with several columns of them, with a column that holds something else', async () => {
    cpSync(made('pandas/images.parquet'), join(root, 'x.parquet'));
    const path = join(root, 'x.parquet');
    expect(await refusal(path, { columns: 'path=species,label=subset' })).toBe(
      'x.parquet row 1 holds no bytes of an image: write the table with its images embedded',
    );
    expect(await refusal(path, { columns: 'label=specie' })).toContain("did you mean 'species'?");
  });

  test('archives whose images have no labels, or that are compressed as a whole', async () => {
    expect(await refusal(await tar('x.tar', [['a.png', png('a')]]))).toContain('holds images without labels');
    const some = await tar('x.tar', [
      ['a.png', png('a')],
      ['a.cls', '1'],
      ['b.png', png('b')],
    ]);
    expect(await refusal(some)).toBe('x.tar (b): no label; add a .cls or .json file beside the image');
    expect(await refusal(put('x.tar.gz', gzipSync(readFileSync(some))))).toContain('gunzip it first');
    expect(await refusal(put('x.tfrecord.gz', ''))).toContain('gunzip it first');
  });

  test('NumPy arrays of other types, shapes and names', async () => {
    put('y.npy', encodeNpy('<i4', [2], Int32Array.of(0, 1)));
    put('x.npy', encodeNpy('<f4', [2, 2, 2], new Float32Array(8)));
    expect(await refusal(root)).toContain("x.npy holds images of type '<f4': save levels of 0 to 255 as uint8");
    put('x.npy', encodeNpyBytes([2, 2, 2, 2]));
    expect(await refusal(root)).toContain('x.npy has shape (2, 2, 2, 2), which is not that of images');
    put('x.npy', encodeNpyBytes([2, 2, 2]));
    put('y.npy', encodeNpy('<i4', [2, 3], new Int32Array(6)));
    expect(await refusal(root)).toContain('gives 3 values an image: toehold learns one class an image');
    rmSync(join(root, 'y.npy'));
    expect(await refusal(join(root, 'x.npy'))).toContain('has no labels of its own');
  });

  test('pickles of CIFAR, which are programs', async () => {
    expect(await refusal(put('data_batch_1', 'x'))).toContain('take the binary version of the data');
  });

  test('a manifest whose label is a list', async () => {
    put('a.png', png('a'));
    const path = put('x.jsonl', '{"file": "a.png", "label": ["cat", "dog"]}\n');
    expect(await refusal(path)).toContain('the label of a.png is a list; toehold learns one class an image');
    expect(await refusal(put('x.jsonl', '{"file": "a.png"\n'))).toBe(
      'x.jsonl line 1: this is not JSON; each line holds one object',
    );
  });
});

describe('images with several objects', () => {
  const write = () => {
    for (const image of ['a', 'b', 'c']) put(`${image}.png`, png(image));
    const box = (image_id: number, category_id: number, side: number) => ({
      image_id,
      category_id,
      bbox: [0, 0, side, side],
    });
    return put(
      'x.json',
      JSON.stringify({
        images: ['a', 'b', 'c'].map((name, id) => ({ id, file_name: `${name}.png` })),
        categories: [
          { id: 1, name: 'cat' },
          { id: 2, name: 'dog' },
        ],
        annotations: [box(0, 1, 5), box(0, 2, 9), box(1, 1, 5), box(1, 1, 9)],
      }),
    );
  };
  const brief = async (severalLabels: 'largest' | 'skip' | 'all') => {
    const { examples, warnings } = await readDataset(write(), { severalLabels });
    return { examples: examples.map((e) => `${e.file} ${e.class}`), warnings: warnings.filter((w) => /image/.test(w)) };
  };

  test('of one class are one label; of several they are refused with the two ways to read them', async () => {
    expect(await refusal(write())).toBe(
      'x.json: 1 of 3 images show objects of several classes (a.png: cat, dog); toehold learns one class an image: pass --several-labels largest (the class of the largest object), skip (these images are left out) or all (for --target multilabel)',
    );
    expect((await brief('largest')).examples).toEqual(['a.png dog', 'b.png cat']);
    expect((await brief('skip')).examples).toEqual(['b.png cat']);
    expect((await brief('all')).examples).toEqual(['a.png cat|dog', 'b.png cat', 'c.png |']);
    expect((await brief('largest')).warnings).toEqual(
      expect.arrayContaining([
        '1 image with objects of several classes: the class of the largest object is taken',
        '1 image without an annotated object: left out',
      ]),
    );
  });
});

describe('columns', () => {
  const brief = async (text: string, columns?: string) => {
    for (const image of ['a', 'b', 'c', 'd']) put(`${image}.png`, png(image));
    return readDataset(put('x.csv', text), { columns });
  };

  test('are recognised by content where their names say nothing, which is said', async () => {
    const { examples, warnings } = await brief(
      'n,where,kind,size\n1,a.png,cat,1.5\n2,b.png,cat,2.5\n3,c.png,dog,3.5\n4,d.png,dog,1.5\n',
    );
    expect(examples.map((e) => `${e.file} ${e.class}`)).toEqual(['a.png cat', 'b.png cat', 'c.png dog', 'd.png dog']);
    expect(examples[0]?.extra).toEqual({ n: '1', size: '1.5' });
    expect(warnings).toEqual([
      `${join(root, 'x.csv')}: took 'where' as the path and 'kind' as the label; --columns says otherwise`,
    ]);
  });

  test('of several that could be the label are listed', async () => {
    await expect(
      brief('file,kind,colour\na.png,cat,red\nb.png,cat,blue\nc.png,dog,red\nd.png,dog,blue\n'),
    ).rejects.toThrow("has no column 'label' (columns: file, kind, colour); name it with --columns label=NAME");
  });

  test('as asked win over usual names, and must be there', async () => {
    const text = 'file,label,kind\na.png,1,cat\nb.png,2,cat\n';
    expect((await brief(text, 'label=kind')).classes).toEqual(['cat']);
    await expect(brief(text, 'label=kid')).rejects.toThrow("did you mean 'kind'?");
    await expect(brief(text, 'colour=kind')).rejects.toThrow("--columns 'colour=kind' is not understood");
  });
});

test('names of classes come from ClassLabel, batches.meta.txt and categories, in the order of their numbers', async () => {
  const { examples } = await readDataset(made('parquet'));
  expect([...new Set(examples.map((e) => `${e.label} ${e.class}`))].sort()).toEqual(['0 9', '1 10']);
});

test('grey, planar and alpha arrays decode to their levels', async () => {
  // Red, green and blue planes of 2 x 1.
  const bytes = Buffer.from(encodeNpyBytes([1, 3, 1, 2]));
  bytes.set([10, 20, 30, 40, 50, 60], bytes.length - 6);
  put('x.npy', bytes);
  put('y.npy', encodeNpy('<i4', [1], Int32Array.of(3)));
  const [planar] = (await readDataset(root)).examples;
  expect([...(await decodeImage(planar?.image ?? '')).data]).toEqual([10, 30, 50, 20, 40, 60]);
  const rgba = Buffer.from(encodeNpyBytes([1, 1, 2, 4]));
  rgba.set([1, 2, 3, 0, 5, 6, 7, 255], rgba.length - 8);
  put('x.npy', rgba);
  const [alpha] = (await readDataset(root)).examples;
  expect([...(await decodeImage(alpha?.image ?? '')).data]).toEqual([1, 2, 3, 5, 6, 7]);
});
