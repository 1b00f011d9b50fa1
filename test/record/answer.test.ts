import { describe, expect, test } from 'vitest';
import type { Measured } from '../../src/record/index.js';
import { compared, mainAnswer, recordOf } from '../../src/record/index.js';
import {
  cells,
  type Done,
  measured,
  record,
  row,
  sample,
  type Task,
  task,
  withCell,
  withoutPredictions,
} from '../report/sample.js';

const headline = (...tasks: Task[]) => record(...tasks).answer.headline;
const adviceOn = (t: Task, more: Partial<Measured> = {}) => recordOf({ ...measured(t), ...more }).answer.tasks.at(-1);

describe('what is advised', () => {
  test('the method that is proven better than every other, with the least that it gains', () => {
    expect(adviceOn(task('signs', { linear: 100, head2toe: 150, finetune: 190 }))).toMatchObject({
      method: 'finetune',
      best: 'finetune',
      decided: true,
      advice: 'fine-tune',
      sentence: expect.stringMatching(
        /^Fine-tuning is better than every other: than a selection of features from all layers, the nearest, by at least 13\.\d points \(\+20\.0 points \[\+13\.\d, \+28\.\d\]\)\.$/,
      ),
    });
  });
  test('the simplest of which it is proven that no other is better by more than the margin', () => {
    const wide = { margin: 0.09 };
    expect(adviceOn(task('near', { linear: 180, head2toe: 181, finetune: 182, scratch: 90 }), wide)).toMatchObject({
      method: 'linear',
      best: 'finetune',
      decided: true,
      sentence: expect.stringMatching(
        /^A probe on the last layer is simpler than fine-tuning, which is at most 8\.\d points better \(\+1\.0 points \[−5\.\d, \+8\.\d\]\)\.$/,
      ),
    });
    expect(adviceOn(task('a', { finetune: 150, linear: 150 }), wide)).toMatchObject({
      method: 'linear',
      best: 'linear',
      decided: true,
      sentence: expect.stringMatching(
        /^A probe on the last layer scores highest, and none is more than 9 points better \(nearest: fine-tuning, 0\.0 points /,
      ),
    });
  });
  test('undecided where a simpler method may lose by more than the margin: between which, and what would decide', () => {
    expect(adviceOn(task('near', { linear: 100, head2toe: 182, finetune: 181, scratch: 180 }))).toMatchObject({
      method: 'head2toe',
      best: 'head2toe',
      decided: false,
      sentence: expect.stringMatching(
        /^Undecided between a selection of features from all layers, fine-tuning and training from scratch: fine-tuning may be up to 6\.\d points better than a selection of features from all layers, the simplest of them \(−0\.5 points \[−7\.\d, \+6\.\d\]\); more seeds, not more test images, would decide\.$/,
      ),
    });
  });
  test('not the simpler method for want of evidence: a gain of 3 points that 400 images cannot show is undecided', () => {
    const right = (k: number) => Array.from({ length: 400 }, (_, i) => (i < k ? 0 : 1));
    const found = adviceOn({
      ...task('a', { linear: 150, head2toe: 156 }),
      examples: { train: 20, test: 400 },
      testLabels: Array.from({ length: 400 }, () => 0),
      predictions: [
        { method: 'linear', seed: 0, predicted: [...right(300).slice(0, 380), ...right(400).slice(380)] },
        { method: 'head2toe', seed: 0, predicted: right(320) },
      ],
    });
    expect(found).toMatchObject({ method: 'linear', decided: false });
    expect(found?.sentence).toMatch(/^Undecided between/);
  });
  test('as many more test images as it names do decide', () => {
    const at = (times: number) => {
      const t = task('near', { linear: 180, head2toe: 183 });
      const many = <T>(list: readonly T[]): T[] => Array.from({ length: times }, () => list).flat();
      return adviceOn({
        ...t,
        examples: { ...t.examples, test: 200 * times },
        testLabels: many(t.testLabels as number[]),
        predictions: t.predictions?.map((r) => ({ ...r, predicted: many(r.predicted ?? []) })) ?? [],
      });
    };
    const few = at(1);
    expect(few?.decided).toBe(false);
    expect(at(Math.ceil((few?.moreTestExamples as number) / 200) + 1)?.decided).toBe(true);
  });
  test('of equally simple candidates the one that scores higher', () => {
    expect(adviceOn(task('a', { linear: 100, 'all-l1': 150, 'all-l21': 152 }))).toMatchObject({
      method: 'all-l21',
      best: 'all-l21',
    });
  });
  test('baselines and bounds are shown beside the candidates, and never advised', () => {
    const found = record(task('a', { linear: 100, control: 190, oracle: 195, head2toe: 150 })).answer;
    expect(found.tasks[0]).toMatchObject({ method: 'head2toe', best: 'head2toe', decided: true });
    for (const method of ['control', 'oracle']) {
      const against = compared(found.comparisons, { task: 'a', method, reference: 'linear' });
      expect(against).toMatchObject({ basis: 'paired', verdict: 'better' });
      expect(against).not.toHaveProperty('p');
      expect(against).not.toHaveProperty('corrected');
      expect(compared(found.comparisons, { task: 'a', method, reference: 'head2toe' })).toBeUndefined();
    }
  });
  test('a method without a card is a baseline', () => {
    expect(adviceOn(task('a', { linear: 100, mine: 190, head2toe: 150 }))?.method).toBe('head2toe');
  });
});

describe('a method that was not tuned as the others', () => {
  const untuned = (right: Record<string, number>, more: Partial<Done> = { triedRates: 1 }) =>
    withCell(task('a', right), 'finetune', more);

  test('is not said to lose', () => {
    const t = untuned({ linear: 100, head2toe: 150, finetune: 90 });
    expect(adviceOn(t)).toMatchObject({
      method: 'head2toe',
      decided: true,
      sentence: expect.stringMatching(
        /^Of the methods that were tuned alike, a selection of features from all layers is better than a probe on the last layer by at least .*\)\. Not held to its score: fine-tuning \(1 learning rate tried\)\.$/,
      ),
    });
    expect(record(t).answer.missing).toEqual([
      'Not tuned as the others (shown; a lower score is not counted against it): Fine-tune on a (1 learning rate tried).',
    ]);
  });
  test('alone beside one leaves the task undecided', () => {
    expect(adviceOn(untuned({ linear: 150, finetune: 100 }))).toMatchObject({
      method: 'linear',
      decided: false,
      sentence:
        'Nothing that was tuned alike stands beside a probe on the last layer. Not held to its score: fine-tuning (1 learning rate tried).',
    });
  });
  test('wins where it wins all the same', () => {
    expect(adviceOn(untuned({ linear: 100, finetune: 190 }))).toMatchObject({ method: 'finetune', decided: true });
  });
  test('three learning rates on the same images are tuned', () => {
    expect(adviceOn(untuned({ linear: 150, finetune: 100 }, { triedRates: 3 }))).toMatchObject({
      method: 'linear',
      decided: true,
      sentence: expect.stringMatching(/^A probe on the last layer is better than fine-tuning by at least /),
    });
  });
  test('smaller images are said', () => {
    const t = withCell(untuned({ linear: 150, finetune: 100 }, { triedRates: 3, input: 96 }), 'linear', { input: 224 });
    expect(adviceOn(t)?.sentence).toContain('fine-tuning (images of 96 against 224 pixels)');
  });
  test('fine-tuning below scratch on the same network was not tuned, however many rates were tried', () => {
    const t = untuned({ linear: 150, finetune: 60, scratch: 100 }, { triedRates: 3 });
    expect(adviceOn(t)?.sentence).toContain('fine-tuning (below training from scratch on the same network)');
  });
});

