/** Studies of real values and of several labels, from pictures to the page: what is scored, kept, drawn, exported and refused. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeModel } from '../../src/graph/index.js';
import { done, mainAnswer, parseRecord, type TaskRecord } from '../../src/record/index.js';
import { comparisonOf, writeReportOf } from '../../src/report/index.js';
import { demoNetwork } from '../../src/study/demo/backbone.js';
import { extraction, parseConfig, prepareStudy, resultOf, runStudy, type StudyRun } from '../../src/study/index.js';
import { toehold } from '../support/cli.js';
import { testEngine } from '../support/run.js';
import { temporaryFolder } from '../support/tiny.js';
import { valuedConfig, writeValuedData } from './support/valued.js';

const folder = temporaryFolder('toehold study of values ');
const methods = ['linear', 'all-ridge', 'tap-ridge'];
let study: StudyRun;

const prepare = async (text = valuedConfig) =>
  prepareStudy(parseConfig(text, join(folder, 'study.yaml')), await testEngine());
async function run(output = 'run'): Promise<StudyRun> {
  return runStudy(await prepare(), { folder: join(folder, output), command: 'a test' });
}
const taskOf = ({ record }: Pick<StudyRun, 'record'>, name: string) =>
  record.tasks.find(({ task }) => task === name) as TaskRecord;
/** What the study says of test examples: [method, output, truth, predicted] of each. */
async function rowsOf(
  task: string,
  output = 'run',
): Promise<{ method: string; output: string; truth: number; said: number }[]> {
  const [header, ...lines] = (await readFile(join(folder, output, 'predicted-values.csv'), 'utf8')).trim().split('\n');
  expect(header).toBe('task,method,seed,file,output,truth,predicted');
  return lines
    .map((line) => line.split(','))
    .filter(([name]) => name === task)
    .map(([, method = '', , , output = '', truth, said]) => ({
      method,
      output,
      truth: Number(truth),
      said: Number(said),
    }));
}
const withoutTimes = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (key, v) => (['seconds', 'startedAt', 'finishedAt'].includes(key) ? 0 : v)));

beforeAll(async () => {
  await writeValuedData(folder);
  await writeFile(join(folder, 'study.yaml'), valuedConfig);
  study = await run();
}, 120_000);

describe('the record', () => {
  test('is one that can be read back, and counts every example', () => {
    expect(parseRecord(JSON.parse(JSON.stringify(study.record)), 'test')).toEqual(study.record);
    expect(study.record.tasks.map(({ examples }) => examples)).toEqual([
      { train: 54, folds: 3, test: 36 },
      { train: 54, folds: 3, test: 36 },
    ]);
    const [stored] = [...study.outcome.records.values()].filter((r) => r.kind === extraction.name);
    expect(stored && resultOf(extraction, stored).images).toBe(90);
  });

  test('has R² of values, that of the predictions beside it', async () => {
    const task = taskOf(study, 'amounts');
    expect(task.target).toEqual({ kind: 'regression', outputs: ['value 1', 'value 2'], metric: 'R²' });
    const rows = await rowsOf('amounts');
    for (const id of methods) {
      const cell = done(task, id);
      const of = (output: string) => {
        const own = rows.filter((row) => row.method === id && row.output === output);
        expect(own).toHaveLength(36);
        const mean = own.reduce((sum, { truth }) => sum + truth / 36, 0);
        const sum = (f: (row: (typeof own)[number]) => number) => own.reduce((total, row) => total + f(row), 0);
        return {
          r2: 1 - sum(({ truth, said }) => (truth - said) ** 2) / sum(({ truth }) => (truth - mean) ** 2),
          mae: sum(({ truth, said }) => Math.abs(truth - said)) / 36,
        };
      };
      const each = ['value 1', 'value 2'].map(of);
      expect(cell?.score).toBeCloseTo(((each[0]?.r2 as number) + (each[1]?.r2 as number)) / 2, 9);
      expect(cell?.score).toBeGreaterThan(0.7);
      expect(cell?.values?.outputs.map(({ mae }) => mae)).toEqual(each.map(({ mae }) => expect.closeTo(mae, 9)));
      expect(cell?.interval?.[0]).toBeLessThan(cell?.score as number);
      expect(cell?.interval?.[1]).toBeLessThanOrEqual(1);
      const [own] = task.predictions?.filter((row) => row.method === id) ?? [];
      expect((own?.contributions ?? []).reduce((a, b) => a + b / 36, 0)).toBeCloseTo(cell?.score as number, 9);
    }
  });

  test('has mean average precision of labels, and decisions at one half', async () => {
    const task = taskOf(study, 'names');
    expect(task.target).toMatchObject({ kind: 'multilabel', outputs: ['green', 'red'] });
    const rows = await rowsOf('names');
    for (const id of methods) {
      const cell = done(task, id);
      const own = rows.filter((row) => row.method === id);
      const right = own.filter(({ truth, said }) => truth === 1 && said >= 0.5).length;
      const told = own.filter(({ said }) => said >= 0.5).length;
      const all = own.filter(({ truth }) => truth === 1).length;
      expect(cell?.labels?.microF1).toBeCloseTo((2 * right) / (told + all), 9);
      expect(cell?.labels?.outputs.reduce((sum, { positive }) => sum + positive, 0)).toBe(all);
      expect(cell?.score).toBeGreaterThan(0.8);
      expect(cell?.interval?.[1]).toBeLessThanOrEqual(1);
    }
  });

  test('compares methods by their figure on the same examples', () => {
    const compared = study.record.answer.comparisons.find(
      (c) => c.task === 'amounts' && c.method === 'all-ridge' && c.reference === 'linear',
    );
    const [a, b] = ['all-ridge', 'linear'].map((id) => done(taskOf(study, 'amounts'), id)?.score as number);
    expect(compared).toMatchObject({ basis: 'paired', difference: expect.closeTo((a as number) - (b as number), 9) });
    const told = mainAnswer(study.record.answer, taskOf(study, 'amounts'))?.sentence;
    expect(told).toMatch(/points of R²/);
  });
});

