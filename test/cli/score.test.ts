/** `toehold score`: what it prints and leaves, and what it says of stores that cannot be compared. */
import { readFile, writeFile } from 'node:fs/promises';
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
