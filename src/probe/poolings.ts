/** A method under every pooling that its task offers: the pooling is one more setting that validation chooses. */
import type { MethodContext } from './context.js';
import { concluded } from './fitting/conclusion.js';
import type { Fit, ProbeMethod } from './methods/index.js';
import type { ProbeTask } from './task.js';
import { chooserBy, excessOf, movedBy } from './tuning/choice.js';

/** A task with features pooled in one way, and what methods are given of it. */
export interface PooledTask {
  readonly task: ProbeTask;
  readonly context: MethodContext;
}

/** A method as it was fitted to one pooling. */
export interface PooledFit extends PooledTask {
  readonly fit: Fit;
}

/** A method's fits, one per pooling, and which of them counts. */
export interface ChosenFit extends PooledFit {
  /** All of them, in the order of the task's poolings. */
  readonly tried: readonly PooledFit[];
}

/** The task under each of its poolings, the first being its own, and the one with all of them as taps. */
export function pooledTasks({ poolings = [], each, ...task }: ProbeTask): { chosen: ProbeTask[]; each?: ProbeTask } {
  return { chosen: [task, ...poolings], ...(each && { each }) };
}

/**
 * The fit whose chosen row is best over the validation rows; its grid has the settings of all poolings, and its estimate is
 * less what this choice has gained by chance as well. A bound, of which nothing is validated, offers the alternatives of all
 * poolings.
 */
export async function fitPooled(method: ProbeMethod, pooled: readonly PooledTask[]): Promise<ChosenFit> {
  const tried: PooledFit[] = [];
  for (const own of pooled) tried.push({ ...own, fit: await own.context.memo.once(method.fit, own.context) });
  const [first] = tried as [PooledFit, ...PooledFit[]];
  if (tried.length === 1) return { ...first, tried };
  const grid = tried.flatMap(({ task, fit }) => fit.grid.map((row) => ({ ...row, pool: task.pool ?? '' })));
  const validated = tried.flatMap((own) => (own.fit.validation ? [{ own, row: own.fit.validation }] : []));
  if (validated.length === 0) {
    const alternatives = tried.flatMap((own) => own.fit.alternatives ?? []);
    return { ...first, fit: first.fit.alternatives ? { ...first.fit, alternatives, grid } : first.fit, tried };
  }
  const { options } = first.context;
  const choose = chooserBy(method.choose ? { ...options, choose: method.choose } : options);
  const rows = validated.map(({ row }) => row);
  const best = choose(rows);
  const chosen = (validated.find(({ row }) => row === best) ?? { own: first }).own;
  const { estimate } = concluded(chosen.context, rows, best, choose);
  const own = chosen.fit.estimate;
  const moved = own && movedBy(own, excessOf(estimate, best));
  return { ...chosen, fit: { ...chosen.fit, estimate: moved, grid }, tried };
}
