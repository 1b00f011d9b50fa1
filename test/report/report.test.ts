import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunRecord } from '../../src/record/index.js';
import { recordOf } from '../../src/record/index.js';
import { drawAll } from '../../src/report/draw.js';
import { figuresOf, type WrittenReport, writeReport, writeReportOf } from '../../src/report/index.js';
import { claimOf } from '../../src/report/page/head.js';
import { pageHtml } from '../../src/report/page/page.js';
import { html as escaped } from '../../src/report/table.js';
import { catalogue } from '../../src/study/index.js';
import { browserTest, haveChromium, launch } from '../support/chromium.js';
import { textOf } from './page-text.js';
import { type Done, measured, record, sample, sampleV1, type Task, task, withCell } from './sample.js';

// Three of the sample's tasks are enough here: with learning curves, with a suspect cell, and with a failure.
const shown: RunRecord = {
  ...sample(),
  tasks: sample().tasks.filter((t) => ['signs', 'gestures', 'counting'].includes(t.task)),
};
let folder: string;
let written: WrittenReport;
let html: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'));
  await writeFile(join(folder, 'record.json'), JSON.stringify(shown));
  written = await writeReport(folder);
  html = await readFile(written.report, 'utf8');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The text of a page of this record. */
async function pageOf(of: RunRecord, name: string): Promise<string> {
  return readFile((await writeReportOf(of, join(folder, name))).report, 'utf8');
}

