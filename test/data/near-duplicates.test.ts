/** Images that look alike are found where it is asked for, counted, and kept on one side. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { type Dataset, readDataset, rowsOf, stratifiedFolds } from '../../src/data/index.js';
import { alikeSets, isAlike, type Look, lookOf } from '../../src/data/near-duplicates.js';
import { temporaryFolder } from '../support/tiny.js';

/** A picture of some blots, which its seed decides. */
function picture(seed: number, width = 90, height = 70): Sharp {
  const random = new Random(seed, 'picture');
  const blots = Array.from({ length: 12 }, () => ({
    x: random.uniform() * width,
    y: random.uniform() * height,
    size: 6 + 14 * random.uniform(),
    colour: [random.integer(256), random.integer(256), random.integer(256)],
  }));
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    return blots.reduce((v, b) => (Math.hypot(x - b.x, y - b.y) < b.size ? (b.colour[c] as number) : v), 60);
  });
  return sharp(data, { raw: { width, height, channels: 3 } });
}

const variants: Record<string, (image: Sharp) => Sharp> = {
  'the.jpg': (image) => image.jpeg({ quality: 60 }),
  'small.png': (image) => image.resize(60, 47).png(),
  'brighter.png': (image) => image.modulate({ brightness: 1.1 }).png(),
  'other.webp': (image) => image.webp({ quality: 70 }),
};

const folder = temporaryFolder();
const read = (nearDuplicates = true): Promise<Dataset> => readDataset(folder, { nearDuplicates });

/** 20 pictures in two classes; the first is there in four variants more, the second in the test split and another class, too. */
beforeAll(async () => {
  for (const place of ['train/a', 'train/b', 'test/a', 'test/b']) await mkdir(join(folder, place), { recursive: true });
  for (let i = 0; i < 20; i++) {
    const name = `${i < 10 ? 'train/a' : 'train/b'}/${i}.png`;
    await picture(i).png().toFile(join(folder, name));
  }
  for (const [name, make] of Object.entries(variants)) await make(picture(0)).toFile(join(folder, 'train/a', name));
  await picture(1).jpeg().toFile(join(folder, 'test/b/again.jpg'));
  await picture(99).png().toFile(join(folder, 'test/a/own.png'));
  for (const i of [1, 2]) {
    const plain = sharp({ create: { width: 30 + i, height: 30, channels: 3, background: 'grey' } });
    await plain.png().toFile(join(folder, `train/b/plain ${i}.png`));
  }
});

const groupsOf = ({ examples }: Dataset) =>
  Object.fromEntries(examples.flatMap((e) => (e.group === undefined ? [] : [[e.file, e.group]])));

test('off by default', async () => {
  expect(groupsOf(await read(false))).toEqual({});
});

test('an image and its variants are one group; others and plain images are none', async () => {
  const groups = groupsOf(await read());
  const own = ['0.png', ...Object.keys(variants)].map((name) => `train/a/${name}`);
  expect(Object.keys(groups).toSorted()).toEqual([...own, 'test/b/again.jpg', 'train/a/1.png'].toSorted());
  expect(new Set(own.map((file) => groups[file])).size).toBe(1);
  expect(groups['train/a/1.png']).toBe(groups['test/b/again.jpg']);
  expect(groups['train/a/1.png']).not.toBe(groups['train/a/0.png']);
});

test('they are counted', async () => {
  const { warnings } = await read();
  expect(warnings).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^7 images look like others, in 2 sets of at most 5 \(.*\): kept together/),
      expect.stringMatching(
        /^1 of these sets stands in more than one of the splits test, train \(.*\): the test is too easy/,
      ),
      expect.stringMatching(/^1 of these sets has more than one class \(/),
    ]),
  );
});

test('no fold has them on both sides', async () => {
  const { examples, classes } = await read();
  const train = examples.filter((e) => e.split === 'train');
  for (const { validation } of stratifiedFolds(rowsOf(train, classes), { k: 3, seed: 0 })) {
    const held = validation.filter((i) => /0\.png|the|small|brighter|other/.test(train[i]?.file ?? ''));
    const variantsHeld = held.filter((i) => train[i]?.group !== undefined);
    expect([0, 5]).toContain(variantsHeld.length);
  }
});

test('a group that a file is of goes on to what looks like it', async () => {
  await writeFile(
    join(folder, 'listed.csv'),
    'file,label,split,group\ntrain/a/0.png,a,train,cat\ntrain/a/the.jpg,a,train,dog\ntrain/b/15.png,b,train,dog\ntest/b/again.jpg,b,test,bird\n',
  );
  const { examples } = await readDataset(join(folder, 'listed.csv'), { nearDuplicates: true });
  expect(examples.map((e) => e.group)).toEqual(['cat', 'cat', 'cat', 'bird']);
});

test('an unreadable image is left to those who read it', async () => {
  const other = temporaryFolder();
  for (const name of ['a', 'b']) await mkdir(join(other, name));
  await writeFile(join(other, 'a/broken.png'), Buffer.from('89504e470d0a1a0a0000', 'hex'));
  await picture(3).png().toFile(join(other, 'a/3.png'));
  await picture(3).jpeg().toFile(join(other, 'b/3.jpg'));
  const { examples } = await readDataset(other, { nearDuplicates: true });
  expect(examples.filter((e) => e.group === undefined).map((e) => e.file)).toEqual(['a/broken.png']);
});

describe('among many', () => {
  const random = new Random(1, 'looks');
  const look = (base?: Look): Look => {
    const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) =>
      base ? Math.round(128 + 3000 * (base.pixels[i] as number) + random.normal()) : random.integer(256),
    );
    return lookOf(pixels) as Look;
  };
  const looks = Array.from({ length: 200 }, () => look());
  const copies = Array.from({ length: 50 }, (_, i) => look(looks[i]));

  test('pairs are those that comparing each with each finds', () => {
    const all = [...looks, ...copies];
    const sets = alikeSets(all);
    const expected = all.map((a, i) =>
      Math.min(i, ...[...all.keys()].filter((j) => j < i && isAlike(a, all[j] as Look))),
    );
    expect(sets).toEqual(expected);
    expect(sets.slice(200)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });
});
