/** `toehold score`: what it prints and leaves, and what it says of stores that cannot be compared. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { toehold } from '../support/cli.js';
import { temporaryFolder, tinyNetwork, writeImages, writeTinyModel } from '../support/tiny.js';

const folder = temporaryFolder('toehold score ');
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  const first = await writeTinyModel(folder);
  const images = await writeImages(at('images'), ['a', 'b', 'c'], 8);
  const others = await writeImages(at('others'), ['a', 'b', 'c'], 8, 16, 9);
  const second = await writeTinyModel(at('second'), tinyNetwork(2));
  const stores: [string, string, string][] = [
    [first, images, 'one'],
    [first, others, 'other'],
    [second, images, 'two'],
  ];
  for (const [model, data, store] of stores) {
    const { code, stderr } = await toehold('extract', model, data, '-o', at(store), '--taps', 'all', '--quiet');
    expect(code, stderr).toBe(0);
  }
});

describe('stores of the same images', () => {
  test('JSON: every tap with every score and its place; one row of alignments per tap of all stores', async () => {
    const { code, stdout, stderr } = await toehold('score', at('one'), at('two'), '--json', '--quiet');
    expect(code, stderr).toBe(0);
    const { stores, ranks, alignment } = JSON.parse(stdout);
    expect(stores.map(({ n, classes }: { n: number; classes: number }) => [n, classes])).toEqual([
      [24, 3],
      [24, 3],
    ]);
    const taps = stores.flatMap((store: { taps: { scores: object; ranks: Record<string, number> }[] }) => store.taps);
    for (const { scores } of taps) {
      expect(Object.keys(scores)).toEqual(['logme', 'shrinkage-h-score', 'nleep', 'transrate', 'gbc', 'sfda']);
    }
    for (const store of stores) {
      const places = store.taps.map((tap: { ranks: Record<string, number> }) => tap.ranks.logme);
      expect([...places].sort((a, b) => a - b)[0]).toBe(1);
    }
    expect(stores[0].source.leep).toBeLessThan(0);
    expect(ranks.map((own: Record<string, number>) => own.logme).sort()).toEqual([1, 2]);
    expect(alignment).toHaveLength(taps.length);
    expect(alignment[0][0]).toBe(1);
  });
  test('the table, and both CSV files; the same command leaves the same bytes', async () => {
    const run = () => toehold('score', at('one'), '-o', at('s.csv'), '--cka-output', at('c.csv'), '--quiet');
    const { code, stdout, stderr } = await run();
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^tap +features +LogME +H-score +NLEEP +TransRate +GBC +SFDA +CKA, last$/m);
    const written = await readFile(at('s.csv'), 'utf8');
    expect(written.split('\n')[0]).toBe('store,model,tap,depth,features,score,value,rank');
    expect((await readFile(at('c.csv'), 'utf8')).split('\n')[0]).toBe('store,tap,other store,other tap,cka,mutual knn');
    await run();
    expect(await readFile(at('s.csv'), 'utf8')).toBe(written);
  });
  test('a subset has every class', async () => {
    const { stdout } = await toehold('score', at('one'), '--examples', '9', '--scores', 'logme', '--json', '--quiet');
    const { stores, notes } = JSON.parse(stdout);
    expect(stores[0]).toMatchObject({ n: 9, classes: 3 });
    expect(notes[0]).toBe('9 of 24 training examples are read, drawn class by class; --examples 24 reads all');
  });
});

describe('what cannot be scored gets one sentence', () => {
  test.each([
    [['other'], /does not hold the training images of .*one with the same labels in the same order/],
    [['one'], /is named twice: name each store once/],
    [['none'], /holds no features: run toehold extract/],
    [['two', '--taps', 'nothing'], /there is no tap 'nothing'; there are /],
    [['two', '--scores', 'logme,x'], /there is no score 'x': choose from logme, /],
    [['two', '--pool', 'gap,std'], /--pool gap,std: scores read one pooling/],
  ])('%s', async (more, message) => {
    const [store = '', ...flags] = more;
    const { code, stderr } = await toehold('score', at('one'), at(store), ...flags, '--quiet');
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
  test('a file that is not ours is left alone', async () => {
    await writeFile(at('notes.csv'), 'mine');
    const { code, stderr } = await toehold('score', at('one'), '-o', at('notes.csv'), '--quiet');
    expect(code).toBe(2);
    expect(stderr).toMatch(/was not written by toehold/);
  });
});

describe('without labels', () => {
  const first = () => join(folder, 'tiny.onnx');
  beforeAll(async () => {
    await mkdir(at('flat'));
    // The training images of the class folders, in the same order.
    const files = (await readdir(at('images/train'), { recursive: true })).filter((file) => file.endsWith('.png'));
    for (const file of files) await cp(join(at('images/train'), file), join(at('flat'), file.replaceAll('/', '-')));
    await writeFile(
      at('flat.csv'),
      `file\n${(await readdir(at('flat')))
        .sort()
        .map((name) => `flat/${name}\n`)
        .join('')}`,
    );
    for (const [model, data, store] of [
      [first(), at('flat'), 'flat one'],
      [at('second/tiny.onnx'), at('flat.csv'), 'flat two'],
    ] as const) {
      const { code, stdout, stderr } = await toehold(
        'extract',
        model,
        data,
        '-o',
        at(store),
        '--taps',
        'all',
        '--quiet',
      );
      expect(code, stderr).toBe(0);
      expect(stderr).toMatch(/^note: no labels \(.*\): toehold score reads such a store, probes do not$/m);
      expect(stdout).toMatch(/24 train images, no labels, /);
      const meta = JSON.parse(await readFile(join(at(store), 'meta.json'), 'utf8'));
      expect(meta.classes).toEqual([]);
      expect(meta.splits.train).not.toHaveProperty('labels');
    }
  });

  test('stores of a folder and of a table are compared by the bytes of their images; no score is there', async () => {
    const run = () => toehold('score', at('flat one'), at('flat two'), '--neighbours', '5', '--json', '--quiet');
    const { code, stdout, stderr } = await run();
    expect(code, stderr).toBe(0);
    const { target, stores, alignment, neighbours } = JSON.parse(stdout);
    expect(target).toBe('none');
    for (const store of stores) {
      expect(store.n).toBe(24);
      expect(store).not.toHaveProperty('classes');
      expect(store.source).toEqual({});
      for (const { scores, ranks } of store.taps) {
        expect(Object.keys(scores)).toEqual(['effective-rank', 'participation-ratio']);
        expect(scores['effective-rank']).toBeGreaterThanOrEqual(scores['participation-ratio']);
        expect(ranks).toEqual({});
      }
    }
    const taps = stores.flatMap((store: { taps: object[] }) => store.taps);
    expect(alignment).toHaveLength(taps.length);
    expect(neighbours).toMatchObject({ k: 5, chance: 5 / 23 });
    expect(neighbours.agreement).toHaveLength(taps.length);
    expect((await run()).stdout).toBe(stdout);
  });
  test('labels of a store do not decide what is said without them', async () => {
    const flags = ['--target', 'none', '--taps', 'features', '--json', '--quiet'];
    const scored = async (store: string) => JSON.parse((await toehold('score', at(store), ...flags)).stdout);
    const [labelled, flat] = [await scored('one'), await scored('flat one')];
    expect(labelled.target).toBe('none');
    expect(labelled.stores[0].taps).toEqual(flat.stores[0].taps);
    expect(labelled.neighbours).toEqual(flat.neighbours);
  });
  test('the table, and both CSV files', async () => {
    const files = ['-o', at('u.csv'), '--cka-output', at('k.csv')];
    const { code, stdout, stderr } = await toehold('score', at('flat one'), ...files, '--examples', '20', '--quiet');
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/\(20 images, no labels\):$/m);
    expect(stdout).toMatch(/^tap +features +effective rank +participation ratio +CKA, last +kNN, last$/m);
    expect(stdout).toMatch(/^note: 20 of 24 images are read, drawn by --seed; --examples 24 reads all$/m);
    expect(stdout).not.toMatch(/Higher is better/);
    const [, row = ''] = (await readFile(at('u.csv'), 'utf8')).split('\n');
    expect(row).toMatch(/,effective-rank,[\d.]+,$/);
    const [, pair = ''] = (await readFile(at('k.csv'), 'utf8')).split('\n');
    expect(pair).toMatch(/,1,1$/);
  });
  test('measures stand beside scores where they are named', async () => {
    const { stdout } = await toehold('score', at('one'), '--scores', 'logme,effective-rank', '--quiet');
    expect(stdout).toMatch(/^tap +features +LogME +effective rank +CKA, last$/m);
  });

  test.each([
    ['score', ['--target', 'class'], /holds no labels to learn from: extract again from a folder of classes/],
    [
      'score',
      ['--scores', 'logme'],
      /LogME needs labels; without them choose from effective-rank, participation-ratio/,
    ],
    ['score', ['other'], /other does not hold the images of .*flat one in the same order/],
    ['probe', [], /holds no labels to learn from/],
    ['probe', ['--target', 'regression'], /holds no labels to learn from/],
  ] as [string, string[], RegExp][])('%s %s is one sentence', async (command, more, message) => {
    const args = more.map((arg) => (arg === 'other' ? at(arg) : arg));
    const { code, stdout, stderr } = await toehold(command, at('flat one'), ...args, '--quiet');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
  test.each([
    ['train', ['-o', 'run']],
    ['ask', ['-o', 'answer']],
  ])('%s refuses a folder without labels, and leaves nothing', async (command, [flag = '', name = '']) => {
    const { code, stderr } = await toehold(command, first(), at('flat'), flag, at(name));
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /labels are missing: images lie directly in .*flat; put the images of each class in a folder/,
    );
    const left = (await readdir(at(name))).filter((file) => file !== '.toehold');
    expect(left).toEqual([]);
  });
  test('run refuses a task without labels and names it', async () => {
    await writeFile(
      at('study.yaml'),
      JSON.stringify({
        protocol: 'head2toe',
        backbones: { net: { model: first() } },
        tasks: { photos: { data: at('flat') } },
      }),
    );
    const { code, stderr } = await toehold('run', at('study.yaml'), '-o', at('run of a study'), '--quiet');
    expect(code).toBe(2);
    expect(stderr).toMatch(/task 'photos': labels are missing: images lie directly in/);
  });
});
