/** Columns that several tables share. */
import { points } from '../record/index.js';
import type { Column } from './table.js';

/** A difference in points with its interval by itself, and the one that holds together with all of the run. */
export const differenceColumns: readonly Column[] = [
  { title: 'difference', format: points },
  { title: 'low', format: points },
  { title: 'high', format: points },
  { title: 'low, corrected', format: points },
  { title: 'high, corrected', format: points },
];
