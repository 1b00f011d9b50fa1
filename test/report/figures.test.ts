import { describe, expect, test } from 'vitest';
import type { RunRecord } from '../../src/record/index.js';
import { type Figure, figuresOf, renderSvg } from '../../src/report/index.js';
import { cells, type Done, done, record, sample, type Task, task, withCell } from './sample.js';

const { figures } = figuresOf(sample());
const figure = (id: string, among: readonly Figure[] = figures) => among.find((f) => f.id === id) as Figure;
const data = (f: Figure) => JSON.stringify(f.spec);
const of = (...tasks: Task[]) => figuresOf(record(...tasks)).figures;

/** Rows of a figure's data, wherever its spec has them. */
function rows(f: Figure): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = [];
  JSON.stringify(f.spec, (key, value) => {
    if (key === 'values' && Array.isArray(value)) found.push(...value.filter((v) => typeof v === 'object'));
    return value;
  });
  return found;
}

describe('the figures of a record', () => {
  test('every exhibit that the record allows is there', () => {
    expect([...new Set(figures.map((f) => f.group))]).toEqual([
      'gains',
      'accuracy',
      'affinity',
      'course',
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
  test('one task with two methods still has its figures, and no empty ones', () => {
    expect(of(task('a', { linear: 100, head2toe: 120 })).map((f) => f.id)).toEqual([
      'gains',
      'accuracy',
      'confusion-a',
    ]);
  });
  test('each names what there is to see and brings its numbers', () => {
    for (const f of figures) {
      expect(f.alt.length, f.id).toBeGreaterThan(10);
      expect(`${f.alt} ${f.caption} ${f.note} ${f.detail}`, f.id).not.toMatch(/NaN|Infinity|\[object/);
      expect(f.table.rows.length, f.id).toBeGreaterThan(0);
    }
  });
  test('specs stand alone: version 6 of Vega-Lite, literal data, nothing to fetch', () => {
    for (const f of figures) {
      expect(f.spec.$schema).toBe('https://vega.github.io/schema/vega-lite/v6.json');
      expect(data(f), f.id).not.toMatch(/"url":"(?!data:)/);
    }
  });
  test('names, colours and shapes are those of the record’s cards; a method without a card keeps its id', () => {
    const own = record(task('a', { linear: 100, mine: 120 }));
    const [linear] = own.methods;
    const renamed = { ...own, methods: [{ ...linear, label: 'Last', light: '#123456' }] } as RunRecord;
    const f = figure('accuracy', figuresOf(renamed).figures);
    expect(f.key.map((k) => k.label)).toEqual(['Last', 'mine (baseline)']);
    expect(data(f)).toContain('#123456');
  });
  test('scores are named by the task’s metric', () => {
    const target = { kind: 'class' as const, classes: ['a', 'b'], metric: 'mean per-class accuracy' as const };
    const a = task('a', { linear: 100 }, { target });
    expect(data(figure('accuracy', of(a)))).toContain('test mean per-class accuracy');
    expect(data(figure('accuracy', of(a, task('b', { linear: 100 }))))).toContain('"test score"');
  });
  test('the correlation of gain and affinity carries its interval', () => {
    expect(figure('affinity').caption).toMatch(/Pearson r = −0\.\d\d \[−\d\.\d\d, −\d\.\d\d\] over 5 tasks/);
  });
  test('learning curves say what the record’s answer advises, size by size', () => {
    expect(figure('learning-signs').alt).toBe(
      '1 to 5 per class: probe the last layer; 10 per class: select features from all layers (Head2Toe); 20 per class: fine-tune at a tenth of the learning rate; 50 per class: fine-tune',
    );
  });
  test('the confusion matrix is that of the method advised', () => {
    expect(figure('confusion-gestures').alt).toMatch(/^All-ℓ2: 97\.3 % right\. Most confused: /);
  });
});

describe('what is not what it seems', () => {
  const two = task('a', { linear: 100, 'all-l2': 120, oracle: 140 });
  const accuracy = (t: Task) => figure('accuracy', of(t));
  test.each<[Partial<Done>, string]>([
    [{ converged: false }, 'not converged'],
    [{ failedToTrain: true }, 'failed to train'],
  ])('%o: a hollow mark, a word in the table, a note', (more, word) => {
    const f = accuracy(withCell(two, 'all-l2', more));
    expect(rows(f).filter((r) => r.hollow)).toMatchObject([{ method: 'all-l2' }]);
    expect(data(f)).toContain('"filled":false');
    expect(f.key.at(-1)).toMatchObject({ label: `hollow: ${word}`, look: 'hollow' });
    expect(f.table.rows[1]?.at(-1)).toBe(word);
    expect(f.note).toBe(`Hollow: All-ℓ2 (${word}).`);
  });
  test('a suspect cell is written in its row like a failed one; table and note give the reason', () => {
    const f = accuracy(withCell(two, 'all-l2', { suspect: 'it is below chance' }));
    const own = rows(f).find((r) => r.method === 'all-l2');
    expect(own).toEqual({ task: 'a', method: 'all-l2', label: 'All-ℓ2', status: 'suspect' });
    expect(f.table.rows[1]).toEqual(['a', 'All-ℓ2', 0.6, 0.55, 0.65, 'suspect: it is below chance']);
    expect(f.note).toBe('Not drawn: All-ℓ2 (it is below chance).');
  });
  test('a failed cell is written in its row', () => {
    expect(rows(figure('accuracy')).find((r) => r.task === 'counting' && r.label === 'Fine-tune')).toEqual({
      task: 'counting',
      method: 'finetune',
      label: 'Fine-tune',
      status: 'failed',
    });
  });
  test('a bound is pale, named as one, and never the highest', () => {
    const f = accuracy(two);
    expect(rows(f).filter((r) => r.bound)).toMatchObject([{ label: 'Oracle (bound)' }]);
    expect(f.caption).toContain('Pale: Oracle, which chooses by test labels: an upper bound, not a method.');
    expect(f.alt).toBe('Highest on a: All-ℓ2 60.0 %.');
  });
  test('a layer whose probe did not converge: hollow, not joined by the line, never the best', () => {
    const f = figure('depth-signs');
    expect(rows(f).filter((r) => r.hollow)).toMatchObject([{ tap: 'block2/expand' }, { tap: 'block3/project' }]);
    expect(f.note).toBe('Hollow: the solver did not converge on block2/expand, block3/project.');
    expect(f.table.rows.filter((r) => r.at(-1) === 'alone: not converged')).toHaveLength(2);
    expect(figure('depth-objects').note).toBeUndefined();
  });
  test('probes on layers say their penalty and how many features they had', () => {
    expect(figure('depth-signs').detail).toBe(
      'Each layer gives at most 64 features; its penalty is tuned for this layer.',
    );
    expect(figure('depth-objects').detail).toMatch(
      /^Each probe reads all features of its layer, .*; its penalty is tuned/,
    );
    expect(data(figure('depth-signs'))).toContain('"l2"');
  });
  test('a selection that did not converge is hollow in every figure of it', () => {
    const r = sample();
    const position = r.tasks.find((t) => t.task === 'position');
    const open = {
      ...r,
      tasks: [
        { ...position, cells: position?.cells.map((c) => (c.method === 'head2toe' ? { ...c, converged: false } : c)) },
      ],
    } as RunRecord;
    const selecting = figuresOf(open).figures.filter((f) => f.group === 'network' || f.section === 'selection');
    expect(selecting).toHaveLength(4);
    for (const f of selecting) {
      expect(f.note, f.id).toBe('Hollow: Head2Toe (not converged).');
      expect(
        rows(f).some((x) => x.hollow),
        f.id,
      ).toBe(true);
    }
  });
  test('a lambda above the tolerance is hollow', () => {
    expect(figure('path-position').alt).toContain('1 above the tolerance');
    expect(figure('path-position').key.map((k) => k.label)).toContain('hollow: not solved to tolerance');
    expect(rows(figure('path-position')).filter((r) => r.open)).toHaveLength(1);
    expect(figure('path-signs').alt).toContain('all within the tolerance');
  });
});

describe('which selection is shown', () => {
  const selection = { features: 2, shares: [{ tap: 'a', kept: 2, share: 1 }] };
  const taps = ['a', 'b'].map((alias, i) => ({ alias, depth: i, features: 4 }));
  test('that of the cell that tried several keep fractions, else the first that has one; figures name it', () => {
    const keepFractions = {
      split: 'validation' as const,
      points: [0.1, 1].map((f) => ({ fraction: f, features: 1, score: f })),
    };
    const first = {
      ...task('a', {}, { taps }),
      cells: [done('all-l1', 100, { selection }), done('all-l21', 100, { selection })],
    };
    expect(figure('network', of(first)).caption).toContain('in the probe of All-ℓ1');
    const tried = {
      ...first,
      cells: [...first.cells, done('head2toe', 100, { selection: { ...selection, keepFractions } })],
    };
    expect(figure('network', of(tried)).caption).toContain('in the probe of Head2Toe');
    expect(figure('keep-fraction-a', of(tried)).caption).toContain('Validation accuracy of Head2Toe');
  });
});

describe('files of figures', () => {
  test('tasks whose names are no file names, or differ in case only, keep files of their own', () => {
    const names = ['a b', 'a-b', 'A-b', '../x'];
    const made = of(...names.map((name) => task(name, { linear: 1 }))).filter((f) => f.group === 'confusion');
    const ids = made.map((f) => f.id);
    expect(ids).toEqual([
      expect.stringMatching(/^confusion-a_b~[0-9a-f]+$/),
      'confusion-a-b',
      expect.stringMatching(/^confusion-A-b~[0-9a-f]+$/),
      expect.stringMatching(/^confusion-_x~[0-9a-f]+$/),
    ]);
    expect(made.map((f) => f.table.id)).toEqual(ids);
  });
});

describe('windows of the ranking', () => {
  const windows = (more: object) => ({
    features: 2,
    shares: [],
    rankWindows: [0, 4].map((first) => ({ first, count: 4, validation: 0.5, ...more })),
  });
  const figureOf = (more: object) =>
    figure('rank-windows-a', of({ ...task('a', {}), cells: [done('head2toe', 100, { selection: windows(more) })] }));
  test('are drawn by validation where there are no test scores', () => {
    expect(data(figureOf({}))).toContain('validation accuracy');
    expect(data(figureOf({ score: 0.4 }))).toContain('test accuracy');
  });
  test('that did not converge are hollow', () => {
    const f = figureOf({ score: 0.4, converged: false });
    expect(rows(f).filter((r) => r.hollow)).toHaveLength(2);
    expect(f.note).toBe('Hollow: 2 of 2 windows did not converge.');
    expect(f.table.rows[0]?.at(-1)).toBe('not converged');
  });
});

test('a network of one layer is not drawn', () => {
  const selection = { features: 2, shares: [{ tap: 'a', kept: 2, share: 1 }] };
  const one = {
    ...task('a', {}, { taps: [{ alias: 'a', depth: 1, features: 4 }] }),
    cells: [done('head2toe', 1, { selection })],
  };
  expect(of(one).map((f) => f.group)).not.toContain('network');
});

describe('a record without test labels', () => {
  const validation = (method: string, v: number, more: Partial<Done> = {}): Done => ({
    status: 'done',
    method,
    validation: v,
    seconds: 1,
    ...more,
  });
  const taps = ['x', 'y'].map((alias, i) => ({
    alias,
    depth: i,
    features: 4,
    alone: { validation: 0.5 + i / 10 },
  }));
  const { testLabels: _, predictions: __, ...unscored } = task('a', {}, { taps });
  const t = { ...unscored, cells: [validation('linear', 0.7), validation('all-l2', 0.8)] };
  test('has the figures that need no test scores', () => {
    const all = of(t);
    expect(all.map((f) => f.id)).toEqual(['depth-a']);
    expect(data(figure('depth-a', all))).toContain('validation accuracy');
    expect(figure('depth-a', all).caption).toContain('the methods’ own validation accuracy');
  });
});

describe('a curve', () => {
  test('shows the methods that it measures, to the task’s own cells', () => {
    const curve = [{ perClass: 5, ...cells({ linear: 90 }) }];
    const f = figure('learning-a', of({ ...task('a', { linear: 100, control: 120 }), perClass: 50, curve }));
    expect(rows(f).map((r) => [r.method, r.perClass, r.score])).toEqual([
      ['linear', 5, 0.45],
      ['linear', 50, 0.5],
    ]);
  });
});

describe('what is gained over the simplest', () => {
  const gains = figure('gains');
  test('one row a task, its best method whole, the others as points; the numbers are the comparisons’', () => {
    const whole = rows(gains).filter((r) => r.whole === true);
    expect(whole.map((r) => r.task)).toEqual([...new Set(rows(gains).flatMap((r) => r.task ?? []))]);
    const { comparisons } = sample().answer;
    for (const { task, method, gain, from, to } of rows(gains).filter((r) => r.task)) {
      const own = sample().tasks.find((t) => t.task === task);
      const c = comparisons.find(
        (x) => x.task === task && x.method === method && x.reference === 'linear' && x.perClass === own?.perClass,
      );
      expect([gain, from, to]).toEqual([100 * (c?.difference ?? 0), ...(c?.corrected ?? []).map((v) => 100 * v)]);
    }
    expect(data(gains)).toContain('points against Linear');
  });
  test('of one task, every method has its row', () => {
    const [f] = of(task('a', { linear: 100, head2toe: 120, finetune: 130 }));
    expect(
      rows(f as typeof gains)
        .filter((r) => r.whole)
        .map((r) => r.row),
    ).toEqual(['Head2Toe', 'Fine-tune']);
  });
});

describe('confusions of many classes', () => {
  const classes = Array.from({ length: 20 }, (_, k) => `c${k}`);
  const testLabels = classes.flatMap((_, k) => [k, k]);
  const predicted = testLabels.map((k, i) => (k < 12 && i % 2 === 0 ? k + 1 : k));
  const many = {
    ...task('many', { linear: 100 }),
    target: { ...task('many', { linear: 100 }).target, classes },
    testLabels,
    predictions: [{ method: 'linear', seed: 0, predicted }],
    thumbnails: [{ image: 'data:image/webp;base64,AA', file: 'a.png', label: 'c3', predictions: { linear: 'c4' } }],
  };
  test('are the ten pairs that are most frequent, with an image where there is one', () => {
    const own = {
      ...sample(),
      tasks: [{ ...(sample().tasks[0] as RunRecord['tasks'][number]), ...many }],
    } as RunRecord;
    const f = figure('confusion-many', figuresOf(own).figures);
    const pairs = rows(f);
    expect(pairs).toHaveLength(10);
    expect(pairs.find((r) => r.pair === 'c3 → c4')).toMatchObject({
      count: 1,
      share: 0.5,
      image: many.thumbnails[0]?.image,
    });
  });
});

describe('drawn without a browser', () => {
  test.each([
    'gains',
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
