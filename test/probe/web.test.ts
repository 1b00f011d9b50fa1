/** The page that export --format web writes: what a browser says is what predict says, and nothing is fetched. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeModel } from '../../src/graph/index.js';
import { exportProbe, exportSite, predictImages, type WrittenSite } from '../../src/probe/index.js';
import { browserTest, haveChromium, launch } from '../support/chromium.js';
import { testEngine } from '../support/run.js';
import { type ColouredRun, colouredRun } from './support/coloured.js';

let folder: string;
let made: ColouredRun;
let site: WrittenSite;
const imagesOf = (split: 'train' | 'test'): string[] =>
  (split === 'test' ? (made.run.task.test?.files ?? []) : made.run.task.train.files).map((file) =>
    join(folder, 'data', file),
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold web '));
  made = await colouredRun(folder);
  site = await exportSite(await testEngine(), join(folder, 'out'), join(folder, 'site'), { thumbnails: 30 });
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the folder holds a page, the model and two runtimes, and no place of this machine', async () => {
  const files = await readdir(join(folder, 'site'));
  expect(files.sort()).toEqual(['index.html', 'model.js', 'runtime-wasm.js', 'runtime-webgpu.js']);
  const page = await readFile(site.page, 'utf8');
  for (const place of [folder, tmpdir(), process.cwd()]) expect(page.includes(place)).toBe(false);
  expect(page).toContain("connect-src 'none'");
  expect(page.match(/(?:src|href)="(?!#|data:)[^"]*"/g)).toBeNull();
});

test('training images are in it only where they are asked for, even over classes', async () => {
  const card = async (path: string) =>
    JSON.parse(/id="card">(.*)<\/script>/.exec(await readFile(path, 'utf8'))?.[1] ?? '{}') as {
      averaged: number;
      neighbours?: { examples: { label: number; file: string }[] };
    };
  const { neighbours } = await card(site.page);
  const labels = neighbours?.examples.map((e) => e.label) ?? [];
  expect([0, 1, 2].map((k) => labels.filter((l) => l === k).length)).toEqual([10, 10, 10]);
  expect(neighbours?.examples.every((e) => e.file.startsWith('train/'))).toBe(true);
  const bare = await exportSite(await testEngine(), join(folder, 'out'), join(folder, 'bare'));
  expect(await card(bare.page)).toMatchObject({ averaged: 36 });
  expect((await card(bare.page)).neighbours).toBeUndefined();
  expect(await readFile(bare.page, 'utf8')).not.toContain('data:image/webp');
});

describe('in a browser, opened from disk, without a network', () => {
  let browser: Browser;
  beforeAll(async () => {
    if (haveChromium) browser = await launch();
  });
  afterAll(() => browser?.close());

  interface Answer {
    readonly probabilities: number[];
    readonly layers: number[];
  }

  async function open(options: object = {}): Promise<{ page: Page; problems: string[] }> {
    const context = await browser.newContext({ viewport: { width: 375, height: 800 }, offline: true, ...options });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('console', (message) => {
      // Chromium says by itself that there is no WebGPU.
      if (message.text() === 'No available adapters.') return;
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (!/^(file|data|blob):/.test(request.url())) problems.push(`fetched ${request.url()}`);
    });
    await page.goto(pathToFileURL(site.page).href);
    await page.waitForSelector('html[data-ready], #problem:not([hidden])', { timeout: 60_000 });
    expect(await page.locator('#problem').textContent()).toBe('');
    return { page, problems };
  }
  async function classify(page: Page, file: string): Promise<Answer> {
    await page.evaluate('globalThis.toehold.answer = undefined');
    await page.setInputFiles('#file', file);
    await expect
      .poll(() => page.evaluate<boolean>('globalThis.toehold.answer !== undefined'), { timeout: 30_000 })
      .toBe(true);
    return page.evaluate<Answer>(
      '({ probabilities: [...toehold.answer.probabilities], layers: [...toehold.answer.layers] })',
    );
  }

  browserTest('PNG images get the probabilities of predict to 1e-4', async () => {
    const engine = await testEngine();
    const head = join(folder, 'head.onnx');
    await writeFile(head, writeModel((await exportProbe(engine, join(folder, 'out'))).graph));
    const files = imagesOf('test').filter((_, i) => i % 3 === 0);
    const { page, problems } = await open();
    const centred = (p: readonly number[]) => {
      const logs = p.map(Math.log);
      const mean = logs.reduce((sum, v) => sum + v, 0) / logs.length;
      return logs.map((v) => v - mean);
    };
    const sums: { logits: number[]; parts: number[] }[] = [];
    for await (const found of predictImages(engine, head, files)) {
      if (!('ranking' in found)) throw new Error(`no classes of ${found.file}`);
      const { probabilities, layers } = await classify(page, found.file);
      for (const { class: name, probability } of found.ranking) {
        const k = made.run.task.classes.indexOf(name);
        expect(Math.abs((probabilities[k] as number) - probability)).toBeLessThan(1e-4);
      }
      const parts = [0, 1, 2].map((k) => layers.filter((_, at) => at % 3 === k).reduce((sum, v) => sum + v, 0));
      sums.push({ logits: centred(probabilities), parts });
    }
    // Layers add up to the logits, to something that is the same for every image.
    const offsets = sums.map(({ logits, parts }) => logits.map((v, k) => v - (parts[k] as number)));
    for (const offset of offsets)
      for (const [k, v] of offset.entries()) expect(v).toBeCloseTo(offsets[0]?.[k] as number, 3);
    expect(problems).toEqual([]);
    await page.close();
  });

  browserTest(
    'says what it found: the class first, layers in order, and of a training image itself as the nearest',
    async () => {
      const { page } = await open();
      const shown = await page.evaluate<{ file: string; label: number }>(
        'JSON.parse(document.getElementById("card").textContent).neighbours.examples[0]',
      );
      const { probabilities } = await classify(page, join(folder, 'data', shown.file));
      const best = probabilities.indexOf(Math.max(...probabilities));
      expect(await page.locator('#found').textContent()).toContain(`${made.run.task.classes[best]}, `);
      expect(await page.locator('#near img').first().getAttribute('alt')).toBe(shown.file);
      expect(await page.locator('#layers tbody tr').count()).toBeGreaterThan(0);
      expect(await page.locator('#state').textContent()).toMatch(/^Classified in /);
      const before = await page.locator('#layers tbody').textContent();
      await page.selectOption('#which', { index: 1 });
      expect(await page.locator('#layers tbody').textContent()).not.toBe(before);
      await page.close();
    },
  );

  browserTest('what is no image is refused in words, and the next image works', async () => {
    const { page } = await open();
    const text = join(folder, 'text.png');
    await writeFile(text, 'no image');
    await page.setInputFiles('#file', text);
    await expect.poll(() => page.locator('#problem').textContent()).toContain('text.png is not an image');
    await classify(page, imagesOf('test')[0] as string);
    expect(await page.locator('#problem').isVisible()).toBe(false);
    await page.close();
  });

  browserTest('by keyboard: the file chooser opens, and the answer takes the focus', async () => {
    const { page } = await open();
    // listened for before the first key: the browser is told to hand choosers over without an answer to wait for
    const chooser = page.waitForEvent('filechooser');
    await page.keyboard.press('Tab');
    expect(await page.evaluate<string>('document.activeElement.id')).toBe('file');
    await page.keyboard.press('Space');
    await (await chooser).setFiles(imagesOf('test')[0] as string);
    await page.waitForSelector('#result:not([hidden])');
    expect(await page.evaluate<string>('document.activeElement.id')).toBe('found');
    await page.close();
  });

  browserTest.each([
    [375, 'light'],
    [375, 'dark'],
    [1440, 'light'],
  ] as const)('at %i px, %s: nothing overflows, and axe finds nothing of WCAG 2.2 AA', async (width, colorScheme) => {
    const { page } = await open({ viewport: { width, height: 800 }, colorScheme, bypassCSP: true });
    await classify(page, imagesOf('test')[0] as string);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(width);
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') });
    const found = await page.evaluate<string[]>(
      `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
        .then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' ')))`,
    );
    expect(found).toEqual([]);
    await page.close();
  });
});
