import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  figuresOf,
  readStudy,
  renderSvg,
  type WrittenReport,
  writeReport,
  writeReportOf,
} from '../../src/report/index.js';
import { pageHtml } from '../../src/report/page/page.js';
import { browserTest, haveChromium, launch } from '../support/chromium.js';
import { sample, study, task } from './sample.js';

// Two of the sample's tasks are enough here: one with learning curves, one with a failure.
const advice = {
  perClass: 5,
  method: 'linear',
  best: 'finetune',
  certain: false,
  sentence: 'The data cannot tell fine-tuning from a probe on the last layer (1.5 points [−0.8, 3.7] ahead).',
};
const record = {
  ...sample(),
  tasks: sample()
    .tasks.filter((t) => ['signs', 'counting'].includes(t.task))
    .map((t) => (t.learningCurve ? { ...t, recommendations: [advice] } : t)),
};
let folder: string;
let written: WrittenReport;
let html: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'));
  await writeFile(join(folder, 'study.json'), JSON.stringify(record));
  written = await writeReport(folder);
  html = await readFile(written.report, 'utf8');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a written report', () => {
  test('is one page under 3 MB, with a spec and an SVG per figure and three forms of each table', async () => {
    expect(written.bytes).toBe(Buffer.byteLength(html));
    expect(written.bytes).toBeLessThan(3e6);
    expect(await readdir(join(folder, 'figures'))).toHaveLength(written.figures.length);
    expect(await readdir(join(folder, 'tables'))).toHaveLength(written.tables.length);
    expect(written.figures).toContain('figures/accuracy.vl.json');
    expect(written.tables).toContain('tables/results.tex');
  });
  test('fetches nothing: no address to load from, and a policy that forbids it', () => {
    expect(html.includes("default-src 'none'")).toBe(true);
    expect(html.match(/(?:src|href)="(?!#|data:)[^"]*"/g)).toBeNull();
    expect(html.match(/@import[^;]*;|<(?:iframe|object|embed)/g)).toBeNull();
  });
  test('says that a sample is a sample, and what was scaled down', () => {
    expect(html.includes('The numbers on this page are invented')).toBe(true);
    expect(html.includes('<strong>Scaled down.</strong>')).toBe(true);
  });
  test('recommends for each number of labels, and says when the data cannot tell', () => {
    expect(html).toMatch(/>5<\/td><td>Linear<\/td><td>no<\/td><td>The data cannot tell/);
  });
  test('leaves what varies between equal runs out of the files', async () => {
    expect(html).toContain('>seconds</th>');
    for (const name of written.tables) expect(await readFile(join(folder, name), 'utf8')).not.toContain('seconds');
  });
  test('repeats byte for byte', async () => {
    const small = study(task('a', { linear: 100, head2toe: 120 }));
    const pages = [];
    for (const name of ['one', 'two'])
      pages.push(await readFile((await writeReportOf(small, join(folder, name))).report));
    expect(pages[0]?.equals(pages[1] as Buffer)).toBe(true);
  });
  test('a study too large for the page loses interaction and thumbnails, then drawings, and says so', async () => {
    const small = { ...record, tasks: record.tasks.slice(0, 1) };
    const figures = figuresOf(small);
    const svgs = new Map<string, string>();
    for (const f of figures) svgs.set(f.id, await renderSvg(f.spec));
    const full = Buffer.byteLength(await pageHtml(small, figures, svgs));
    const [fitted, tight] = [
      await pageHtml(small, figures, svgs, full - 40_000),
      await pageHtml(small, figures, svgs, full - 120_000),
    ];
    expect(Buffer.byteLength(fitted)).toBeLessThanOrEqual(full - 40_000);
    expect(fitted.includes('data:image/jpeg')).toBe(true);
    expect(Buffer.byteLength(tight)).toBeLessThanOrEqual(full - 120_000);
    expect(tight.includes('Left out to keep the page small: see figures/')).toBe(true);
    expect(tight.includes('data:image/jpeg')).toBe(false);
  });
});

describe('records that do not fit', () => {
  test('a folder without a study', async () => {
    await expect(readStudy(join(folder, 'none'))).rejects.toThrow('is not the folder of a study');
  });
  test('a wrong field is named', async () => {
    const bad = join(folder, 'bad');
    await writeReportOf(study(task('a', { linear: 100 })), bad);
    const wrong = { ...record, tasks: [{ ...record.tasks[0], domainAffinity: 'high' }] };
    await writeFile(join(bad, 'study.json'), JSON.stringify(wrong));
    await expect(readStudy(bad)).rejects.toThrow('tasks.0.domainAffinity');
  });
});

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
    if (haveChromium || process.env.CI === 'true') browser = await launch();
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
    await page.waitForSelector('[data-figure=accuracy] > div svg');
    const all = await marks();
    await page.click('[data-method-filter=scratch]');
    await expect.poll(marks).toBe(all - 2);
    expect(await page.locator('#fig-accuracy .key [data-method=scratch]').first().isVisible()).toBe(false);
    await page.click('[data-task-filter=signs]');
    await expect.poll(marks).toBe(all - 2 - 9);
    expect(await page.locator('#fig-depth .panel[data-task=signs]').isVisible()).toBe(false);
    expect(await page.locator('[data-task-filter=signs]').getAttribute('aria-pressed')).toBe('false');
    await page.click('#all');
    await expect.poll(marks).toBe(all);
    expect(problems).toEqual([]);
    await page.close();
  });

  browserTest('a tooltip tells a point’s numbers', async () => {
    const { page } = await open(1440);
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
    expect(await page.locator('.chart > svg').count()).toBe(figuresOf(record).length);
    expect(await page.locator('.filters').isVisible()).toBe(false);
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(375);
    await page.close();
  });
});
