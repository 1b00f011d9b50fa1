/** A run whose data and networks lie elsewhere than when it began. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import { describePlan, type Moved, parseConfig, prepareStudy, writeRunFile } from '../../src/study/index.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

const config = `protocol: head2toe
lite: true
backbones: {tiny: {model: NETWORK, size: 16}}
tasks: {colours: {data: photos}}
methods: [linear]
`;
let [before, after, text] = ['', '', ''];

const prepared = async (moved?: Moved[]) =>
  prepareStudy(parseConfig(text, join(before, 'study.yaml'), moved ? { moved } : {}), await testEngine());

beforeAll(async () => {
  [before, after] = [temporaryFolder(), temporaryFolder()];
  await mkdir(join(before, 'nets'));
  text = config.replace('NETWORK', await writeTinyModel(join(before, 'nets')));
  await rename(await writeImages(join(before, 'made'), ['a', 'b'], 12), join(before, 'photos'));
});

test('has the same units, whose place is told by a path of the config or an absolute one', async () => {
  const first = await prepared();
  await writeRunFile(first, { folder: join(after, 'run'), command: '' });
  const { storeBytes } = describePlan(first);
  const [images, features] = [48, first.inputs.backbone.features];
  expect(storeBytes).toBe(4 * images * features);

  await rename(join(before, 'photos'), join(after, 'pictures'));
  await rename(join(before, 'nets'), join(after, 'nets'));
  await expect(prepared()).rejects.toThrow('no such');
  const nets = { from: join(before, 'nets'), to: join(after, 'nets') };
  for (const from of ['photos', join(before, 'photos')]) {
    const then = await prepared([nets, { from, to: join(after, 'pictures') }]);
    expect(then.plan.units.map(({ id }) => id)).toEqual(first.plan.units.map(({ id }) => id));
    await writeRunFile(then, { folder: join(after, 'run'), command: '' });
  }
  const run = JSON.parse(await readFile(join(after, 'run', 'run.json'), 'utf8'));
  expect(run.tasks[0].root).toBe(join(after, 'pictures'));
});

test('does not take other data for those that moved', async () => {
  const nets = { from: join(before, 'nets'), to: join(after, 'nets') };
  const other = await writeImages(join(after, 'others'), ['a', 'b'], 12);
  await writeFile(join(other, 'train', 'a', '000.png'), await readFile(join(other, 'train', 'b', '001.png')));
  const then = await prepared([nets, { from: 'photos', to: other }]);
  const written = writeRunFile(then, { folder: join(after, 'run'), command: '' });
  await expect(written).rejects.toThrow(UserError);
  await expect(written).rejects.toThrow(
    /task 'colours': .* has other training images or labels than this run began with/,
  );
});

test('a store of float16 takes half of the bytes, and is another unit; float32 said aloud is the same as unsaid', async () => {
  const file = text
    .replace(join(before, 'nets'), join(after, 'nets'))
    .replace('photos', join(after, 'pictures'))
    .replace('size: 16', 'size: 16, store: PRECISION');
  const of = async (precision: string) =>
    prepareStudy(parseConfig(file.replace('PRECISION', precision), join(after, 'study.yaml')), await testEngine());
  const [single, half] = [await of('float32'), await of('float16')];
  expect(2 * describePlan(half).storeBytes).toBe(describePlan(single).storeBytes);
  const ids = ({ plan }: typeof single) => plan.units.map(({ id }) => id);
  const unsaid = parseConfig(file.replace(', store: PRECISION', ''), join(after, 'study.yaml'));
  expect(ids(single)).toEqual(ids(await prepareStudy(unsaid, await testEngine())));
  for (const id of ids(half)) expect(ids(single)).not.toContain(id);
});
