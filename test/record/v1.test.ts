import { describe, expect, test } from 'vitest';
import { type DoneCell, done, parseRecord, type TaskRecord } from '../../src/record/index.js';
import { catalogue as cards } from '../../src/study/index.js';
import { sampleV1 } from '../report/sample.js';

/** As much of version 1 as this test reads. */
interface V1 {
  title: string;
  run: object;
  seconds: number;
  units: { total: number; done: number; failed: number };
  tasks: V1Task[];
}
interface V1Task {
  task: string;
  classes: string[];
  examples: object;
  domainAffinity: number;
  methods: ({ method: string; status: string; error?: string } & Record<string, unknown>)[];
  predictions: { labels: number[]; methods: object[] };
  taps: {
    alias: string;
    depth: number;
    features: number;
    kept: number;
    share: number;
    accuracyAlone: number;
    accuracyWithLast: number;
  }[];
  path: object[];
  chosenRatio: number;
  gapTolerance: number;
  keepFraction: { fraction: number; features: number; accuracy: number; interval: [number, number] }[];
  chosenFraction: number;
  rankWindows: { offset: number; size: number; accuracy: number; interval: [number, number] }[];
  stability: object;
  learningCurve?: { method: string; perClass: number; accuracy: number; interval: [number, number] }[];
  thumbnails: object[];
}

const old = sampleV1 as V1;
const now = parseRecord(sampleV1, 'study.json', cards);
const pairs = old.tasks.map((task, i): [string, V1Task, TaskRecord] => [task.task, task, now.tasks[i] as TaskRecord]);

describe('version 1 loses nothing that is shown', () => {
  test('the run', () => {
    expect(now).toMatchObject({ title: old.title, run: old.run, seconds: old.seconds, sample: true });
    expect(now.units).toEqual({ total: old.units.total, done: old.units.done, failed: old.units.failed });
    const ids = new Set(old.tasks.flatMap((t) => [...t.methods, ...(t.learningCurve ?? [])].map((m) => m.method)));
    expect(now.methods).toEqual(cards.filter((card) => ids.has(card.id)));
  });
  test.each(pairs)('%s: the data, predictions and images', (_, a, b) => {
    expect(b).toMatchObject({ task: a.task, examples: a.examples });
    expect(b.target).toEqual({ kind: 'class', classes: a.classes, metric: 'accuracy' });
    expect(b.testLabels).toEqual(a.predictions.labels);
    expect(b.predictions).toEqual(a.predictions.methods);
    expect(b.thumbnails).toEqual(a.thumbnails);
  });
  test.each(pairs)('%s: every cell', (_, a, b) => {
    expect(b.cells.map((c) => c.method)).toEqual(a.methods.map((m) => m.method));
    for (const [i, cell] of b.cells.entries()) {
      const { accuracy, ...rest } = a.methods[i] as Record<string, unknown>;
      if (cell.status !== 'done') expect(cell).toEqual(a.methods[i]);
      else {
        const { score, path: _path, selection: _selection, converged, notes, triedRates: _rates, ...same } = cell;
        expect({ ...same, accuracy: score }).toEqual({ ...rest, accuracy });
        expect({ converged, notes }).toEqual({ converged: true, notes: [] });
      }
    }
  });
  test('learning rates that a trained method had to choose from, as the config or its defaults had them', () => {
    const rates = (config: object) => {
      const { run, ...rest } = sampleV1 as { run: object };
      const old = { ...rest, run: { ...run, config } };
      const [t] = parseRecord(old, 'study.json', cards).tasks;
      return ['linear', 'finetune', 'scratch'].map((id) => {
        const cell = t?.cells.find((c) => c.method === id);
        return cell?.status === 'done' ? cell.triedRates : cell;
      });
    };
    expect(rates({ lite: true })).toEqual([undefined, 1, 1]);
    expect(rates({ lite: false })).toEqual([undefined, 3, 2]);
    expect(rates({ lite: false, train: { learningRates: [0.01] } })).toEqual([undefined, 1, 2]);
  });
  test.each(pairs)('%s: the path, and the selection, in the cell of Head2Toe', (_, a, b) => {
    const cell = done(b, 'head2toe') as DoneCell;
    expect(cell.path).toEqual({ points: a.path, chosenRatio: a.chosenRatio, tolerance: a.gapTolerance });
    const { shares, keepFractions, rankWindows, stability } = cell.selection ?? {};
    expect(shares).toEqual(a.taps.map(({ alias, kept, share }) => ({ tap: alias, kept, share })));
    expect(keepFractions).toEqual({
      split: 'validation',
      points: a.keepFraction.map(({ accuracy, ...rest }) => ({ ...rest, score: accuracy })),
      chosen: a.chosenFraction,
    });
    expect(rankWindows).toEqual(
      a.rankWindows.map(({ offset, size, accuracy, interval }) => ({
        first: offset,
        count: size,
        score: accuracy,
        interval,
        converged: true,
      })),
    );
    expect(stability).toEqual(a.stability);
  });
  test.each(pairs)('%s: the probes on single layers', (_, a, b) => {
    expect(b.taps?.map(({ alias, depth, features }) => ({ alias, depth, features }))).toEqual(
      a.taps.map(({ alias, depth, features }) => ({ alias, depth, features })),
    );
    expect(b.taps?.map((t) => t.alone?.score)).toEqual(a.taps.map((t) => t.accuracyAlone));
    expect(b.taps?.map((t) => t.withLast?.score)).toEqual(a.taps.map((t) => t.accuracyWithLast));
  });
  test.each(pairs)('%s: the learning curve', (_, a, b) => {
    const points = b.curve?.flatMap(({ perClass, cells }) =>
      cells.flatMap((c) =>
        c.status === 'done' ? [{ method: c.method, perClass, accuracy: c.score, interval: c.interval }] : [],
      ),
    );
    const order = (all: { method: string; perClass: number }[] | undefined) =>
      all?.toSorted((x, y) => x.perClass - y.perClass || x.method.localeCompare(y.method));
    expect(order(points)).toEqual(order(a.learningCurve));
  });
});

