/** What a figure is, and its key. */
import { list, type MethodCard } from '../../record/index.js';
import { nameOf } from '../marks.js';
import type { FigureSpec } from '../svg.js';
import type { Table } from '../table.js';
import { color, type Role } from '../theme.js';

export type Section =
  /** Beside the answer, in the first screen. */
  | 'first'
  | 'copies'
  | 'accuracy'
  | 'affinity'
  | 'layers'
  | 'path'
  | 'selection'
  | 'errors'
  | 'learning'
  | 'cost'
  | 'networks';

/** An entry of a figure's key: a symbol in its colour. */
export interface KeyEntry {
  readonly label: string;
  readonly color: string;
  /** SVG path in the unit box. */
  readonly shape: string;
  readonly look?: 'hollow' | 'pale';
  /** The method it stands for, when filters should hide it. */
  readonly method?: string;
}

/** A figure: its drawing's spec, its words and its table. */
export interface Figure {
  /** File name without extension. */
  readonly id: string;
  readonly section: Section;
  /** Set on figures of one task: the page's task filter shows and hides them. */
  readonly task?: string;
  /** Figures of one group are panels of one exhibit, one per task. */
  readonly group: string;
  readonly title: string;
  /** How to read it, and what uncertainty it shows. */
  readonly caption: string;
  /** How this one was made, where panels of a group may differ; read after the caption. */
  readonly detail?: string;
  /** What there is to see, in words: the text alternative. */
  readonly alt: string;
  /** What in it is not what it seems: hollow marks, cells left out. */
  readonly note?: string | undefined;
  /** A shorter form of `alt` for print under a panel's heading. */
  readonly finding?: string | undefined;
  readonly key: readonly KeyEntry[];
  readonly spec: FigureSpec;
  /** The same numbers as a table. */
  readonly table: Table;
  readonly wide: boolean;
}

export const dash = 'M-1,-.18L1,-.18L1,.18L-1,.18Z';
export const dot = 'M.9,0A.9,.9,0,1,1,-.9,0A.9,.9,0,1,1,.9,0Z';
export const block = 'M-.8,-.8L.8,-.8L.8,.8L-.8,.8Z';

export const keyOf = (methods: readonly MethodCard[]): KeyEntry[] =>
  methods.map((m) => ({
    label: nameOf(m),
    color: m.light,
    shape: m.shape,
    method: m.id,
    ...(m.role === 'bound' ? { look: 'pale' } : {}),
  }));

export const keyEntry = (label: string, role: Role, shape: string): KeyEntry => ({ label, color: color(role), shape });

/** The entry that explains hollow marks, where there are any. */
export const hollowKey = (
  rows: readonly { readonly hollow?: true }[],
  reasons: readonly string[] = ['not converged'],
): KeyEntry[] =>
  rows.some((r) => r.hollow)
    ? [{ ...keyEntry(`hollow: ${list([...new Set(reasons)])}`, 'muted', dot), look: 'hollow' }]
    : [];
