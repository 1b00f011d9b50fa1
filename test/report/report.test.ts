import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunRecord } from '../../src/record/index.js';
import { recordOf } from '../../src/record/index.js';
import { drawAll } from '../../src/report/draw.js';
import { figuresOf, type WrittenReport, writeReport, writeReportOf } from '../../src/report/index.js';
import { claimOf } from '../../src/report/page/head.js';
import { pageHtml } from '../../src/report/page/page.js';
import { html as escaped } from '../../src/report/table.js';
import { catalogue } from '../../src/study/index.js';
import { textOf } from './page-text.js';
import { type Done, measured, record, sampleV1, shown, type Task, task, withCell } from './sample.js';

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
    [
      'On position, undecided between an ℓ2 probe on all layers, ridge regression on all layers with learned weights and a selection of features from all layers: ridge regression on all layers with learned weights may be up to 12.2 points better.',
      'On position, undecided between All-ℓ2, Tap-ridge and Head2Toe.',
      'Ridge regression on all layers with learned weights may be up to 12.2 points better.',
    ],
  ])('is a claim of at most 25 words, and the rest follows', (headline, claim, rest) => {
    expect(claimOf(headline, catalogue)).toEqual({ claim, rest });
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
