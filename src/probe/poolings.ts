/** A method under every pooling that its task offers: the pooling is one more setting that validation chooses. */
import type { MethodContext } from './context.js';
import type { Fit, ProbeMethod } from './methods/index.js';
import type { ProbeTask } from './task.js';
import { bestRow } from './tuning/tally.js';

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

/** The task under each of its poolings, the first being its own. */
export const pooledTasks = ({ poolings = [], ...task }: ProbeTask): ProbeTask[] => [task, ...poolings];

/**
 * The fit of the highest validation accuracy, as bestRow compares them; its grid has the settings of all poolings. A bound,
 * which nothing is validated of, offers the alternatives of all of them: what it counts by is the first.
 */
export async function fitPooled(method: ProbeMethod, pooled: readonly PooledTask[]): Promise<ChosenFit> {
  const tried: PooledFit[] = [];
  for (const own of pooled) tried.push({ ...own, fit: await own.context.memo.once(method.fit, own.context) });
  const [first] = tried as [PooledFit, ...PooledFit[]];
  if (tried.length === 1) return { ...first, tried };
  const validated = tried.flatMap((own) => (own.fit.validation ? [{ own, row: own.fit.validation }] : []));
  const best = validated.length > 0 ? bestRow(validated.map(({ row }) => row)) : undefined;
  const chosen = validated.find(({ row }) => row === best)?.own ?? first;
  const grid = tried.flatMap(({ task, fit }) => fit.grid.map((row) => ({ ...row, pool: task.pool ?? '' })));
  return { ...chosen, fit: { ...chosen.fit, grid }, tried };
}