describe('the headline', () => {
  test('one task: the advice, then why', () => {
    expect(headline(task('signs', { linear: 100, head2toe: 150, finetune: 190 }))).toMatch(
      /^On signs, fine-tune\. Fine-tuning is better than every other: than a selection .*\)\.$/,
    );
  });
  test('several tasks: the simplest method first, with the least that it gains over the simplest; what is undecided last', () => {
    expect(
      headline(
        task('a', { linear: 150, head2toe: 120 }),
        task('b', { linear: 150, head2toe: 150 }),
        task('c', { linear: 120, head2toe: 150 }),
        task('d', { linear: 120, head2toe: 140 }),
      ),
    ).toMatch(
      /^On 1 of 4 tasks \(a\) probe the last layer: none is more than 1 point better; on 2 \(c and d\) select features from all layers \(Head2Toe\): at least 9\.\d points over a probe on the last layer on c; on 1 \(b\) the data cannot decide\.$/,
    );
  });
  test('speaks of all the labels that a task has', () => {
    const curve = [{ perClass: 5, ...cells({ linear: 150, finetune: 100 }) }];
    const found = record({ ...task('a', { linear: 100, finetune: 190 }), perClass: 50, curve }).answer;
    expect(found.headline).toMatch(/^On a, fine-tune\./);
    expect(found.tasks.map((t) => [t.perClass, t.advice])).toEqual([
      [5, 'probe the last layer'],
      [50, 'fine-tune'],
    ]);
    expect(mainAnswer(found, { task: 'a', perClass: 50 })?.method).toBe('finetune');
  });
});

