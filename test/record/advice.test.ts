import { expect, test } from 'vitest';
import { adviceOf, type TaskAnswer, taskOf } from '../../src/record/index.js';

const compared = (task: string): TaskAnswer => ({
  task,
  method: 'linear',
  decided: true,
  advice: 'probe the last layer',
  sentence: 'It scores highest.',
});
const alone = (task: string): TaskAnswer => ({
  task,
  decided: false,
  advice: 'nothing to compare',
  sentence: 'Only one method finished.',
});

test('many tasks on which there is nothing to compare are one sentence', () => {
  const tasks = [compared('a'), ...['b', 'c', 'd', 'e'].map(alone)];
  expect(adviceOf({ tasks })).toEqual({
    each: [tasks[0]],
    others:
      'On the other 4 of 5 there is nothing to compare: fewer than two methods finished there that could be advised.',
  });
});

test('few of them are named, and all where there are no others', () => {
  for (const tasks of [[compared('a'), alone('b')], ['a', 'b', 'c', 'd'].map(alone)]) {
    expect(adviceOf({ tasks })).toEqual({ each: tasks, others: undefined });
  }
});

test('a task on a curve is named with its labels per class', () => {
  expect([compared('a'), { ...compared('a'), perClass: 5 }].map(taskOf)).toEqual(['a', 'a, 5 per class']);
});
