/** What figures and tables ask of a record. Nothing here decides: advice and comparisons are the record's own. */
import {
  type Cell,
  type DoneCell,
  layerSharesOf,
  type MethodCard,
  plainCard,
  type RunRecord,
  type TaskRecord,
} from '../record/index.js';

/** The cells of a task at one number of labels. */
export interface AtLabels {
  readonly perClass: number | undefined;
  readonly cells: readonly Cell[];
}

/** A task's cells and the points of its curve, by rising number of labels. */
export function byLabels(task: TaskRecord): AtLabels[] {
  return [...(task.curve ?? []), { perClass: task.perClass, cells: task.cells }];
}

/** The cards of these methods in the record's order; methods that nobody described follow with plain ones. */
export function cardsOf({ methods, tasks }: Pick<RunRecord, 'methods' | 'tasks'>, ids: Iterable<string>): MethodCard[] {
  const wanted = new Set(ids);
  const used = new Set(tasks.flatMap((t) => byLabels(t).flatMap(({ cells }) => cells.map((c) => c.method))));
  const plain = [...used].filter((id) => !methods.some((m) => m.id === id)).map(plainCard);
  return [...methods, ...plain].filter((m) => wanted.has(m.id));
}

export function cardOf(record: RunRecord, id: string): MethodCard {
  return cardsOf(record, [id])[0] ?? plainCard(id, 0);
}

/** Methods with a cell in a task's table. */
export const tableCards = (record: RunRecord): MethodCard[] =>
  cardsOf(
    record,
    record.tasks.flatMap((t) => t.cells.map((c) => c.method)),
  );

/** Every method of the record, learning curves included. */
export const allCards = (record: RunRecord): MethodCard[] =>
  cardsOf(
    record,
    record.tasks.flatMap((t) => byLabels(t).flatMap(({ cells }) => cells.map((c) => c.method))),
  );

export type SelectingCell = DoneCell & Required<Pick<DoneCell, 'selection'>>;

/** The cell whose selection of features is shown: one that tried several keep fractions, else the first that has one. */
export function selectingCell(task: TaskRecord): SelectingCell | undefined {
  const all = task.cells.filter(
    (c): c is SelectingCell => c.status === 'done' && c.selection !== undefined && c.suspect === undefined,
  );
  return all.find((c) => c.selection.keepFractions) ?? all[0];
}

/** The cell whose layers are shown: that of the selection, else the first probe that says what it owes to each. */
export function layeredCell(task: TaskRecord): DoneCell | undefined {
  const selecting = selectingCell(task);
  if (selecting && layerSharesOf(selecting)) return selecting;
  return task.cells.find(
    (c): c is DoneCell => c.status === 'done' && c.suspect === undefined && layerSharesOf(c) !== undefined,
  );
}

/** The method whose selection is shown on most tasks, else the first candidate that reads all layers. */
export function layerMethod(record: RunRecord): string | undefined {
  const times = new Map<string, number>();
  for (const task of record.tasks) {
    const method = selectingCell(task)?.method;
    if (method !== undefined) times.set(method, (times.get(method) ?? 0) + 1);
  }
  const [most] = [...times].sort((a, b) => b[1] - a[1]);
  return most?.[0] ?? tableCards(record).find((m) => m.role === 'candidate' && m.reads === 'all layers')?.id;
}

export type CellWithPath = DoneCell & Required<Pick<DoneCell, 'path'>>;

/** The cell whose regularisation path is shown: that of the selection, else the first that has one. */
export function pathCell(task: TaskRecord): CellWithPath | undefined {
  const hasPath = (c: Cell | undefined): c is CellWithPath => c?.status === 'done' && (c.path?.points.length ?? 0) > 1;
  const selecting = selectingCell(task);
  return hasPath(selecting) ? selecting : task.cells.find(hasPath);
}

/** What the scores of these tasks are, for an axis or a column: "accuracy", or "score" where tasks differ. */
export function metricOf(tasks: readonly Pick<TaskRecord, 'target'>[]): string {
  const metrics = new Set(tasks.map((t) => t.target.metric));
  const [only] = metrics;
  return metrics.size === 1 && only ? only : 'score';
}

/** The network of a run, or how many of them it compares. */
export const networkOf = ({ networks = [], backbone }: RunRecord): string =>
  networks.length > 1 ? `${networks.length} networks` : backbone;
