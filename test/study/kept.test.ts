/** What a run folder knows of images and networks, so that not every process of a run reads them. */
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/index.js';
import { parseConfig, prepareStudy } from '../../src/study/index.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder, writeImages, writeTinyModel } from '../support/tiny.js';

let [folder, text, image] = ['', '', ''];

beforeAll(async () => {
  folder = temporaryFolder();
  const network = await writeTinyModel(folder);
  text = `protocol: head2toe\nlite: true\nbackbones: {tiny: {model: ${network}, size: 16}}\ntasks: {colours: {data: photos}}\nmethods: [linear]\n`;
  await writeImages(join(folder, 'photos'), ['a', 'b'], 12);
  image = join(folder, 'photos', 'train', 'a', '000.png');
});

/** Compiles nothing: what is known of a network is not asked for. */
async function engineThatKnows(): Promise<Engine> {
  const compile = () => Promise.reject(new Error('the network was looked through'));
  return { ...(await testEngine()), compile };
}

async function prepared(keep?: string, engine?: Engine) {
  const study = parseConfig(text, join(folder, 'study.yaml'));
  return prepareStudy(study, engine ?? (await testEngine()), keep === undefined ? {} : { keep });
}

/** The image with other bytes of the same number. */
async function changeImage(): Promise<void> {
  const bytes = await readFile(image);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  await writeFile(image, bytes);
}

test('a study is the same, whether it is found out or known', async () => {
  const run = join(folder, 'same');
  const fresh = await prepared();
  const first = await prepared(run);
  const then = await prepared(run, await engineThatKnows());
  const facts = ({ inputs, plan }: typeof fresh) => ({
    units: plan.units,
    tasks: inputs.tasks,
    networks: inputs.networks.map(({ name, sha256, features, params, macs, preprocess }) => ({
      name,
      sha256,
      features,
      params,
      macs,
      preprocess,
    })),
  });
  expect(facts(first)).toEqual(facts(fresh));
  expect(facts(then)).toEqual(facts(fresh));
});

test('without a folder, or in another one, the network is looked through', async () => {
  await expect(prepared(undefined, await engineThatKnows())).rejects.toThrow('looked through');
  await expect(prepared(join(folder, 'other'), await engineThatKnows())).rejects.toThrow('looked through');
});

test('images are read when their size or time changes, and not before', async () => {
  const run = join(folder, 'times');
  const hash = async () => (await prepared(run)).inputs.tasks[0]?.trainKey;
  const [then, later] = [new Date('2026-01-01'), new Date('2026-01-02')];
  await utimes(image, then, then);
  const first = await hash();
  await changeImage();
  await utimes(image, then, then);
  expect(await hash()).toBe(first);
  await utimes(image, later, later);
  expect(await hash()).not.toBe(first);
});

test('what is damaged is found out anew', async () => {
  const run = join(folder, 'damaged');
  const { plan } = await prepared(run);
  for (const file of await readdir(join(run, 'kept'))) await writeFile(join(run, 'kept', file), '{"features":');
  expect((await prepared(run)).plan.units).toEqual(plan.units);
  await prepared(run, await engineThatKnows());
});