test('the page and tables speak of R² and mean average precision, not of accuracy', async () => {
  await writeReportOf(study.record, join(folder, 'report'));
  const text = (await readFile(join(folder, 'report', 'report.html'), 'utf8'))
    .replace(/<(script|style)[\s\S]*?<\/\1>/g, '')
    .replace(/<[^>]+>/g, '\n');
  expect(text).toContain('Scores of real values are R²');
  expect(text).toContain('mean average precision over the labels');
  expect(text).not.toMatch(/accura|classes/i);
  const table = await readFile(join(folder, 'report', 'tables', 'outputs.csv'), 'utf8');
  expect(table.split('\n').filter((line) => line.startsWith('names,red,'))).toHaveLength(3);
});

test('another study of the same examples is compared with it example by example', async () => {
  await writeFile(join(folder, 'other.onnx'), writeModel(demoNetwork(12, 2)));
  const other = valuedConfig.replace('model.onnx', 'other.onnx').replace(', tap-ridge', '');
  const { record } = await runStudy(await prepare(other), { folder: join(folder, 'other'), command: 'a test' });
  const runs = [study.record, record].map((own, i) => ({ name: `run ${i}`, record: own }));
  const { pairs, notes } = await comparisonOf(runs);
  expect(notes).toEqual([]);
  expect(pairs.map(({ task, what }) => [task, what])).toEqual(
    ['amounts', 'names'].flatMap((task) => ['last layer', 'highest'].map((what) => [task, what])),
  );
  for (const { task, first, what, comparison } of pairs.filter((pair) => pair.what === 'last layer')) {
    const [a, b] = runs.map((own) => done(taskOf(own, task), 'linear')?.score as number) as [number, number];
    const sign = first === 'run 0' ? 1 : -1;
    expect([what, comparison.basis]).toEqual(['last layer', 'paired']);
    expect(comparison.difference).toBeCloseTo(sign * (a - b), 9);
    expect(comparison.corrected?.[0]).toBeLessThan(comparison.difference);
    expect(comparison.corrected?.[1]).toBeGreaterThan(comparison.difference);
  }
});