describe('too little to compare', () => {
  const one = 'Only a probe on the last layer finished (75.0 % [70.0, 80.0]): there is nothing to compare it with.';
  test.each<[string, Task, string]>([
    [
      'one method',
      task('a', { linear: 150 }),
      'On a, a probe on the last layer scores 75.0 % [70.0, 80.0]; it ran alone.',
    ],
    ['one that finished', task('a', { linear: 150, finetune: undefined }), `On a, o${one.slice(1)}`],
    [
      'baselines only',
      task('a', { control: 150, oracle: 150 }),
      'On a, only baselines finished: no method that could be advised.',
    ],
    ['nothing finished', task('a', { linear: undefined, finetune: undefined }), 'On a, nothing finished.'],
    [
      'no test labels',
      withoutPredictions({
        ...task('a', {}),
        cells: [{ status: 'done', method: 'linear', validation: 0.8, seconds: 1 }],
      }),
      'On a, there are no test labels: validation scores chose the settings and cannot compare methods.',
    ],
  ])('%s', (_, t, sentence) => {
    const { headline: words, tasks, comparisons } = record(t).answer;
    expect(words).toBe(sentence);
    expect(tasks[0]).toMatchObject({ decided: false, advice: 'nothing to compare' });
    expect(tasks[0]).not.toHaveProperty('method');
    expect(comparisons.filter((c) => c.p !== undefined)).toEqual([]);
  });
  test('on several tasks', () => {
    const nothing = (name: string) => task(name, { linear: undefined, finetune: undefined });
    expect(headline(nothing('a'), nothing('b'))).toBe('Nothing finished on any task: the reasons are below.');
    expect(headline(task('a', { linear: 1 }), nothing('b'))).toMatch(/^On no task did two methods finish/);
    expect(headline(task('a', { linear: 100, finetune: 190 }), nothing('b'))).toMatch(
      /^On 1 of 2 tasks \(a\) fine-tune/,
    );
  });
});

describe('cells that are not what they seem', () => {
  const t = task('a', { linear: 150, head2toe: 160, finetune: 100 });
  test('a suspect cell and one that never trained are listed with their reason, and not compared', () => {
    for (const more of [{ suspect: 'it is below chance' }, { failedToTrain: true }]) {
      const { comparisons } = record(withCell(t, 'finetune', more)).answer;
      expect(comparisons.map((c) => c.method)).toEqual(['head2toe']);
    }
    expect(record(withCell(t, 'finetune', { suspect: 'it is below chance' })).answer.missing).toEqual([
      'Wrong by our own fault (shown, not compared): Fine-tune on a (it is below chance).',
    ]);
    expect(record(withCell(t, 'finetune', { failedToTrain: true })).answer.missing).toEqual([
      'Failed to train (on validation examples no better than naming the commonest class; shown, not compared): Fine-tune on a.',
    ]);
  });
  test('a cell that did not converge is listed, and compared as it is', () => {
    const { comparisons, missing } = record(withCell(t, 'head2toe', { converged: false })).answer;
    expect(comparisons).toHaveLength(3);
    expect(missing).toEqual(['Not converged (shown and compared as they are): Head2Toe on a.']);
  });
  test('failed cells are listed by reason, those that were not run after them', () => {
    const failed = task('b', { linear: undefined, head2toe: undefined });
    const other = {
      ...task('c', {}),
      cells: [
        { status: 'failed' as const, method: 'scratch', error: 'the loss became NaN' },
        { status: 'not run' as const, method: 'finetune' },
      ],
    };
    expect(record(failed, other).answer.missing).toEqual([
      'Failed: Linear on b and Head2Toe on b (out of memory); Scratch on c (the loss became NaN).',
      'Not run: Fine-tune on c.',
    ]);
  });
  test('points of a curve are named by their labels', () => {
    const curve = [{ perClass: 5, ...cells({ linear: undefined }) }];
    expect(record({ ...task('a', { linear: 1 }), perClass: 50, curve }).answer.missing).toEqual([
      'Failed: Linear on a at 5 per class (out of memory).',
    ]);
  });
});