const minimal = {
  ...old,
  tasks: [
    {
      task: 'a',
      classes: ['x', 'y'],
      examples: { train: 10, test: 100 },
      methods: [{ status: 'done', method: 'linear', accuracy: 0.8, interval: [0.7, 0.87], seconds: 1 }],
    },
  ],
};
const taskOf = (more: object): TaskRecord =>
  parseRecord({ ...minimal, tasks: [{ ...minimal.tasks[0], ...more }] }, 'study.json', cards).tasks[0] as TaskRecord;

describe('version 1 says what it knows, and no more', () => {
  test('the largest size of a curve is the task’s own where the cells repeat it', () => {
    const point = (perClass: number, accuracy: number) => ({ method: 'linear', perClass, accuracy });
    expect(taskOf({ learningCurve: [point(5, 0.6), point(50, 0.8)] })).toMatchObject({
      perClass: 50,
      curve: [{ perClass: 5, cells: [{ method: 'linear', score: 0.6 }] }],
    });
    const own = taskOf({ learningCurve: [point(5, 0.6), point(50, 0.79)] });
    expect(own.perClass).toBeUndefined();
    expect(own.curve?.map((p) => p.perClass)).toEqual([5, 50]);
  });
  test('a layer that scores as guessing does is marked as one whose solver stopped short', () => {
    const tap = (accuracyAlone: number) => ({ alias: 't', depth: 0.5, features: 4, accuracyAlone });
    const converged = (accuracy: number, more: object = {}) =>
      taskOf({ taps: [tap(accuracy)], ...more }).taps?.[0]?.alone?.converged;
    expect(converged(0.5)).toBe(false);
    expect(converged(0.7)).toBe(true);
    // With 80 of 100 test examples in one class, guessing gets 80 % right.
    const labels = Array.from({ length: 100 }, (_, i) => (i < 80 ? 0 : 1));
    expect(converged(0.8, { predictions: { labels, methods: [] } })).toBe(false);
    expect(converged(0.95, { predictions: { labels, methods: [] } })).toBe(true);
  });
  test('where predictions were not kept, comparisons are independent', () => {
    const second = { status: 'done', method: 'head2toe', accuracy: 0.9, interval: [0.8, 0.95], seconds: 1 };
    const record = parseRecord(
      { ...minimal, tasks: [{ ...minimal.tasks[0], methods: [...(minimal.tasks[0]?.methods ?? []), second] }] },
      's',
      cards,
    );
    expect(record.answer.comparisons).toMatchObject([{ basis: 'independent' }]);
  });
  test('methods without a card are shown under their ids, and never advised', () => {
    const { methods, answer } = parseRecord(minimal, 'study.json');
    expect(methods).toMatchObject([{ id: 'linear', label: 'linear', role: 'baseline' }]);
    expect(answer.tasks[0]?.method).toBeUndefined();
  });
  test('a wrong field is named', () => {
    expect(() => taskOf({ classes: ['one'] })).toThrow('study.json: tasks.0.classes');
  });
});

