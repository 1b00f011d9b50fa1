/** Studies for the report's tests: the sample, and small ones made to order. */
import { readFileSync } from 'node:fs';
import { parseStudy, type StudyInput, type StudyRecord } from '../../src/report/index.js';

type TaskInput = StudyInput['tasks'][number];

export const sample = (): StudyRecord =>
  parseStudy(JSON.parse(readFileSync(new URL('../fixtures/report/study.json', import.meta.url), 'utf8')), 'study.json');

export const study = (...tasks: TaskInput[]): StudyRecord =>
  parseStudy(
    {
      format: 'toehold-study',
      version: 1,
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
      units: { total: 1, done: 1, failed: 0, cached: 0 },
      seconds: 1,
      tasks,
    } satisfies StudyInput,
    'test',
  );

/** A task of 200 test examples on which each method gets the first `right` right; undefined = failed. */
export function task(name: string, right: Record<string, number | undefined>, keepPredictions = true): TaskInput {
  const n = 200;
  const finished = Object.entries(right).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return {
    task: name,
    classes: ['a', 'b'],
    examples: { train: 100, test: n },
    methods: Object.entries(right).map(([method, k]) =>
      k === undefined
        ? { status: 'failed', method, error: 'out of memory' }
        : { status: 'done', method, accuracy: k / n, interval: [k / n - 0.05, k / n + 0.05], seconds: 1 },
    ),
    ...(keepPredictions
      ? {
          predictions: {
            labels: new Array<number>(n).fill(0),
            methods: finished.map(([method, k]) => ({
              method,
              seed: 0,
              predicted: Array.from({ length: n }, (_, i) => (i < k ? 0 : 1)),
            })),
          },
        }
      : {}),
  };
}
