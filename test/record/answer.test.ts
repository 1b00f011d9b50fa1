import { describe, expect, test } from 'vitest';
import { answer, compareOverTasks } from '../../src/report/index.js';
import { sample, study, task } from '../report/sample.js';

describe('the answer in one sentence', () => {
  const headline = (...tasks: Parameters<typeof study>) => answer(study(...tasks)).headline;

  test('one task, selection wins: the difference, its interval, and fine-tuning after it', () => {
    expect(headline(task('signs', { linear: 120, head2toe: 150, finetune: 190 }))).toMatch(
      /^On signs, features from all layers beat the last layer by 15\.0 points \[1\d\.\d, (19|20|21)\.\d\]; fine-tuning beats them by 20\.0 points \[.*\]\.$/,
    );
  });
  test('one task, the simpler method wins: it is named first', () => {
    expect(headline(task('objects', { linear: 150, head2toe: 120, finetune: 151 }))).toMatch(
      /^On objects, the last layer alone wins: features from all layers lose to it by 15\.0 points \[.*\]; fine-tuning cannot be told from it \(\+0\.5 \[0\.0, \+1\.5\]\)\.$/,
    );
  });
  test('a difference that chance explains is no win, and the simpler method is enough', () => {
    expect(headline(task('objects', { linear: 150, head2toe: 152 }))).toMatch(
      /^On objects, the last layer is enough: .* differ from it by \+1\.0 points \[0\.0, \+2\.5\], which chance explains; fine-tuning was not run\.$/,
    );
  });
  test('a failed fine-tuning is said to have failed, not to have lost', () => {
    expect(headline(task('signs', { linear: 120, head2toe: 150, finetune: undefined }))).toMatch(
      /; fine-tuning failed\.$/,
    );
  });
  test('several tasks: when the simpler method holds on half of them it comes first', () => {
    const text = headline(
      task('a', { linear: 150, head2toe: 120 }),
      task('b', { linear: 150, head2toe: 150 }),
      task('c', { linear: 120, head2toe: 150 }),
      task('d', { linear: 120, head2toe: 140 }),
    );
    expect(text).toMatch(
      /^The last layer wins on 1 \(a by 15\.0 points \[.*\]\) and is not beaten on 1 more; features/,
    );
    expect(text).toMatch(/beat it on 2 of 4 tasks, most on c by 15\.0 points .*; fine-tuning was not run\.$/);
  });
  test('nothing to compare is said plainly', () => {
    expect(headline(task('a', { linear: 150 }))).toMatch(/^No two methods finished/);
  });
});

describe('advice and gaps', () => {
  test('the advice is the simplest method that none of the others beats', () => {
    const found = answer(
      study(
        task('near', { linear: 180, head2toe: 181, finetune: 182, scratch: 90 }),
        task('far', { linear: 80, head2toe: 120, finetune: 180, scratch: 180 }),
      ),
    );
    expect(found.tasks.map((t) => t.advice)).toEqual(['probe the last layer', 'fine-tune']);
    expect(found.tasks[0]?.sentence).toContain('cannot be told apart');
  });
  test('a method that never left the start of training is shown but not compared', () => {
    const t = task('a', { linear: 150, head2toe: 160, finetune: 100 });
    Object.assign(t.methods[2] as object, { failedToTrain: true });
    const found = answer(study(t));
    expect(found.headline).toMatch(/; fine-tuning failed to train\.$/);
    expect(found.missing[0]).toContain(
      'Failed to train (the loss never left its start; shown, not compared): Fine-tune on a.',
    );
  });
  test('failed and absent cells are listed with their reason', () => {
    expect(answer(sample()).missing).toEqual([
      'Failed: Fine-tune on counting (the loss became NaN at step 212; lower --lr).',
      'Not run: Head2Toe-FT on position.',
    ]);
  });
});

describe('comparisons', () => {
  test('with predictions: paired, exact p, corrected over the tasks', () => {
    const s = study(task('a', { linear: 100, head2toe: 106 }), task('b', { linear: 100, head2toe: 107 }));
    const [a, b] = compareOverTasks(s, 'head2toe', 'linear');
    expect(a).toMatchObject({ basis: 'paired', verdict: 'better' });
    expect(a?.p).toBeCloseTo(2 / 2 ** 6, 12);
    expect(a?.pHolm).toBeCloseTo(2 / 2 ** 6, 12);
    expect(b?.p).toBeCloseTo(2 / 2 ** 7, 12);
    expect(b?.pHolm).toBeCloseTo(4 / 2 ** 7, 12);
  });
  test('without predictions: the wider interval of independent proportions, and no p', () => {
    const paired = compareOverTasks(study(task('a', { linear: 100, head2toe: 110 })), 'head2toe', 'linear')[0];
    const alone = compareOverTasks(study(task('a', { linear: 100, head2toe: 110 }, false)), 'head2toe', 'linear')[0];
    expect(alone).toMatchObject({ basis: 'independent', verdict: 'tie' });
    expect(alone?.p).toBeUndefined();
    expect(alone?.interval[0]).toBeLessThan(paired?.interval[0] as number);
  });
  test('a task on which one of the two failed has no comparison', () => {
    const s = study(task('a', { linear: 100, finetune: undefined }), task('b', { linear: 100, finetune: 120 }));
    expect(compareOverTasks(s, 'finetune', 'linear').map((c) => c.task)).toEqual(['b']);
  });
  test('several seeds are averaged per example', () => {
    const t = task('a', { linear: 100, head2toe: 110 });
    t.predictions?.methods.push({ method: 'head2toe', seed: 1, predicted: new Array(200).fill(0) });
    const [c] = compareOverTasks(study(t), 'head2toe', 'linear');
    expect(c?.difference).toBeCloseTo((110 + 200) / 2 / 200 - 0.5, 12);
    expect(c?.p).toBeLessThan(0.01);
  });
});
