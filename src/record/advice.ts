/** What an answer says of single tasks, as terminal, page and documents list it. */
import type { Answer, TaskAnswer } from './schema.js';

/** Tasks on which there is nothing to compare, up to which each is named. */
const FEW = 3;

/**
 * @param tasks of the answer; all by default
 * @returns those that are said one by one, and a sentence on the others where they are many: tasks on which fewer than
 *   two methods finished that could be advised
 */
export function adviceOf(
  { tasks: all }: Pick<Answer, 'tasks'>,
  tasks: readonly TaskAnswer[] = all,
): { readonly each: readonly TaskAnswer[]; readonly others: string | undefined } {
  const compared = tasks.filter((task) => task.method !== undefined);
  const others = tasks.length - compared.length;
  if (others <= FEW || compared.length === 0) return { each: tasks, others: undefined };
  return {
    each: compared,
    others: `On the other ${others} of ${tasks.length} there is nothing to compare: fewer than two methods finished there that could be advised.`,
  };
}

/** The task, and the labels per class where there is a curve. */
export const taskOf = ({ task, perClass }: TaskAnswer): string =>
  perClass === undefined ? task : `${task}, ${perClass} per class`;