describe('the deck', () => {
  test('gives the cost of the methods advised beside fine-tuning', () => {
    const cost = (trainMacs: number, storedBytes: number) => ({
      cost: { trainMacs, storedBytes },
      input: trainMacs > 100 ? 96 : 224,
    });
    const priced = withCell(
      withCell(task('a', { linear: 180, head2toe: 100, finetune: 150 }), 'linear', cost(10, 4)),
      'finetune',
      cost(1000, 100),
    );
    expect(record(priced).answer.deck[0]).toBe(
      'Linear takes 1.0 % of fine-tuning’s multiply-adds to train and 4.0 % of its bytes to keep per task, on images of 224 and 96 pixels.',
    );
  });
  test('says what brackets are and which differences matter', () => {
    const two = [task('a', { linear: 100, head2toe: 150 }), task('b', { linear: 100, head2toe: 150 })];
    const brackets =
      'Brackets are 95 % intervals over test examples that hold together over all 2 comparisons of this run; differences of 1 point or less do not matter.';
    expect(record(...two).answer.deck).toEqual([brackets]);
    expect(record(...two.map(withoutPredictions)).answer.deck).toEqual([
      brackets,
      'Where predictions were not kept, methods are compared by their two scores alone: those intervals are wider.',
    ]);
    expect(record(task('a', { linear: undefined })).answer.deck).toEqual([]);
  });
  test('says that groups and seeds are in the intervals, and of trained methods when seeds are not', () => {
    const groups = Array.from({ length: 200 }, (_, i) => i >> 2);
    const grouped = { ...task('a', { linear: 100, finetune: 150 }), testGroups: groups };
    expect(record(grouped).answer.deck).toEqual([
      expect.stringMatching(/^Brackets are 95 % intervals over test examples by group; /),
      'Fine-tuning ran with one seed: intervals of differences assume that a run varies as much as the drawing of 200 test examples.',
    ]);
    const seeds = [0, 1, 2].map((seed) => ({ seed, score: 0.75 }));
    expect(record(withCell(grouped, 'finetune', { seeds })).answer.deck).toEqual([
      expect.stringMatching(/^Brackets are 95 % intervals over test examples by group and seeds; /),
    ]);
  });
});

describe('one answer', () => {
  test('the sample: no candidate that is advised is beaten, and none that is decided loses by more than the margin', () => {
    const { answer, methods, margin } = sample();
    for (const { task: name, perClass, method, decided } of answer.tasks) {
      expect(methods.find((m) => m.id === method)?.role).toBe('candidate');
      const here = answer.comparisons.filter((c) => c.task === name && c.perClass === perClass && c.p !== undefined);
      const rivals = new Set(here.flatMap((c) => [c.method, c.reference]).filter((m) => m !== method));
      for (const reference of rivals) {
        const against = compared(answer.comparisons, { task: name, perClass, method: method as string, reference });
        expect(against?.verdict, `${name} ${perClass}: ${method} against ${reference}`).not.toBe('worse');
        if (decided) expect(against?.corrected?.[0]).toBeGreaterThanOrEqual(-margin);
      }
    }
  });
  test('a corrected p is below .05 just where the corrected interval leaves out zero, and no p is above its corrected one', () => {
    for (const { p, pCorrected, corrected, verdict } of sample().answer.comparisons) {
      if (p === undefined || pCorrected === undefined || !corrected) continue;
      const apart = corrected[0] > 0 || corrected[1] < 0;
      expect(pCorrected < 0.05).toBe(apart);
      expect(verdict === 'better' || verdict === 'worse').toBe(apart);
      // Simulated: to their own error.
      expect(pCorrected).toBeGreaterThan(p - 0.005);
    }
  });
  test('is made of what was measured alone: the same again', () => {
    const t = task('a', { linear: 100, head2toe: 150, finetune: 160 });
    expect(record(t).answer).toEqual(record(t).answer);
  });
  test('several seeds are one method', () => {
    const t = task('a', { linear: 100, head2toe: 110 });
    const seeds = { ...t, predictions: [...(t.predictions ?? []), row('head2toe', 200, 1)] };
    expect(record(seeds).answer.comparisons).toHaveLength(1);
  });
});
