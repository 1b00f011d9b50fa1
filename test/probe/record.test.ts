/** What a run of probes says of itself: in its record, its table, its answer, and by the fault that ends the command. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type ProbeMethod,
  type ProbeRun,
  probeJson,
  probeRecord,
  probeTable,
  type RunOptions,
  runProbes,
  selectMethods,
} from '../../src/probe/index.js';
import {
  type ClassTargets,
  type DoneCell,
  done,
  faultOf,
  parseRecord,
  type RunRecord,
} from '../../src/record/index.js';
import { testEngine } from '../support/run.js';
import { broken, middle } from './support/made-up.js';
import { makeTask, options, targets } from './support/synthetic.js';

const [linear, allL2, ridge] = selectMethods('linear,all-l2,ridge') as [ProbeMethod, ProbeMethod, ProbeMethod];
const told = { split: 'train 90, test 60', warnings: ['two images are equal'] };

async function recordOf(
  methods: readonly ProbeMethod[],
  more: RunOptions = {},
  truth: ClassTargets | undefined = targets,
) {
  const run = await runProbes(await testEngine(), makeTask(), methods, { ...options, ...more });
  return { run, record: probeRecord(await testEngine(), run, { ...told, targets: truth }, 'a test') };
}
const cellOf = ({ tasks: [task] }: RunRecord, method: string) => (task && done(task, method)) as DoneCell;
/** Lines of the table that speak of a method. */
const linesOf = (record: RunRecord, start: string) =>
  probeTable(record)
    .split('\n')
    .filter((l) => l.startsWith(start));

describe('a run without faults', () => {
  let run: ProbeRun;
  let record: RunRecord;
  beforeAll(async () => {
    ({ run, record } = await recordOf([linear, allL2], { perTap: 'withLast', tapFeatures: 8 }));
  });

  test('is a record of one task, whole when read back', () => {
    expect(parseRecord(JSON.parse(JSON.stringify(record)), 'test')).toEqual(record);
    const [task] = record.tasks;
    expect(record).toMatchObject({ protocol: 'probe', backbone: 'net', methods: [linear.card, allL2.card] });
    expect(task).toMatchObject({
      task: 'synthetic',
      split: 'train 90, test 60',
      examples: { train: 90, test: 60, folds: 3, groups: 45 },
      warnings: ['two images are equal'],
      tapBudget: 8,
      testLabels: Array.from(targets.labels),
    });
    expect(task?.predictions?.map((p) => p.method)).toEqual(['linear', 'all-l2']);
    expect(record.answer.comparisons).toHaveLength(1);
    expect(faultOf(record)).toBeUndefined();
  });

  test('prints its answer, warnings and taps', () => {
    const text = probeTable(record);
    expect(text).toContain(record.answer.headline);
    expect(text).toContain('warning: two images are equal');
    expect(text).toContain(
      '90 training, 60 test examples, 3 classes, 60 features of 3 taps; tuned by 3 folds that keep groups together',
    );
    expect(text).toContain(
      'taps: accuracy alone, and with the last layer; each at its own l2 penalty, at most 8 features each',
    );
    expect(text).not.toMatch(/NOT CONVERGED|WRONG/);
  });

  test('has the keys of the contract as JSON', () => {
    const json = JSON.parse(JSON.stringify(probeJson(record)));
    const { fit } = run.results[0] as ProbeRun['results'][number];
    expect(json.methods[0]).toMatchObject({
      method: 'linear',
      test: { accuracy: cellOf(record, 'linear').score, interval: cellOf(record, 'linear').interval },
      validation: { accuracy: fit.estimate?.accuracy, best: fit.validation?.accuracy },
      path: [],
      selected: 10,
      converged: true,
      seconds: expect.any(Number),
    });
    expect(json.answer).toEqual(JSON.parse(JSON.stringify(record.answer)));
  });
});

