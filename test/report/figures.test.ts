import { describe, expect, test } from 'vitest';
import { type Figure, figuresOf, renderSvg, type StudyInput } from '../../src/report/index.js';
import { sample, study, task } from './sample.js';

const figures = figuresOf(sample());
const figure = (id: string) => figures.find((f) => f.id === id) as Figure;
const data = (f: Figure) => JSON.stringify(f.spec);

describe('the figures of a study', () => {
  test('every exhibit that the records allow is there', () => {
    expect([...new Set(figures.map((f) => f.group))]).toEqual([
      'accuracy',
      'affinity',
      'learning',
      'network',
      'depth',
      'path',
      'keep-fraction',
      'rank-windows',
      'stability',
      'confusion',
      'cost',
    ]);
  });
  test('a study of one task with two methods still has its figures, and no empty ones', () => {
    expect(figuresOf(study(task('a', { linear: 100, head2toe: 120 }))).map((f) => f.id)).toEqual([
      'accuracy',
      'confusion-a',
    ]);
  });
  test('each names what there is to see and brings its numbers', () => {
    for (const f of figures) {
      expect(f.alt.length, f.id).toBeGreaterThan(10);
      expect(f.alt, f.id).not.toMatch(/NaN|undefined/);
      expect(f.table.rows.length, f.id).toBeGreaterThan(0);
    }
  });
  test('specs stand alone: version 6 of Vega-Lite, literal data, nothing to fetch', () => {
    for (const f of figures) {
      expect(f.spec.$schema).toBe('https://vega.github.io/schema/vega-lite/v6.json');
      expect(data(f), f.id).not.toContain('"url"');
    }
  });
  test('a failed cell is written in its row and is no point', () => {
    const rows = (figure('accuracy').spec as { data: { values: { task: string; label: string }[] } }).data.values;
    expect(rows.find((r) => r.task === 'counting' && r.label === 'Fine-tune')).toEqual({
      task: 'counting',
      method: 'finetune',
      label: 'Fine-tune',
      status: 'failed',
    });
  });
  test('tasks whose names make the same file name keep files of their own', () => {
    const two = figuresOf(study(task('a b', { linear: 1 }), task('a-b', { linear: 1 })));
    expect(two.map((f) => f.id)).toEqual(['accuracy', 'confusion-a-b', 'confusion-a-b-2']);
  });
  test('a lambda above the tolerance is marked', () => {
    expect(figure('path-position').alt).toContain('1 above the tolerance');
    expect(figure('path-position').key.map((k) => k.label)).toContain('not solved to tolerance');
    expect(figure('path-signs').alt).toContain('all within the tolerance');
  });
  test('the correlation of gain and affinity carries its interval', () => {
    expect(figure('affinity').caption).toMatch(/Pearson r = −0\.\d\d \[−\d\.\d\d, −\d\.\d\d\] over 6 tasks/);
  });
  test('learning curves name who leads, or who is level', () => {
    const curve: StudyInput['tasks'][number]['learningCurve'] = [
      { method: 'linear', perClass: 1, accuracy: 0.5, interval: [0.4, 0.6] },
      { method: 'finetune', perClass: 1, accuracy: 0.45, interval: [0.35, 0.55] },
      { method: 'linear', perClass: 10, accuracy: 0.6, interval: [0.5, 0.7] },
      { method: 'finetune', perClass: 10, accuracy: 0.9, interval: [0.8, 0.95] },
    ];
    const [f] = figuresOf(study({ ...task('a', { linear: 1 }), learningCurve: curve })).filter(
      (x) => x.group === 'learning',
    );
    expect(f?.alt).toBe('1 per class: Linear and Fine-tune are level; 10 per class: Fine-tune leads');
  });
});

describe('drawn without a browser', () => {
  test.each([
    'accuracy',
    'affinity',
    'network',
    'depth-signs',
    'path-position',
    'keep-fraction-signs',
    'rank-windows-signs',
    'stability-signs',
    'confusion-counting',
    'learning-signs',
    'cost-signs',
  ])('%s is as reviewed', async (id) => {
    const svg = await renderSvg(figure(id).spec);
    await expect(svg.replaceAll('><', '>\n<')).toMatchFileSnapshot(`../fixtures/report/golden/${id}.svg`);
  });
  test('the same spec gives the same bytes', async () => {
    const spec = figure('confusion-counting').spec;
    expect(await renderSvg(spec)).toBe(await renderSvg(spec));
  });
});
