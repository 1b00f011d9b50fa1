/** What a figure is, and the pieces that several figures share. */

import { type Method, methodsOf, type StudyRecord, type TaskRecord } from '../../record/index.js';
import type { FigureSpec } from '../svg.js';
import type { Table } from '../table.js';
import { color, type Role } from '../theme.js';

export type Section = 'accuracy' | 'affinity' | 'layers' | 'path' | 'selection' | 'errors' | 'learning' | 'cost';

/** An entry of a figure's key: a symbol in its colour. */
export interface KeyEntry {
  label: string;
  color: string;
  /** SVG path in the unit box. */
  shape: string;
  /** The method it stands for, when filters should hide it. */
  method?: string;
}

export interface Figure {
  /** File name without extension. */
  id: string;
  section: Section;
  /** Set on figures of one task: the page's task filter shows and hides them. */
  task?: string;
  /** Figures of one group are panels of one exhibit, one per task. */
  group: string;
  title: string;
  /** How to read it, and what uncertainty it shows. */
  caption: string;
  /** What there is to see, in words: the text alternative. */
  alt: string;
  /** A shorter form of `alt` for print under a panel's heading. */
  finding?: string;
  key: KeyEntry[];
  spec: FigureSpec;
  /** The same numbers as a table. */
  table: Table;
  wide: boolean;
}

export const dash = 'M-1,-.18L1,-.18L1,.18L-1,.18Z';
export const dot = 'M.9,0A.9,.9,0,1,1,-.9,0A.9,.9,0,1,1,.9,0Z';
export const block = 'M-.8,-.8L.8,-.8L.8,.8L-.8,.8Z';

export const keyOf = (methods: readonly Method[]): KeyEntry[] =>
  methods.map((m) => ({ label: m.label, color: m.light, shape: m.shape, method: m.id }));

export const keyEntry = (label: string, role: Role, shape: string): KeyEntry => ({ label, color: color(role), shape });

/** Methods with a cell on some task, in order. */
export const cellMethods = (study: StudyRecord): Method[] =>
  methodsOf(study.tasks.flatMap((t) => t.methods.map((m) => m.method)));

/** Every method that the study names, learning curves included. */
export const studyMethods = (study: StudyRecord): Method[] =>
  methodsOf(study.tasks.flatMap((t) => [...t.methods, ...(t.learningCurve ?? [])].map((m) => m.method)));

/** Colour and shape of methods as Vega-Lite encodings over the field `label`. */
export function methodEncodings(methods: readonly Method[], legend: object | null = { title: null, columns: 5 }) {
  const domain = methods.map((m) => m.label);
  return {
    color: { field: 'label', type: 'nominal', scale: { domain, range: methods.map((m) => m.light) }, legend },
    shape: { field: 'label', type: 'nominal', scale: { domain, range: methods.map((m) => m.shape) }, legend },
  };
}

/** The parameters that the page's filters set, with everything chosen. */
export const filterParams = (tasks: readonly string[], methods: readonly Method[]) => [
  { name: 'tasks', value: [...tasks] },
  { name: 'methods', value: methods.map((m) => m.id) },
];

export const taskFilter = { filter: 'indexof(tasks, datum.task) >= 0' };
export const methodFilter = { filter: 'indexof(methods, datum.method) >= 0' };

export const percentAxis = (title: string | null = 'test accuracy', extra: object = {}) => ({
  title,
  format: '.0%',
  tickCount: 5,
  ...extra,
});

/** A dashed reference line at an accuracy, for charts with accuracy on y. */
export function referenceRule(accuracy: number, hex: string): object {
  return {
    data: { values: [{ accuracy }] },
    mark: { type: 'rule', strokeDash: [4, 3], strokeWidth: 1.4, color: hex },
    encoding: { y: { field: 'accuracy', type: 'quantitative' } },
  };
}

/** Axis labels of counts: 500, 1 k, 1.5 k. */
export const thousands = "datum.value >= 1000 ? datum.value / 1000 + ' k' : datum.value";

/** The powers of ten from below `low` to above `high`: a log axis without a thicket of minor ticks. */
export function decades(low: number, high: number): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  return Array.from({ length: to - from + 1 }, (_, i) => Number(`1e${from + i}`));
}

export const panelSize = { width: 330, height: 210 };
export const slug = (text: string) => text.toLowerCase().replace(/[^a-z0-9.-]+/g, '-');
export const panelId = (group: string, task: TaskRecord) => `${group}-${slug(task.task)}`;
