/** Records for tests: the sample, and small ones made to order. */
import { readFileSync } from 'node:fs';
import {
  type Measured,
  type MethodCard,
  parseRecord,
  plainCard,
  type RunRecord,
  recordOf,
} from '../../src/record/index.js';
import { catalogue as cards } from '../../src/study/index.js';

export type Task = Measured['tasks'][number];
export type Cell = Task['cells'][number];
export type Done = Extract<Cell, { status: 'done' }>;

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../fixtures/report/${name}`, import.meta.url), 'utf8'));

export const sample = (): RunRecord => parseRecord(fixture('record.json'), 'record.json');

/** The same sample as version 0.1 wrote it. */
export const sampleV1 = fixture('study.json');

/** A run of these tasks with the cards of their methods. */
export function measured(...tasks: Task[]): Measured {
  const ids = new Set(tasks.flatMap((t) => [t, ...(t.curve ?? [])].flatMap((p) => p.cells.map((c) => c.method))));
  const known = cards.filter((card) => ids.has(card.id));
  const unknown: MethodCard[] = [...ids].filter((id) => !cards.some((c) => c.id === id)).map(plainCard);
  return {
    format: 'toehold-record',
    version: 2,
    title: 'A test',
    protocol: 'head2toe',
    backbone: 'net',
    run: {
      command: 'toehold run test.yaml',
      config: {},
      versions: {},
      engine: 'onnxruntime',
      device: 'cpu',
      fingerprints: [],
      seeds: [0],
      labelBudget: '10 labels.',
    },
    seconds: 1,
    methods: [...known, ...unknown],
    tasks,
  };
}

export const record = (...tasks: Task[]): RunRecord => recordOf(measured(...tasks));

const testExamples = 200;

/** A finished cell that gets `right` of 200 test examples right. */
export function done(method: string, right: number, more: Partial<Done> = {}): Done {
  const share = (n: number) => n / testExamples;
  return {
    status: 'done',
    method,
    score: share(right),
    interval: [share(right - 10), share(right + 10)],
    seconds: 1,
    ...more,
  };
}

/** Predictions of 200 examples of class 0 of which the first `right` are right. */
export const row = (method: string, right: number, seed = 0) => ({
  method,
  seed,
  predicted: Array.from({ length: testExamples }, (_, i) => (i < right ? 0 : 1)),
});

/** Cells and predictions of a task of 200 test examples on which each method gets the first `right` right; undefined: failed. */
export function cells(right: Record<string, number | undefined>): Pick<Task, 'cells' | 'predictions'> {
  const all = Object.entries(right);
  return {
    cells: all.map(([method, k]) =>
      k === undefined ? { status: 'failed', method, error: 'out of memory' } : done(method, k),
    ),
    predictions: all.flatMap(([method, k]) => (k === undefined ? [] : [row(method, k)])),
  };
}

export function task(name: string, right: Record<string, number | undefined>, more: Partial<Task> = {}): Task {
  return {
    task: name,
    target: { kind: 'class', classes: ['a', 'b'] },
    examples: { train: 100, test: testExamples },
    testLabels: new Array<number>(testExamples).fill(0),
    ...cells(right),
    ...more,
  };
}

/** The task without the predictions behind its scores. */
export function withoutPredictions({ predictions: _, testLabels: __, ...rest }: Task): Task {
  return rest;
}

/** The task with other properties of one method's cell. */
export function withCell(of: Task, method: string, more: Partial<Done>): Task {
  return { ...of, cells: of.cells.map((c) => (c.method === method && c.status === 'done' ? { ...c, ...more } : c)) };
}

/** Three of the sample's tasks: with learning curves, with a suspect cell, and with a failure. */
export const shown: RunRecord = {
  ...sample(),
  tasks: sample().tasks.filter((t) => ['signs', 'gestures', 'counting'].includes(t.task)),
};
