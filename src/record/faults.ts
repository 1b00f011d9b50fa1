/** Figures of a record that are not what they seem: commands that show them end with exit code 1. */
import type { Cell, RunRecord } from './schema.js';

/** One sentence on figures that are wrong by our fault or not converged; undefined where all stand. */
export function faultOf({ tasks }: Pick<RunRecord, 'tasks'>): string | undefined {
  const where = tasks.length > 1;
  const open: string[] = [];
  for (const task of tasks) {
    const on = where ? ` on ${task.task}` : '';
    const done = (cells: readonly Cell[]) => cells.filter((c) => c.status === 'done');
    for (const cell of [...(task.curve ?? []), task].flatMap(({ cells }) => done(cells))) {
      if (cell.suspect !== undefined) return `${cell.method}${on}: ${cell.suspect}`;
      const windows = cell.selection?.rankWindows?.some((w) => !w.converged);
      if (!cell.converged || windows) open.push(`${cell.method}${on}`);
    }
    for (const { alias, alone, withLast } of task.taps ?? []) {
      if ([alone, withLast].some((p) => p && !p.converged)) open.push(`the probe of tap ${alias}${on}`);
    }
  }
  if (open.length === 0) return undefined;
  return `not converged: ${open.slice(0, 5).join(', ')}${open.length > 5 ? ` and ${open.length - 5} more` : ''}; their best iterates are shown`;
}