describe('a solver that did not converge', () => {
  test('is said in record, table and answer, and is a fault', async () => {
    const { record } = await recordOf([linear, broken(allL2, 'not converged')]);
    expect([cellOf(record, 'linear').converged, cellOf(record, 'all-l2').converged]).toEqual([true, false]);
    expect(linesOf(record, 'all-l2')[0]).toMatch(/^all-l2 \(NOT CONVERGED\) +\d/);
    expect(linesOf(record, '  NOT CONVERGED')).toEqual([
      '  NOT CONVERGED: a solver stopped before its tolerance; its best iterate is shown',
    ]);
    expect(record.answer.missing).toEqual(['Not converged (shown and compared as they are): All-ℓ2 on synthetic.']);
    expect(probeTable(record)).toContain(record.answer.missing[0]);
    // Shown and compared.
    expect(record.answer.comparisons).toHaveLength(1);
    expect(faultOf(record)).toBe('not converged: all-l2; their best iterates are shown');
    expect(probeJson(record).methods[1]).toMatchObject({ converged: false });
  });

  test('shows at how many lambdas of a path, and the largest gap', async () => {
    // No gap is that small, except where rounding leaves none.
    const { record } = await recordOf(selectMethods('linear,all-l21'), { tolerance: 1e-300 });
    const { converged, path } = cellOf(record, 'all-l21');
    const open = path?.points.filter((p) => p.converged === false) ?? [];
    expect(converged).toBe(false);
    expect(open.length).toBeGreaterThan(0);
    const [line] = linesOf(record, '  NOT CONVERGED');
    expect(line).toContain(`at ${open.length} of ${path?.points.length} lambdas: largest relative duality gap`);
    expect(faultOf(record)).toMatch(/^not converged: all-l21;/);
  });

  test('is said of single taps and of windows of ranks', async () => {
    const { run } = await recordOf(selectMethods('linear,head2toe'), { perTap: 'withLast', rankWindows: true });
    const [tap, ...taps] = run.taps ?? [];
    const [first, second] = run.results;
    const [window, ...windows] = second?.windows ?? [];
    if (!tap || !first || !second || !window) throw new Error('the run lacks something');
    const open: ProbeRun = {
      ...run,
      taps: [{ ...tap, alone: { ...tap.alone, converged: false } }, ...taps],
      results: [first, { ...second, windows: [{ ...window, converged: false }, ...windows] }],
    };
    const record = probeRecord(await testEngine(), open, { ...told, targets }, 'a test');
    expect(linesOf(record, 's1.b0.act1')[0]).toMatch(/^s1\.b0\.act1 \(NOT CONVERGED\) +\d/);
    expect(linesOf(record, 's1.b1.act1')[0]).toMatch(/^s1\.b1\.act1 +\d/);
    expect(linesOf(record, '1 - 6')[0]).toMatch(/^1 - 6 \(NOT CONVERGED\) +\d/);
    expect(faultOf(record)).toMatch(/^not converged: head2toe, the probe of tap s1\.b0\.act1;/);
  });
});

