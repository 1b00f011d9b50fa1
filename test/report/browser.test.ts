/** The page in a browser: nothing is fetched, charts and tables work, and what is read can be read. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type WrittenReport, writeReport } from '../../src/report/index.js';
import { browserTest, haveChromium, launch } from '../support/chromium.js';
import { shown } from './sample.js';

let folder: string;
let written: WrittenReport;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-browser-'));
  await writeFile(join(folder, 'record.json'), JSON.stringify(shown));
  written = await writeReport(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** In the page: texts whose contrast against the page is below 4.5. Code as text: this project has no DOM types. */
const weakText = `(() => {
  const luminance = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = luminance(getComputedStyle(document.documentElement).backgroundColor);
  const texts = 'h1,h2,h3,h4,p,td,th,a,button:not(:disabled),li,dt,dd,summary,s,svg text';
  return [...document.querySelectorAll(texts)].flatMap((e) => {
    const style = getComputedStyle(e);
    const own = luminance(e.tagName === 'text' ? style.fill : style.color);
    const ratio = (Math.max(page, own) + 0.05) / (Math.min(page, own) + 0.05);
    return ratio < 4.5 && e.textContent.trim() ? [e.tagName + ' ' + e.textContent.slice(0, 30) + ' ' + ratio.toFixed(2)] : [];
  });
})()`;

