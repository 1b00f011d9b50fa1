import { describe, expect, test } from 'vitest';
import { compared, mainAnswer } from '../../src/record/index.js';
import { cells, done, record, row, sample, type Task, task, withCell, withoutPredictions } from '../report/sample.js';

const headline = (...tasks: Task[]) => record(...tasks).answer.headline;
const adviceOn = (t: Task) => record(t).answer.tasks.at(-1);

describe('what is advised', () => {
  test('certain: the candidate with the highest score, when it beats every other', () => {
    expect(adviceOn(task('signs', { linear: 100, head2toe: 150, finetune: 190 }))).toMatchObject({
      method: 'finetune',
      best: 'finetune',
      certain: true,
      advice: 'fine-tune',
      sentence: expect.stringMatching(
        /^Fine-tuning: 20\.0 points \[1\d\.\d, 2\d\.\d\] ahead of a selection of features from all layers, the next best candidate\.$/,
      ),
    });
  });
  test('not certain: the simplest that the best does not beat', () => {
    expect(adviceOn(task('near', { linear: 180, head2toe: 181, finetune: 182, scratch: 90 }))).toMatchObject({
      method: 'linear',
      best: 'finetune',
      certain: false,
      advice: 'probe the last layer',
      sentence:
        'Fine-tuning is not reliably better than a probe on the last layer, which is simpler (+1.0 points [0.0, +2.5], p = 1.00).',
    });
  });
  test('not certain: the best is the simplest of those near it', () => {
    expect(adviceOn(task('near', { linear: 100, head2toe: 182, finetune: 181, scratch: 180 }))).toMatchObject({
      method: 'head2toe',
      certain: false,
      sentence: expect.stringMatching(
        /^A selection of features from all layers scores highest; fine-tuning and training from scratch are not reliably worse, but are not simpler \(nearest: fine-tuning, 0\.5 points behind \[0\.0, 1\.5\], p = 1\.00\)\.$/,
      ),
    });
  });
  test('a tie: the simpler of two with the same score', () => {
    expect(adviceOn(task('a', { finetune: 150, linear: 150 }))).toMatchObject({
      method: 'linear',
      best: 'linear',
      certain: false,
      sentence:
        'A probe on the last layer scores highest; fine-tuning is not reliably worse, but is not simpler (0.0 points behind [0.0, 0.0], p = 1.00).',
    });
  });
  test('of equally simple candidates the one that scores higher', () => {
    expect(adviceOn(task('a', { linear: 100, 'all-l1': 150, 'all-l21': 152 }))).toMatchObject({
      method: 'all-l21',
      best: 'all-l21',
    });
  });
  test('a simpler candidate near the best is not advised when another one beats it', () => {
    // Fine-tuning adds 8 examples to those of Linear. Head2Toe scores higher, and gets others right: it beats neither.
    const others = Array.from({ length: 200 }, (_, i) => (i < 68 || i >= 136 ? 0 : 1));
    const t = task('a', { linear: 120, finetune: 128 });
    const found = adviceOn({
      ...t,
      cells: [...t.cells, done('head2toe', 132)],
      predictions: [...(t.predictions ?? []), { method: 'head2toe', seed: 0, predicted: others }],
    });
    expect(found).toMatchObject({ method: 'head2toe', best: 'head2toe', certain: false });
    expect(found?.sentence).toMatch(
      /scores highest; fine-tuning is not reliably worse, but is not simpler \(2\.0 points/,
    );
  });
  test('baselines and bounds are shown beside the candidates, and never advised', () => {
    const found = record(task('a', { linear: 100, control: 190, oracle: 195, head2toe: 150 })).answer;
    expect(found.tasks[0]).toMatchObject({ method: 'head2toe', best: 'head2toe', certain: true });
    for (const method of ['control', 'oracle']) {
      const against = compared(found.comparisons, { task: 'a', method, reference: 'linear' });
      expect(against).toMatchObject({ basis: 'paired', verdict: 'better' });
      expect(against).not.toHaveProperty('p');
      expect(compared(found.comparisons, { task: 'a', method, reference: 'head2toe' })).toBeUndefined();
    }
  });
  test('a method without a card is a baseline', () => {
    expect(adviceOn(task('a', { linear: 100, mine: 190, head2toe: 150 }))?.method).toBe('head2toe');
  });
});

describe('the headline', () => {
  test('one task: the advice, then why', () => {
    expect(headline(task('signs', { linear: 100, head2toe: 150, finetune: 190 }))).toMatch(
      /^On signs, fine-tune\. Fine-tuning: 20\.0 points \[.*\] ahead of a selection .*, the next best candidate\.$/,
    );
  });
  test('several tasks: the simplest method first, with its gain over the simplest where it has one', () => {
    expect(
      headline(
        task('a', { linear: 150, head2toe: 120 }),
        task('b', { linear: 150, head2toe: 150 }),
        task('c', { linear: 120, head2toe: 150 }),
        task('d', { linear: 120, head2toe: 140 }),
      ),
    ).toMatch(
      /^On 2 of 4 tasks \(a and b\) probe the last layer, which no method reliably beats; on 2 \(c and d\) select features from all layers \(Head2Toe\): 15\.0 points \[10\.\d, 20\.\d\] over a probe on the last layer on c\.$/,
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
    ['one method', task('a', { linear: 150 }), `On a, o${one.slice(1)}`],
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
    expect(tasks[0]).toMatchObject({ certain: false, advice: 'nothing to compare' });
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
      'Failed to train (the loss never left its start; shown, not compared): Fine-tune on a.',
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
    const cost = (trainMacs: number, storedBytes: number) => ({ cost: { trainMacs, storedBytes } });
    const priced = withCell(
      withCell(task('a', { linear: 180, head2toe: 100, finetune: 150 }), 'linear', cost(10, 4)),
      'finetune',
      cost(1000, 100),
    );
    expect(record(priced).answer.deck[0]).toBe(
      'Linear takes 1.0 % of fine-tuning’s multiply-adds to train and 4.0 % of its bytes to keep per task.',
    );
  });
  test('says what brackets are and when a difference is reliable', () => {
    const two = [task('a', { linear: 100, head2toe: 150 }), task('b', { linear: 100, head2toe: 150 })];
    expect(record(...two).answer.deck).toEqual([
      'Brackets are 95 % intervals over test examples, both methods on the same examples; a difference is reliable when p < .05 after Holm’s correction over all 2 tests of this run.',
    ]);
    expect(record(...two.map(withoutPredictions)).answer.deck).toEqual([
      'Brackets are 95 % intervals over test examples; a difference is reliable when its interval excludes zero (no stored predictions, hence no paired test).',
    ]);
    expect(record(task('a', { linear: undefined })).answer.deck).toEqual([]);
  });
});

describe('one answer', () => {
  test('the sample: no candidate that is advised is beaten, and none that is certain is near another', () => {
    const { answer, methods } = sample();
    for (const { task: name, perClass, method, best, certain } of answer.tasks) {
      expect(methods.find((m) => m.id === method)?.role).toBe('candidate');
      const here = answer.comparisons.filter((c) => c.task === name && c.perClass === perClass && c.p !== undefined);
      const rivals = new Set(here.flatMap((c) => [c.method, c.reference]).filter((m) => m !== method));
      for (const rival of rivals) {
        const against = compared(answer.comparisons, {
          task: name,
          perClass,
          method: method as string,
          reference: rival,
        });
        expect(against?.verdict, `${name} ${perClass}: ${method} against ${rival}`).not.toBe('worse');
        if (certain) expect(against?.verdict).toBe('better');
      }
      if (certain) expect(method).toBe(best);
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
