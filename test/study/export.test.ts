/** What a study found, as files to deploy: its probes and the networks that it trained say there what they said in it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseCsvRows } from '../../src/base/index.js';
import { browserTest, launch } from '../support/chromium.js';
import { toehold } from '../support/cli.js';
import { temporaryFolder } from '../support/tiny.js';
import { writeTrainedStudy } from './support/small.js';

const folder = temporaryFolder('toehold export ');
const output = join(folder, 'a run');
const images = ['test/0.png', 'test/7.png', 'test/20.png', 'test/33.png'];
const places = images.map((file) => join(folder, 'position', file));

beforeAll(async () => {
  const config = await writeTrainedStudy(folder);
  const { code, stderr } = await toehold('run', config, '-o', output, '--quiet', '--json');
  expect([code, stderr]).toEqual([0, expect.any(String)]);
}, 240_000);

/** What a method said of the images in the study. */
async function saidInStudy(method: string): Promise<(string | undefined)[]> {
  const path = join(output, 'predictions.csv');
  const [header, ...rows] = parseCsvRows(await readFile(path, 'utf8'), path, ',').map(({ cells }) => cells);
  const at = (name: string) => header?.indexOf(name) ?? -1;
  return images.map(
    (file) => rows.find((row) => row[at('method')] === method && row[at('file')] === file)?.[at('predicted')],
  );
}

async function predicted(
  file: string,
): Promise<{ class: string; ranking: { class: string; probability: number }[] }[]> {
  const { code, stdout, stderr } = await toehold('predict', file, ...places, '--json');
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  const document = JSON.parse(stdout);
  return document.predictions ?? document;
}

describe.each(['linear', 'finetune'])('%s of a study', (method) => {
  test('is one file that says what it said there', async () => {
    const file = join(folder, `${method}.onnx`);
    const { code, stderr } = await toehold('export', output, '-m', method, '-o', file, '--json');
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    expect((await predicted(file)).map((p) => p.class)).toEqual(await saidInStudy(method));
  }, 120_000);
});

test('a trained network is a page that says the same, without layers that it does not have', async () => {
  const site = join(folder, 'site');
  const { code, stderr } = await toehold('export', output, '-m', 'finetune', '--format', 'web', '-o', site, '--json');
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  expect((await readdir(site)).filter((name) => !name.startsWith('.')).sort()).toEqual([
    'index.html',
    'model.js',
    'runtime-wasm.js',
    'runtime-webgpu.js',
  ]);
  expect(await readFile(join(site, 'index.html'), 'utf8')).not.toContain(folder);
}, 120_000);

browserTest(
  'in a browser its probabilities are those of predict',
  async () => {
    const browser = await launch();
    try {
      const page = await browser.newPage({ viewport: { width: 375, height: 800 } });
      await page.goto(`${pathToFileURL(join(folder, 'site', 'index.html')).href}?runtime=wasm`);
      await page.locator('html[data-ready]').waitFor({ state: 'attached', timeout: 60_000 });
      await page.setInputFiles('#file', places[0] as string);
      await page.locator('#result').waitFor({ timeout: 60_000 });
      const own = (await page.evaluate(() =>
        Array.from(
          (globalThis as unknown as { toehold: { answer: { probabilities: Float32Array } } }).toehold.answer
            .probabilities,
        ),
      )) as number[];
      const [first] = await predicted(join(folder, 'finetune.onnx'));
      const ranked = [...own].sort((a, b) => b - a);
      for (const [i, { probability }] of (first?.ranking ?? []).entries()) {
        expect(Math.abs(probability - (ranked[i] as number))).toBeLessThan(1e-4);
      }
      expect(await page.locator('#layers-part').isVisible()).toBe(false);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(375);
    } finally {
      await browser.close();
    }
  },
  180_000,
);

test.each([
  [['-m', 'nonsense'], /no result of 'nonsense' on position can be exported: name one with -m, of linear, finetune/],
  [['--task', 'elsewhere'], /has no task 'elsewhere': name one with --task, of position/],
  [['-m', 'finetune', '--thumbnails', '3', '--format', 'web'], /--thumbnails is for probes/],
  [['-m', 'finetune', '--format', 'tfjs'], /toehold convert/],
])('%s: a sentence', async (flags, message) => {
  const { code, stderr } = await toehold('export', output, ...flags, '-o', join(folder, 'refused'));
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});