describe('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    if (haveChromium) browser = await launch();
  });
  afterAll(() => browser?.close());

  async function open(
    width: number,
    colorScheme: 'light' | 'dark' = 'light',
  ): Promise<{ page: Page; problems: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const problems: string[] = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('request', (request) => {
      if (!/^(file|data):/.test(request.url())) problems.push(`fetched ${request.url()}`);
    });
    await page.goto(pathToFileURL(written.report).href);
    return { page, problems };
  }
  /** Brings every chart near the window once, so that all are drawn by Vega. */
  const wakeAll = async (page: Page) => {
    const places = page.locator('.chart');
    for (let i = 0; i < (await places.count()); i++) await places.nth(i).scrollIntoViewIfNeeded();
    await page.waitForFunction('document.querySelectorAll(".chart > svg").length === 0');
  };

  browserTest.each([
    [375, 'light'],
    [1440, 'light'],
    [1440, 'dark'],
  ] as const)(
    'at %i px, %s: every chart comes alive, nothing overflows, text stands out, no error',
    async (width, theme) => {
      const { page, problems } = await open(width, theme);
      await wakeAll(page);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(width);
      const cut = await page.evaluate<string[]>(
        '[...document.querySelectorAll(".chart")].filter((c) => c.scrollWidth > c.clientWidth + 1).map((c) => c.dataset.figure)',
      );
      expect(cut).toEqual([]);
      expect(await page.evaluate<string[]>(weakText)).toEqual([]);
      expect(problems).toEqual([]);
      await page.close();
    },
  );

  browserTest('filters hide tasks and methods in charts, keys and tables, and come back', async () => {
    const { page, problems } = await open(1440);
    const marks = () => page.locator('[data-figure=accuracy] .mark-symbol path').count();
    await page.locator('[data-figure=accuracy]').scrollIntoViewIfNeeded();
    await page.waitForSelector('[data-figure=accuracy] > div svg');
    const all = await marks();
    await page.click('[data-method-filter=scratch]');
    await expect.poll(marks).toBe(all - 3);
    expect(await page.locator('#fig-accuracy .key [data-method=scratch]').first().isVisible()).toBe(false);
    await page.click('[data-task-filter=signs]');
    await expect.poll(marks).toBe(all - 3 - 9);
    expect(await page.locator('#fig-depth .panel[data-task=signs]').isVisible()).toBe(false);
    expect(await page.locator('[data-task-filter=signs]').getAttribute('aria-pressed')).toBe('false');
    await page.click('#all');
    await expect.poll(marks).toBe(all);
    expect(problems).toEqual([]);
    await page.close();
  });

  browserTest('a tooltip tells a point’s numbers', async () => {
    const { page } = await open(1440);
    await page.locator('[data-figure=accuracy]').scrollIntoViewIfNeeded();
    await page.waitForSelector('[data-figure=accuracy] > div svg');
    await page.locator('[data-figure=accuracy] .mark-symbol path').first().hover();
    await expect.poll(() => page.locator('#tip').textContent()).toMatch(/task\s*signs[\s\S]*accuracy\s*60\.3%/);
    await page.keyboard.press('Escape');
    expect(await page.locator('#tip').isVisible()).toBe(false);
    await page.close();
  });

  browserTest('by keyboard: skip link first, filters and tables reachable, focus visible', async () => {
    const { page } = await open(1440);
    await page.keyboard.press('Tab');
    expect(await page.evaluate<string>('document.activeElement.className')).toBe('skip');
    const chip = page.locator('[data-method-filter=linear]');
    await chip.focus();
    await page.keyboard.press('Space');
    expect(await chip.getAttribute('aria-pressed')).toBe('false');
    const summary = page.locator('#fig-affinity summary');
    await summary.focus();
    expect(await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    expect(await page.locator('#fig-affinity table').isVisible()).toBe(true);
    await page.close();
  });

  browserTest('charts have a text alternative and tables a caption', async () => {
    const { page } = await open(1440);
    const charts = await page
      .locator('.chart')
      .evaluateAll((all) => all.map((c) => [c.getAttribute('role'), c.getAttribute('aria-label')?.length ?? 0]));
    for (const [role, length] of charts) {
      expect(role).toBe('img');
      expect(length).toBeGreaterThan(40);
    }
    expect(await page.locator('img:not([alt])').count()).toBe(0);
    expect(await page.locator('.exhibit table:not(:has(caption))').count()).toBe(0);
    await page.close();
  });

  browserTest.each(['light', 'dark'] as const)('axe finds nothing of WCAG 2.2 AA, %s', async (theme) => {
    const { page } = await open(1440, theme);
    await wakeAll(page);
    await page.evaluate('for (const part of [...document.querySelectorAll("details")].slice(0, 3)) part.open = true');
    await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') });
    const found = await page.evaluate<string[]>(
      `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
        .then((r) => r.violations.map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(' ')))`,
    );
    expect(found).toEqual([]);
    await page.close();
  });

  browserTest('the picture of the answer stands in the first screen, and figures are numbered', async () => {
    const { page } = await open(1440);
    const box = await page.locator('#fig-gains').boundingBox();
    expect(box?.y).toBeLessThan(700);
    const numbers = await page.locator('.number').allTextContents();
    expect(numbers).toEqual(numbers.map((_, i) => `Figure ${i + 1}.`));
    await page.close();
  });

  browserTest.each([
    ['SVG', 'accuracy.svg', /^<svg [\s\S]*Linear/],
    ['PNG', 'accuracy.png', /^.PNG/],
    ['CSV', 'accuracy.csv', /^task,method,accuracy/],
    ['Vega-Lite', 'accuracy.vl.json', /vega-lite\/v6\.json/],
  ])('a figure is taken along as %s', async (kind, name, content) => {
    const { page } = await open(1440);
    const wanted = page.waitForEvent('download');
    await page.locator('#fig-accuracy .take button', { hasText: kind }).click();
    const download = await wanted;
    expect(download.suggestedFilename()).toBe(name);
    expect((await readFile(await download.path())).toString('latin1')).toMatch(content);
    await page.close();
  });

  browserTest('tables are sorted by a column, and numbers by their size', async () => {
    const { page } = await open(1440);
    await page.locator('#fig-accuracy summary').click();
    const table = page.locator('#fig-accuracy table');
    const column = () =>
      table.locator('tbody tr td:nth-child(3)').evaluateAll((cells) => cells.map((cell) => Number(cell.textContent)));
    await table.locator('.sort', { hasText: 'accuracy' }).click();
    const known = (await column()).filter((v) => !Number.isNaN(v));
    expect(known).toEqual([...known].sort((a, b) => a - b));
    expect(await table.locator('[aria-sort=ascending]').textContent()).toContain('accuracy');
    await table.locator('.sort', { hasText: 'accuracy' }).click();
    expect((await column())[0]).toBe(Math.max(...known));
    await page.close();
  });

  browserTest('a term leads to its meaning, which shows when it is reached by keyboard', async () => {
    const { page } = await open(375);
    const term = page.locator('.term').first();
    await term.focus();
    const meaning = await page.locator(`${await term.getAttribute('href')} dd`).textContent();
    expect(await page.locator('#tip').textContent()).toBe(meaning);
    await page.close();
  });

  browserTest('on a phone tables are stacked, in print all of them are open', async () => {
    const { page } = await open(375);
    await page.locator('#fig-accuracy summary').click();
    const cell = page.locator('#fig-accuracy tbody td').nth(1);
    expect(await cell.evaluate((e) => (e as unknown as { dataset: { label: string } }).dataset.label)).toBe('accuracy');
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(375);
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    expect(await page.locator('details:not([open])').count()).toBe(0);
    await page.close();
  });

  browserTest('the theme can be chosen against the system’s', async () => {
    const { page } = await open(1440, 'light');
    const background = () => page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
    const light = await background();
    await page.click('#theme');
    await page.click('#theme');
    expect(await page.locator('#theme').textContent()).toBe('Theme: dark');
    expect(await background()).not.toBe(light);
    await page.close();
  });

  browserTest('without scripts the drawings and tables stand', async () => {
    const page = await browser.newPage({ javaScriptEnabled: false, viewport: { width: 375, height: 800 } });
    await page.goto(pathToFileURL(written.report).href);
    expect(await page.locator('.chart > svg').count()).toBe(written.figures);
    expect(await page.locator('.filters').isVisible()).toBe(false);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(375);
    await page.close();
  });
});
