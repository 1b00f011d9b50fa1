/** What follows from the scores of several networks on several data sets. */
import { describe, expect, test } from 'vitest';
import {
  convergenceOf,
  gridOf,
  meanConvergence,
  networkPairs,
  regulariserRows,
  settingPairs,
  transferSettings,
} from '../../src/record/index.js';
import { adjustedMeans, logit, pearson } from '../../src/stats/index.js';
import { networkRecord, networkTasks } from '../report/networks-sample.js';

const record = networkRecord();
const scoreOf = (task: string, method: string) => {
  const cell = record.tasks.find((t) => t.task === task)?.cells.find((c) => c.method === method);
  return cell?.status === 'done' ? (cell.score ?? 0) : 0;
};

describe('a setting over networks', () => {
  const [logistic, finetune, scratch] = transferSettings(record);
  test('has means of logits with Morey’s errors, as stats computes them', () => {
    const rows = logistic?.networks.map((n) => n.scores.map((s) => s.logit)) ?? [];
    expect(rows[0]).toEqual(['birds', 'cars', 'food'].map((d) => logit(scoreOf(`${d} with alpha`, 'logistic'))));
    expect(logistic?.networks.map((n) => n.standardError)).toEqual(adjustedMeans(rows).map((m) => m.standardError));
    expect(logistic?.networks).toHaveLength(7);
    expect(scratch?.networks.map((n) => n.network.name)).toEqual(['alpha', 'beta']);
  });
  test('correlates with accuracy on the source, over the networks whose is known', () => {
    const [trend] = finetune?.trends ?? [];
    expect(trend?.source).toBe('ImageNet');
    expect(trend?.points).toHaveLength(6);
    const means = finetune?.networks.slice(0, 6).map((n) => n.mean) ?? [];
    const source = Array.from({ length: 6 }, (_, i) => logit(0.6 + 0.04 * i));
    expect(trend?.r).toBeCloseTo(pearson(source, means), 12);
    expect(trend?.interval?.[0]).toBeLessThan(trend?.r as number);
    // Two networks make a line, and no correlation.
    expect(scratch?.trends[0]).toMatchObject({ r: undefined, interval: undefined, line: [] });
  });
  test('leaves out by name what lacks a score, and what failed to train', () => {
    const tasks = networkTasks().map((task) =>
      task.task === 'food with beta'
        ? { ...task, cells: task.cells.map((c) => (c.method === 'finetune' ? { ...c, failedToTrain: true } : c)) }
        : task,
    );
    const own = transferSettings(networkRecord(tasks)).find((s) => s.method === 'finetune');
    expect(own?.incomplete).toEqual(['beta']);
    expect(own?.networks.map((n) => n.network.name)).not.toContain('beta');
  });
  test('networks of several sources are not correlated with each other', () => {
    const mixed = { ...record, networks: record.networks?.map((n, i) => ({ ...n, source: i < 3 ? 'A' : 'B' })) };
    const [own] = transferSettings(mixed);
    expect(own?.trends.map((t) => [t.source, t.points.length])).toEqual([
      ['A', 3],
      ['B', 3],
    ]);
  });
});

describe('settings in pairs', () => {
  const pairs = settingPairs(record);
  const pair = (method: string, reference: string, dataset?: string) =>
    pairs.find((p) => p.method === method && p.reference === reference && p.dataset === dataset);
  test('wins are of scores, proven ones of the record’s comparisons', () => {
    const own = pair('finetune', 'logistic');
    const wins = record.tasks.filter((t) => scoreOf(t.task, 'finetune') > scoreOf(t.task, 'logistic')).length;
    expect(own).toMatchObject({ networks: 7, cells: 21, wins, disproven: 0 });
    const better = record.answer.comparisons.filter(
      (c) => c.method === 'finetune' && c.reference === 'logistic' && c.verdict === 'better',
    ).length;
    expect(own?.proven).toBe(better);
  });
  test('Wilcoxon’s p is over networks: seven that all gain give 2 / 2^7', () => {
    expect(pair('finetune', 'logistic')?.p).toBeCloseTo(2 / 2 ** 7, 12);
    expect(pair('scratch', 'logistic')?.p).toBeUndefined();
    expect(pair('scratch', 'logistic', 'cars')?.networks).toBe(2);
  });
});

test('networks are compared in pairs, in a setting and on a data set, with McNemar’s p beside', () => {
  const pairs = networkPairs(record);
  const count = (n: number) => (n * (n - 1)) / 2;
  expect(pairs).toHaveLength(3 * (2 * count(7) + count(2)));
  const far = pairs.find(
    (p) => p.setting === 'logistic' && p.dataset === 'cars' && p.network === 'eta' && p.other === 'alpha',
  );
  expect(far?.difference).toBeCloseTo(
    scoreOf('cars with eta', 'logistic') - scoreOf('cars with alpha', 'logistic'),
    12,
  );
  expect(far?.verdict).toBe((far?.corrected?.[0] as number) > 0 ? 'better' : 'undecided');
  expect(far?.mcnemar).toBeLessThan(0.01);
  expect(far?.corrected?.[0]).toBeLessThan(far?.interval[0] as number);
});

test('convergence: the fewest updates with 90 % of the best odds, averaged as logarithms', () => {
  const all = convergenceOf(record);
  expect(all.map((c) => [c.task.task, c.method, c.runs.map((r) => r.steps)])).toEqual(
    ['birds', 'cars', 'food'].flatMap((d) =>
      ['finetune', 'scratch'].map((m) => [`${d} with alpha`, m, [10, 20, 40, 80]]),
    ),
  );
  const means = meanConvergence(all);
  expect(means.map((m) => [m.method, m.tasks])).toEqual([
    ['finetune', 3],
    ['scratch', 3],
  ]);
});

test('regularisers: networks that say they had one beside those that say they had not', () => {
  const rows = regulariserRows(transferSettings(record));
  expect(new Set(rows.map((r) => r.regulariser))).toEqual(new Set(['labelSmoothing']));
  expect(rows[0]?.with.networks).toEqual(['beta', 'delta', 'zeta']);
  expect(rows[0]?.without.networks).toEqual(['alpha', 'gamma', 'epsilon', 'eta']);
});

test('the grid is that of the shortest runs; what diverged has no figure', () => {
  const task = record.tasks[0] as (typeof record.tasks)[number];
  expect(gridOf(task, 'finetune')).toEqual({
    epochs: 2,
    points: [
      { learningRate: 0.01, weightDecay: 0, validation: 0.6 },
      { learningRate: 0.01, weightDecay: 1e-5 },
      { learningRate: 0.1, weightDecay: 0, validation: 0.6 },
      { learningRate: 0.1, weightDecay: 1e-5 },
    ],
  });
  expect(gridOf(task, 'scratch')).toBeUndefined();
});

test('the headline counts wins, the lines below it say r and who is left out', () => {
  expect(record.answer.headline).toMatch(
    /^Fine-tuning scores higher than logistic regression on the last layer in \d+ of 21 cells/,
  );
  expect(record.answer.deck.join(' ')).toMatch(
    /fine-tuning: r = 0\.\d\d \[[−\d., ]+\] over 6 networks pretrained on ImageNet/,
  );
});