describe('two advisers, one answer', () => {
  // Version 0.1 said of the demo's textures "select from all layers" in one table and "all-l2" in another.
  const n = 300;
  const predicted = (right: number, from = 0) =>
    Array.from({ length: n }, (_, i) => ((i - from + n) % n < right ? 0 : 1));
  const cell = (method: string, right: number) => ({
    status: 'done',
    method,
    accuracy: right / n,
    interval: [right / n - 0.04, right / n + 0.04],
    seconds: 1,
  });
  const contradicting = (task: string, right: Record<string, number>, sentence: string) => ({
    task,
    classes: ['x', 'y'],
    examples: { train: 200, test: n },
    methods: Object.entries(right).map(([method, k]) => cell(method, k)),
    predictions: {
      labels: new Array<number>(n).fill(0),
      methods: Object.entries(right).map(([method, k]) => ({ method, seed: 0, predicted: predicted(k) })),
    },
    recommendations: [{ method: 'all-l2', best: 'head2toe', certain: false, sentence }],
  });
  const told = [
    'The data cannot tell head2toe from all-l2 (0.7 points [−0.3, 1.7] ahead of all-l2), so take the simplest: all-l2.',
    'The data cannot tell fine-tuning from control, so take the simplest: control.',
  ];
  const record = parseRecord(
    {
      ...old,
      tasks: [
        contradicting('textures', { linear: 220, 'all-l2': 239, head2toe: 241, finetune: 200 }, told[0] as string),
        contradicting(
          'position',
          { linear: 150, control: 262, 'all-l2': 210, head2toe: 225, finetune: 265 },
          told[1] as string,
        ),
      ],
    },
    'study.json',
    cards,
  );
  test('one sentence a task, from the predictions; the stored ones are left behind', () => {
    expect(record.answer.tasks.map((t) => [t.task, t.advice, t.sentence])).toEqual([
      [
        'textures',
        'probe all layers (All-ℓ2)',
        expect.stringMatching(
          /^Undecided between an ℓ2 probe on all layers and a selection of features from all layers: a selection of features from all layers may be up to 3\.\d points better than an ℓ2 probe on all layers, the simplest of them \(\+0\.7 points \[−1\.\d, \+3\.\d\]\); about \d,\d00 more test images would decide\.$/,
        ),
      ],
      [
        'position',
        'fine-tune',
        expect.stringMatching(
          /^Fine-tuning is better than every other: than a selection of features from all layers, the nearest, by at least 5\.\d points \(\+13\.3 points \[\+5\.\d, \+22\.\d\]\)\.$/,
        ),
      ],
    ]);
    const text = JSON.stringify(record);
    for (const sentence of told) expect(text).not.toContain(sentence);
  });
});
