/** A record as large as a benchmark of methods makes it: the sample's tasks over and over, each with examples of its own. */
import { Random } from '../../src/base/index.js';
import { classesOf, type RunRecord, recordOf } from '../../src/record/index.js';
import { wilsonInterval } from '../../src/stats/index.js';
import { sample, type Task } from './sample.js';

const round = (v: number) => Number(v.toFixed(4));

/**
 * @param count of tasks, each with the ten methods of the sample
 * @param test examples of each
 */
export function large(count = 20, test = 1000): RunRecord {
  const { answer: _, tasks, ...rest } = sample();
  const own = Array.from({ length: count }, (_, i) => varied(tasks[i % tasks.length] as Task, i, test));
  return recordOf({ ...rest, title: `head2toe on ${count} tasks`, tasks: own });
}

/** The task with other examples, on which every method is right about as often. */
function varied(task: Task, place: number, test: number): Task {
  const random = new Random(place, 'large record');
  const K = classesOf(task.target).length;
  const { testLabels: _, predictions = [], thumbnails = [], ...rest } = task;
  const testLabels = Array.from({ length: test }, () => random.integer(K));
  const skill = new Map(
    task.cells.flatMap((c) => (c.status === 'done' && c.score !== undefined ? [[c.method, c.score]] : [])),
  );
  const rows = predictions.map(({ method, seed }) => {
    const share = (skill.get(method) ?? 0.5) + 0.04 * random.normal();
    const predicted = testLabels.map((label) => (random.uniform() < share ? label : random.integer(K)));
    return { method, seed, predicted };
  });
  const cells = task.cells.map((cell) => {
    const mine = rows.filter(({ method }) => method === cell.method);
    if (cell.status !== 'done' || cell.score === undefined || mine.length === 0) return cell;
    const right = mine.map(({ predicted }) => predicted.filter((p, i) => p === testLabels[i]).length / test);
    const score = right.reduce((sum, v) => sum + v / right.length, 0);
    const [low, high] = wilsonInterval(Math.round(score * test), test);
    return { ...cell, score: round(score), interval: [round(low), round(high)] as [number, number] };
  });
  const taps = rest.taps?.map((tap) => {
    const score = Math.min(1, Math.max(0, (tap.alone?.score ?? 0.5) + 0.03 * random.normal()));
    const [low, high] = wilsonInterval(Math.round(score * test), test);
    return tap.alone
      ? {
          ...tap,
          alone: { ...tap.alone, score: round(score), interval: [round(low), round(high)] as [number, number] },
        }
      : tap;
  });
  return {
    ...rest,
    task: place < 6 ? task.task : `${task.task} ${1 + Math.floor(place / 6)}`,
    examples: { ...rest.examples, test },
    cells,
    testLabels,
    predictions: rows,
    thumbnails,
    ...(taps ? { taps } : {}),
  };
}
