/** Pictures of the demo's tasks in memory: something to try a program on. */
import { UserError } from '../../base/index.js';
import { side } from './draw.js';
import { drawExamples, targetTasks } from './tasks.js';

/**
 * Draws labelled pictures of one of the demo's tasks, in the form that `extract` and `finetune` take. The same arguments give
 * the same pictures, balanced over the classes; no two splits share one.
 * @param name 'unseen-figures', 'textures', 'position' or 'orientation'
 * @param split any name
 * @returns n images, (32, 32, 3) levels each, and a class name for each
 * @throws UserError naming the tasks
 */
export function drawnImages(name: string, split: string, n: number, seed = 1) {
  const task = targetTasks.find((t) => t.name === name);
  if (!task)
    throw new UserError(`there is no drawn task '${name}': take one of ${targetTasks.map((t) => t.name).join(', ')}`);
  const examples = drawExamples(task, split, n, seed);
  return {
    images: examples.map(({ pixels }) => ({ data: pixels, shape: [side, side, 3] as const })),
    labels: examples.map(({ label }) => task.classes[label] as string),
  };
}