test('probes have no setting in their units that they do not read', async () => {
  const ids = async (budget: string) =>
    (await prepare(valuedConfig.replace('{folds: 3}', budget))).plan.units.map(({ id }) => id);
  const own = await ids('{folds: 3}');
  expect(await ids('{folds: 3, tolerance: 0.01, lambdas: 7}')).toEqual(own);
  expect(await ids('{folds: 4}')).not.toEqual(own);
});

describe('run again', () => {
  test('in the same folder computes nothing, and says the same', async () => {
    const again = await run();
    expect(again.outcome.units).toMatchObject({ total: 14, cached: 14 });
    expect(withoutTimes(again.record)).toEqual(withoutTimes(study.record));
  });

  test('after it lost some units makes the same record of them', async () => {
    const probes = [...study.outcome.records.values()].filter(({ kind }) => kind === 'probe');
    for (const { id } of probes.slice(1, 4)) await rm(join(folder, 'run', 'units', id), { recursive: true });
    const again = await run();
    expect(again.outcome.units.total - again.outcome.units.cached).toBeGreaterThan(2);
    expect(withoutTimes(again.record)).toEqual(withoutTimes(study.record));
  });

  test('with every test label changed makes scores anew and nothing else', async () => {
    const change = async (table: string, of: (label: string) => string) => {
      const path = join(folder, 'pictures', table);
      const lines = (await readFile(path, 'utf8')).split('\n').map((line) => {
        const [file, label = '', split] = line.split(',');
        return split === 'test' ? [file, of(label), split].join(',') : line;
      });
      await writeFile(path, lines.join('\n'));
    };
    const original = await Promise.all(
      ['amounts.csv', 'names.csv'].map((name) => readFile(join(folder, 'pictures', name), 'utf8')),
    );
    await change('amounts.csv', (label) => label.split('|').reverse().join('|'));
    await change('names.csv', (label) => ['red', 'green', 'blue'].filter((c) => !label.includes(c)).join('|'));
    try {
      const again = await run();
      const fresh = again.outcome.units.total - again.outcome.units.cached;
      expect(fresh).toBe([...again.outcome.records.values()].filter(({ kind }) => kind === 'score').length);
      // A label that no training example has is said to be left out, and is no output.
      const names = taskOf(again, 'names');
      expect(names.target).toMatchObject({ outputs: ['green', 'red'] });
      expect(names.warnings).toContain('blue: on test examples alone, and so not scored');
      for (const name of ['amounts', 'names']) expect(done(taskOf(again, name), 'all-ridge')?.score).toBeLessThan(0.5);
      // Beside the run before: the same images, and no pairs.
      const runs = [study, again].map(({ record }, i) => ({ name: `run ${i}`, record }));
      expect(await comparisonOf(runs)).toMatchObject({
        pairs: [],
        notes: [
          expect.stringMatching(/^On amounts and names run 0 and run 1 were tested on the same images, but with/),
        ],
      });
    } finally {
      for (const [i, name] of ['amounts.csv', 'names.csv'].entries())
        await writeFile(join(folder, 'pictures', name), original[i] as string);
    }
  });
});

test('a probe of it is exported, and predicts what the study said', async () => {
  await run();
  const head = join(folder, 'head.onnx');
  const made = await toehold('export', join(folder, 'run'), '--task', 'amounts', '-m', 'all-ridge', '-o', head);
  expect(made.code, made.stderr).toBe(0);
  const said = await toehold('predict', head, join(folder, 'pictures', 'test3.png'), '--json');
  expect(said.code, said.stderr).toBe(0);
  const [first] = JSON.parse(said.stdout).predictions;
  const rows = (await rowsOf('amounts')).filter(({ method }) => method === 'all-ridge').slice(6, 8);
  expect(first.values).toEqual(
    rows.map(({ output, said: value }) => ({ name: output, value: expect.closeTo(value, 3) })),
  );
});

