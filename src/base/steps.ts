/** Time per step and to the end of work that says where it is in words: 'ranking, fold 2 of 5'. */
import { formatSeconds } from './format.js';

/** Places of such a text, outermost first: [2, 5] of 'fold 2 of 5'. */
function counters(text: string): [at: number, of: number][] {
  return [...text.matchAll(/(\d+) of (\d+)/g)].map(([, at, of]) => [Number(at), Number(of)]);
}

/** How many steps are behind, and how many there are, of counters within each other. */
function stepsOf(found: readonly [at: number, of: number][]): { done: number; total: number } {
  return found.reduce(({ done, total }, [at, of]) => ({ done: done * of + at - 1, total: total * of }), {
    done: 0,
    total: 1,
  });
}

/**
 * Adds to each text how long its steps take and how long they will, once one of them has been timed; before, and for work
 * that does not count, how long all of it has taken.
 */
export function createSteps(now: () => number = () => performance.now()): (text: string) => string {
  const began = now();
  let series = { words: '', at: 0, done: 0 };
  return (text) => {
    const time = now();
    const found = counters(text);
    const words = text.replace(/\d+ of \d+/g, 'k of n');
    const { done, total } = stepsOf(found);
    if (words !== series.words || done < series.done) series = { words, at: time, done };
    const steps = done - series.done;
    const elapsed = formatSeconds((time - began) / 1000);
    if (found.length === 0 || steps === 0) return `${text}  ${elapsed}`;
    const each = (time - series.at) / 1000 / steps;
    const rate = each >= 1 ? `${each.toFixed(1)} s each` : `${(1 / each).toFixed(1)}/s`;
    return `${text}  ${elapsed}, ${rate}, ${formatSeconds(each * (total - done))} left`;
  };
}