describe('a written report', () => {
  test('is one page under 3 MB, with a spec and an SVG per figure and three forms of each table', async () => {
    expect(written).toMatchObject({ bytes: Buffer.byteLength(html), failed: [] });
    expect(written.bytes).toBeLessThan(3e6);
    const [figures, tables] = [await readdir(join(folder, 'figures')), await readdir(join(folder, 'tables'))];
    expect(figures).toHaveLength(2 * written.figures);
    expect(tables).toHaveLength(3 * written.tables);
    expect(figures).toContain('accuracy.vl.json');
    expect(tables).toContain('results.tex');
  });
  test('fetches nothing: no address to load from, and a policy that forbids it', () => {
    expect(html.includes("default-src 'none'")).toBe(true);
    expect(html.match(/(?:src|href)="(?!#|data:)[^"]*"/g)).toBeNull();
    expect(html.match(/@import[^;]*;|<(?:iframe|object|embed)/g)).toBeNull();
  });
  test('says that a sample is a sample, what was scaled down, and what is wrong with the data', () => {
    const text = textOf(html);
    expect(text).toContain('The numbers on this page are invented');
    expect(text).toContain('Scaled down. Fine-tuning: 20 epochs');
    expect(text).toContain('About the data. counting: 4 training images are byte-identical to test images.');
  });
  test('leaves what varies between equal runs out of the files', async () => {
    expect(html).toContain('>seconds</th>');
    for (const name of await readdir(join(folder, 'tables')))
      expect(await readFile(join(folder, 'tables', name), 'utf8')).not.toContain('seconds');
  });
  test('repeats byte for byte', async () => {
    const small = record(task('a', { linear: 100, head2toe: 120 }));
    expect(await pageOf(small, 'one')).toBe(await pageOf(small, 'two'));
  });
  test('one too large for the page loses interaction and thumbnails, then drawings, and says so', async () => {
    const small = { ...shown, tasks: shown.tasks.filter((t) => t.task === 'signs') };
    const { figures, broken } = figuresOf(small);
    const parts = { record: small, figures, broken, drawings: (await drawAll(figures)).drawings };
    const full = Buffer.byteLength(pageHtml(parts));
    const [fitted, tight] = [pageHtml(parts, full - 15_000), pageHtml(parts, full - 60_000)];
    expect(Buffer.byteLength(fitted)).toBeLessThanOrEqual(full - 15_000);
    expect(fitted.includes('data:image/jpeg')).toBe(true);
    expect(Buffer.byteLength(tight)).toBeLessThanOrEqual(full - 60_000);
    expect(tight.includes('Left out to keep the page small: see figures/')).toBe(true);
    expect(tight.includes('data:image/jpeg')).toBe(false);
  });
});

describe('the headline in large type', () => {
  test.each([
    ['Short as it is: all of it.', 'Short as it is: all of it.', ''],
    [
      'On 1 of 6 tasks (counting) fine-tune: at least 19.0 points over a probe on the last layer; on 5 (a, b, c, d, e and f) the data cannot decide.',
      'On 1 of 6 tasks (counting) fine-tune: at least 19.0 points over a probe on the last layer.',
      'On 5 (a, b, c, d, e and f) the data cannot decide.',
    ],
  ])('is a claim of at most 25 words, and the rest follows', (headline, claim, rest) => {
    expect(claimOf(headline)).toEqual({ claim, rest });
    expect(claim.split(' ').length).toBeLessThanOrEqual(25);
  });
});

describe('the page shows the record’s answer, word for word', () => {
  test('headline, deck, and what is missing', () => {
    const text = textOf(html);
    const { headline, deck, missing } = shown.answer;
    for (const sentence of [...Object.values(claimOf(headline)), ...deck, ...missing]) expect(text).toContain(sentence);
  });
  test('advice and reason of each task, at each number of labels', () => {
    const text = textOf(html);
    const mine = shown.answer.tasks.filter((t) => shown.tasks.some((own) => own.task === t.task));
    expect(mine.length).toBeGreaterThan(5);
    for (const { advice, decided, sentence } of mine)
      expect(text).toContain(`${advice} ${decided ? '' : 'undecided '}${sentence}`);
  });
  test('whatever it says: nothing is worked out again', async () => {
    const told = {
      ...shown.answer,
      headline: 'A <b>.',
      deck: ['A deck.'],
      missing: ['A gap.'],
      tasks: [],
      comparisons: [],
    };
    const page = await pageOf({ ...shown, answer: told }, 'told');
    const text = textOf(page);
    for (const sentence of ['A <b>.', 'A deck.', 'A gap.']) expect(text).toContain(sentence);
    expect(page).toContain('<h1 id="answer">A &#60;b&#62;.</h1>');
    expect(text).not.toMatch(/is not reliably better|scores highest/);
  });
  test('a record of version 1: one sentence a task, on the page and in the tables, none of its own', async () => {
    const old = join(folder, 'old');
    const told = 'The data cannot tell fine-tuning from control, so take the simplest: control.';
    const { tasks, ...rest } = sampleV1 as { tasks: object[] };
    const advised = { method: 'control', best: 'finetune', certain: false, sentence: told };
    await writeReportOf(record(task('a', { linear: 1 })), old);
    await rm(join(old, 'record.json'), { force: true });
    await writeFile(
      join(old, 'study.json'),
      JSON.stringify({ ...rest, tasks: tasks.slice(0, 2).map((t) => ({ ...t, recommendations: [advised] })) }),
    );
    const text = textOf(await readFile((await writeReport(old, catalogue)).report, 'utf8'));
    const csv = await readFile(join(old, 'tables', 'recommendations.csv'), 'utf8');
    const sentences = csv.match(/[^",\n]*Undecided between[^"\n]*/g) ?? [];
    expect(sentences.length).toBeGreaterThan(0);
    for (const sentence of sentences) expect(text).toContain(sentence);
    for (const found of [text, csv]) expect(found).not.toContain('cannot tell');
  });
});

describe('what is not what it seems', () => {
  test('is marked in the page’s figures and tables, with its reason', () => {
    const text = textOf(html);
    expect(text).toContain('Hollow: All-ℓ2,1 (not converged). Not drawn: All-ℓ1 (its test score is at chance');
    expect(text).toContain('hollow: not converged');
    expect(text).toContain('10.3 [7.4, 14.3] suspect');
    expect(text).toContain('65.0 [59.4, 70.2] not converged');
    expect(text).toContain('Hollow: the solver did not converge on block2/expand, block3/project.');
    expect(text).toMatch(/Control \(baseline\).*Oracle \(bound\)/);
  });
  test('notes of cells stand in a table', () => {
    expect(textOf(html)).toContain('signs 2 Head2Toe The solver stopped after 20,000 iterations.');
  });
});

describe('records of other kinds', () => {
  const taps = (score: 'score' | 'validation') =>
    ['x', 'y', 'z'].map((alias, i) => ({
      alias,
      depth: i / 2,
      features: 4,
      alone: { [score]: 0.5 + i / 10, l2: 0.01 },
    }));
  const probe = (t: Task): RunRecord => recordOf({ ...measured(t), protocol: 'probe' });

  test('a probe’s: one task, no trained methods, no units', async () => {
    const page = await pageOf(probe(task('a', { linear: 100, 'all-l2': 150 }, { taps: taps('score') })), 'probe');
    const text = textOf(page);
    expect(text).toContain('On a, probe all layers (All-ℓ2).');
    expect(text).toContain('What each layer knows');
    expect(text).not.toMatch(/domain affinity|What more labels buy|What it costs|How far to trust|units/);
    expect(page).not.toContain('class="advice-table');
  });
  test('a probe’s without test labels: validation only, said at the top', async () => {
    const cell = (method: string, validation: number): Done => ({ status: 'done', method, validation, seconds: 1 });
    const { testLabels: _, predictions: __, ...t } = task('a', {}, { taps: taps('validation') });
    const text = textOf(await pageOf(probe({ ...t, cells: [cell('linear', 0.7), cell('all-l2', 0.8)] }), 'unlabelled'));
    expect(text).toMatch(/^ ?A test On a, there are no test labels: validation scores chose the settings/);
    expect(text).toContain('Validation only. Test examples have no labels: there are no test scores,');
    expect(text).toContain('Linear no test score, validation 70.0');
    expect(text).toContain('Accuracy by depth');
    expect(text).not.toContain('Accuracy of each method');
  });
  test('one whose every cell failed: the reasons, not a fault of the page', async () => {
    const failed = record(task('a', { linear: undefined, head2toe: undefined }), task('b', { linear: undefined }));
    const { failed: undrawn, figures } = await writeReportOf(failed, join(folder, 'failed'));
    expect({ undrawn, figures }).toEqual({ undrawn: [], figures: 0 });
    const page = await readFile(join(folder, 'failed', 'report.html'), 'utf8');
    const text = textOf(page);
    expect(text).toContain('Nothing finished on any task: the reasons are below.');
    expect(text).toContain('Failed: Linear on a, Head2Toe on a and Linear on b (out of memory).');
    expect(page).toMatch(/<details class="tables" open><summary>Status/);
    expect(text).not.toMatch(/NaN|Infinity|could not be drawn/);
  });
  test('one figure that cannot be made or drawn costs that figure, and the page says so in its place', async () => {
    const [linear] = record(task('a', { linear: 1 })).methods;
    const good = record(task('a', { linear: 100, head2toe: 120 }, { taps: taps('score') }));
    const shapeless = {
      ...good,
      methods: good.methods.map((m) => (m.id === linear?.id ? { ...m, shape: 'M0' + 'Q' } : m)),
    };
    const predictions = [{ method: 'linear', seed: 0, predicted: [0, 1] }];
    const broken = { ...shapeless, tasks: shapeless.tasks.map((t) => ({ ...t, predictions })) };
    const { failed, figures } = await writeReportOf(broken, join(folder, 'broken'));
    expect(failed).toEqual([
      expect.stringMatching(/^figure confusion of a could not be drawn: ./),
      expect.stringMatching(/^figure accuracy could not be drawn: ./),
    ]);
    expect(figures).toBe(2);
    const text = textOf(await readFile(join(folder, 'broken', 'report.html'), 'utf8'));
    expect(text.match(/The figure “[a-z]+” could not be drawn: /g)).toHaveLength(2);
    expect(text).toContain('The same numbers as a table Test accuracy (%) with 95 % interval');
  });
  test('texts of a record are text: no tag of theirs reaches the page', async () => {
    const name = '<img src=x onerror=alert(1)>"\'&';
    const evil = withCell(task(name, { linear: 100, head2toe: 120 }), 'linear', { notes: [name], suspect: name });
    const page = await pageOf(record({ ...evil, warnings: [name] }), 'evil');
    expect(page).not.toContain('<img src=x');
    expect(page).toContain(escaped(name));
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