describe('what is refused says what to do', () => {
  test.each<[string, string, string, RegExp]>([
    [
      'another protocol',
      'protocol: head2toe',
      'protocol: kornblith',
      /study\.yaml:\d+: .*'kornblith' is for classes; 'head2toe' and 'compare' take target regression/,
    ],
    [
      'a metric of classes',
      'target: regression',
      'target: regression, metric: accuracy',
      /is for classes, not for target regression/,
    ],
    [
      'methods of classes alone',
      'methods: [linear, all-ridge, tap-ridge]',
      'methods: [knn]',
      /task 'amounts': none of the methods learns target regression; among those that do are linear, all-ridge, tap-ridge, all-l2, all-l21, head2toe, finetune, scratch/,
    ],
    [
      'names where numbers belong',
      'data: pictures/amounts.csv',
      'data: pictures/names.csv',
      /task 'amounts': the label '.*' is not a number/,
    ],
  ])('%s', async (_, from, to, message) => {
    await expect(prepare(valuedConfig.replace(from, to))).rejects.toThrow(message);
  });

  test('methods of classes among others are left out, with a remark', async () => {
    const { remarks, plan } = await prepare(valuedConfig.replace(/methods: .*/, 'methods: [linear, oracle]'));
    expect(remarks.join(' ')).toContain('On amounts, of target regression: without oracle, which learn classes only.');
    expect(plan.units.filter(({ kind }) => kind.name === 'probe')).toHaveLength(2);
  });
});

describe('networks that are trained on them', () => {
  const config = valuedConfig
    .replace(/methods: .*/, 'methods: [linear, finetune]')
    .concat('train: {epochs: 6, batch: 18, learningRates: [0.01, 0.03]}\n');
  let trained: StudyRun;
  beforeAll(async () => {
    trained = await runStudy(await prepare(config), { folder: join(folder, 'trained'), command: 'a test' });
  }, 120_000);

  test('are compared with the probes by the same figure', () => {
    expect(trained.outcome.units.failed).toBe(0);
    for (const name of ['amounts', 'names']) {
      const cell = done(taskOf(trained, name), 'finetune');
      expect(cell?.score).toBeGreaterThan(0.2);
      // Six epochs, then, by the better rate, as many again.
      expect(cell?.rates?.map((rate) => rate.learningRate).slice(0, 2)).toEqual([0.01, 0.03]);
      expect([0.01, 0.03]).toContain(cell?.settings?.learningRate);
      expect(
        trained.record.answer.comparisons.filter(
          (c) => c.task === name && [c.method, c.reference].includes('finetune'),
        ),
      ).toHaveLength(cell?.failedToTrain ? 0 : 1);
    }
    expect(done(taskOf(trained, 'amounts'), 'finetune')?.values?.outputs).toHaveLength(2);
  });

  test('judge rates on training examples alone, and have no test label in their units', async () => {
    const units = [...trained.outcome.records.values()];
    for (const { result, kind } of units.filter((unit) => ['trial', 'train'].includes(unit.kind))) {
      expect(JSON.stringify(result)).not.toMatch(/"(contributions|mae|labels)"/);
      if (kind === 'trial')
        expect(result).toMatchObject({ learned: expect.any(Boolean), validation: expect.any(Number) });
    }
  });

  test('are exported, and predict what the study said', async () => {
    const head = join(folder, 'trained.onnx');
    const made = await toehold('export', join(folder, 'trained'), '--task', 'amounts', '-m', 'finetune', '-o', head);
    expect(made.code, made.stderr).toBe(0);
    const { stdout } = await toehold('predict', head, join(folder, 'pictures', 'test3.png'), '--json');
    const rows = (await rowsOf('amounts', 'trained')).filter(({ method }) => method === 'finetune').slice(6, 8);
    expect(JSON.parse(stdout).predictions[0].values).toEqual(
      rows.map(({ output, said }) => ({ name: output, value: expect.closeTo(said, 3) })),
    );
  });

  test('by default are those of the protocol, beside every probe of values', async () => {
    const { plan } = await prepare(valuedConfig.replace(/methods: .*\n/, '').replace('head2toe', 'compare'));
    const labels = plan.units.filter(({ label }) => label.startsWith('amounts: score of ')).map(({ label }) => label);
    const named = labels.map((label) => label.replace(/^amounts: score of ([\w-]+).*/, '$1'));
    expect(named.slice(0, 5)).toEqual(['linear', 'all-l2', 'head2toe', 'all-ridge', 'tap-ridge']);
    expect(named).toContain('copy-half-trained');
    expect([...new Set(named)].slice(-2)).toEqual(['finetune', 'scratch']);
  });
});
