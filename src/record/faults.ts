/** Figures of a record that are not what they seem: commands that show them end with exit code 1. */
import { doneCells } from './cell-schema.js';
import type { RunRecord } from './schema.js';

/** One sentence on figures that are wrong by our fault or not converged; undefined where all stand. */
export function faultOf({ tasks }: Pick<RunRecord, 'tasks'>): string | undefined {
  const wrong: string[] = [];
  const open: string[] = [];
  for (const task of tasks) {
    const on = tasks.length > 1 ? ` on ${task.task}` : '';
    for (const { method, converged, suspect, selection } of [...(task.curve ?? []), task].flatMap(doneCells)) {
      if (suspect !== undefined) wrong.push(`${method}${on}: ${suspect}`);
      if (!converged || selection?.rankWindows?.some((w) => !w.converged)) open.push(`${method}${on}`);
    }
    for (const { alias, alone, withLast } of task.taps ?? []) {
      const suspect = alone?.suspect ?? withLast?.suspect;
      if (suspect !== undefined) wrong.push(`the probe of tap ${alias}${on}: ${suspect}`);
      if (alone?.converged === false || withLast?.converged === false) open.push(`the probe of tap ${alias}${on}`);
    }
  }
  if (wrong[0] !== undefined) return `${wrong[0]}${more(wrong, 1)}`;
  return open.length === 0
    ? undefined
    : `not converged: ${open.slice(0, 5).join(', ')}${more(open, 5)}; their best iterates are shown`;
}

const more = (all: readonly string[], named: number) => (all.length > named ? ` (and ${all.length - named} more)` : '');
