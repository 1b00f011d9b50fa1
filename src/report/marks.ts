/** What is not what it seems, and how it is said wherever it is shown. */
import { type Cell, type DoneCell, list, type MethodCard, type RunRecord } from '../record/index.js';
import { cardOf } from './lookup.js';

/** A method's name in tables and keys: bounds and baselines say that they are none to choose. */
export const nameOf = ({ label, role }: MethodCard): string => (role === 'candidate' ? label : `${label} (${role})`);

/** A solver stopped short, or the training loss never left its start: such scores have hollow marks. */
export const isHollow = ({ converged, failedToTrain }: DoneCell): boolean => !converged || failedToTrain === true;

/** Why the score of a finished cell is not what it seems, in words of a table; empty: it is. */
export function doubts(cell: DoneCell): string[] {
  return [
    ...(cell.suspect === undefined ? [] : ['suspect']),
    ...(cell.converged ? [] : ['not converged']),
    ...(cell.failedToTrain ? ['failed to train'] : []),
  ];
}

/** The status of a cell with its reason. */
export function statusOf(cell: Cell): string {
  if (cell.status !== 'done') return cell.error ? `${cell.status}: ${cell.error}` : cell.status;
  const words = doubts(cell).map((word) => (word === 'suspect' ? `suspect: ${cell.suspect}` : word));
  return words.join('; ') || (cell.score === undefined ? 'done, no test score' : 'done');
}

export type DrawnCell = DoneCell & { readonly score: number };

/** Whether figures draw the cell: it has a score, and no reason why that cannot be right. */
export const isDrawn = (cell: Cell): cell is DrawnCell =>
  cell.status === 'done' && cell.score !== undefined && cell.suspect === undefined;

/** Why marks of these cells are hollow. */
export const reasonsOf = (cells: readonly Cell[]): string[] => cells.flatMap((c) => (isDrawn(c) ? doubts(c) : []));

/** What a figure of these cells owes its reader: which marks are hollow and why, which cells are left out and why. */
export function noteOn(record: RunRecord, cells: readonly Cell[]): string | undefined {
  const named = (cell: Cell, why: string) => `${cardOf(record, cell.method).label} (${why})`;
  const hollow = cells.flatMap((c) => (isDrawn(c) && isHollow(c) ? [named(c, doubts(c).join(', '))] : []));
  const suspect = cells.flatMap((c) => (c.status === 'done' && c.suspect !== undefined ? [named(c, c.suspect)] : []));
  const unique = (names: readonly string[]) => list([...new Set(names)]);
  const parts = [
    ...(hollow.length > 0 ? [`Hollow: ${unique(hollow)}.`] : []),
    ...(suspect.length > 0 ? [`Not drawn: ${unique(suspect)}.`] : []),
  ];
  return parts.join(' ') || undefined;
}
