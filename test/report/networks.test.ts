/** The page of a run over networks: its figures, tables, and what it leaves out. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { figuresOf, tablesOf, toLatex, toMarkdown, type WrittenReport, writeReportOf } from '../../src/report/index.js';
import { networkRecord } from './networks-sample.js';

const record = networkRecord();
const { figures } = figuresOf(record);
const figure = (group: string) => figures.find((f) => f.group === group);
const table = (id: string) => tablesOf(record).find((t) => t.id === id);

let folder: string;
let report: WrittenReport;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-networks-'));
  report = await writeReportOf(record, folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the figures', () => {
  test('are those of networks, and no panel for every cell of what says little there', () => {
    expect([...new Set(figures.map((f) => f.group))]).toEqual([
      'transfer',
      'network-means',
      'settings',
      'transfer-datasets',
      'convergence',
      'rate-grid',
    ]);
  });
  test('are all drawn', () => {
    expect(report.failed).toEqual([]);
    expect(report.figures).toBe(figures.length);
  });
  test('say r with its interval, and who is left out of it', () => {
    expect(figure('transfer')?.alt).toMatch(
      /Fine-tune: r = 0\.\d\d \[[−\d., ]+\] over 6 networks pretrained on ImageNet/,
    );
    expect(figure('transfer')?.note).toBe('Left out, since nobody gave their accuracy on the source: eta.');
  });
  test('name panels of a network on a data set by both', () => {
    expect(figures.filter((f) => f.group === 'convergence').map((f) => f.id)).toEqual([
      'convergence-birds.alpha',
      'convergence-cars.alpha',
      'convergence-food.alpha',
    ]);
  });
});

describe('the tables', () => {
  test('of results have networks down and data sets across, in CSV, Markdown and LaTeX', async () => {
    const results = table('results');
    expect(results?.columns.map((c) => c.title)).toEqual(['setting', 'network', 'birds', 'cars', 'food']);
    expect(results?.rows).toHaveLength(7 + 7 + 2);
    if (!results) throw new Error('there is no table of results');
    expect(toMarkdown(results)).toContain('| Logistic regression | alpha |');
    expect(toLatex(results)).toContain('  Logistic regression & alpha & ');
    expect(await readFile(join(folder, 'tables', 'results.csv'), 'utf8')).toMatch(/^setting,network,birds,cars,food\n/);
  });
  test('of pairs of networks and of regularisers are there', () => {
    expect(table('network-pairs')?.rows).toHaveLength(3 * (21 + 21 + 1));
    expect(table('regularisers')?.rows.map((r) => r[0])).toEqual([
      'label smoothing',
      'label smoothing',
      'label smoothing',
    ]);
  });
  test('of settings in pairs end with all data sets together', () => {
    const rows = table('settings')?.rows.filter((r) => r[1] === 'Fine-tune');
    expect(rows?.map((r) => [r[0], r[4]])).toEqual([
      ['birds', 7],
      ['cars', 7],
      ['food', 7],
      ['all', 21],
    ]);
  });
});