describe('a figure that cannot be right', () => {
  test('is said in record, table and answer, takes no part in comparisons, and is a fault of ours', async () => {
    const { record } = await recordOf([linear, ridge, broken(allL2, 'wrong')]);
    const { suspect, score, validation } = cellOf(record, 'all-l2');
    expect(validation).toBeGreaterThan(1 / 3 + 0.2);
    expect(score).toBeLessThan(1 / 3);
    expect(suspect).toMatch(
      /no better than naming the most frequent class \(33\.3 %\), while validation says \d\d\.\d %/,
    );
    expect(cellOf(record, 'linear').suspect).toBeUndefined();
    expect(linesOf(record, 'all-l2')[0]).toMatch(/^all-l2 \(WRONG: see below\) +\d/);
    expect(linesOf(record, '  WRONG')).toEqual([`  WRONG: ${suspect}`]);
    expect(record.answer.missing).toEqual([
      `Wrong by our own fault (shown, not compared): All-ℓ2 on synthetic (${suspect}).`,
    ]);
    const compared = record.answer.comparisons.flatMap((c) => [c.method, c.reference]);
    expect(new Set(compared)).toEqual(new Set(['linear', 'ridge']));
    expect(record.answer.tasks[0]?.method).not.toBe('all-l2');
    expect(faultOf(record)).toBe(`all-l2: ${suspect}`);
  });

  test('may be that of a single tap', async () => {
    const { run } = await recordOf([linear], { perTap: 'alone' });
    const wrong = { ...targets, labels: Array.from(targets.labels, (c) => (c + 1) % 3) };
    const record = probeRecord(await testEngine(), { ...run, results: [] }, { ...told, targets: wrong }, 'a test');
    const middleTap = record.tasks[0]?.taps?.[1];
    expect(middleTap?.alone?.validation).toBeGreaterThan(0.6);
    expect(linesOf(record, 's1.b1.act1')[0]).toContain('(WRONG: see below)');
    expect(linesOf(record, 'WRONG')).toEqual([`WRONG: ${middleTap?.alone?.suspect}`]);
    expect(faultOf(record)).toContain(`the probe of tap s1.b1.act1: ${middleTap?.alone?.suspect}`);
  });
});

describe('without test labels', () => {
  test('there are validation figures, no score, no comparison and no fault', async () => {
    const run = await runProbes(await testEngine(), makeTask(), selectMethods('linear,oracle'), options);
    const record = probeRecord(await testEngine(), run, told, 'a test');
    const { validation, ...rest } = cellOf(record, 'linear');
    expect(validation).toBeGreaterThan(0.4);
    for (const key of ['score', 'interval', 'meanPerClass', 'logLoss', 'calibrationError', 'suspect']) {
      expect(rest).not.toHaveProperty(key);
      expect(cellOf(record, 'oracle')).not.toHaveProperty(key);
    }
    expect(cellOf(record, 'oracle').settings).not.toHaveProperty('tap');
    expect(record.tasks[0]).not.toHaveProperty('testLabels');
    expect(record.tasks[0]).not.toHaveProperty('predictions');
    expect(record.answer.comparisons).toEqual([]);
    expect(probeTable(record)).toMatch(/90 training, 60 test examples without labels, 3 classes/);
    expect(linesOf(record, 'method')[0]?.split(/\s{2,}/)).toEqual(['method', 'val %', 'features', 'network', 's']);
    // Beside the name: the share of right answers in validation, features, the network's share and seconds.
    expect(
      linesOf(record, 'linear')[0]
        ?.trim()
        .split(/\s{2,}/),
    ).toEqual(['linear', (100 * (validation as number)).toFixed(1), '10', '100 %', expect.stringMatching(/^\d+\.\d$/)]);
    expect(faultOf(record)).toBeUndefined();
  });
});

describe('a method that nobody ships', () => {
  test('runs, is scored, advised under its own names, drawn by its own card and tabled', async () => {
    const { run, record } = await recordOf([linear, middle]);
    expect(run.results.map((r) => r.method.card.id)).toEqual(['linear', 'middle-centroid']);
    expect(record.methods[1]).toEqual(middle.card);
    const cell = cellOf(record, 'middle-centroid');
    expect(cell.score).toBeGreaterThan(0.6);
    expect(cell).toMatchObject({ settings: { block: 1 }, notes: ['made up'] });
    expect(cell).not.toHaveProperty('validation');
    expect(record.answer.comparisons).toMatchObject([{ method: 'middle-centroid', reference: 'linear' }]);
    expect(record.answer.headline).toMatch(
      /^On synthetic, look into the middle layer\. The nearest class mean in the middle layer is better than a probe on the last layer by at least /,
    );
    expect(linesOf(record, 'middle-centroid')).toHaveLength(2);
    expect(probeTable(record)).toContain('nearest class centroid in the middle tap');
  });
});
