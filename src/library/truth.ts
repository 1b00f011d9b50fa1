/** Real values and several labels as programs have them -> numbers, and numbers -> what was learned from. */
import { UserError } from '../base/index.js';
import { checkLabels, outputNames, sortLabels, type TargetKind, targetKinds } from '../data/index.js';
import type { ValuedKind } from '../record/index.js';

/** What an example is labelled with: a number, or several; the labels that are true of it, or a row of 0 and 1. */
export interface Truth {
  readonly regression: number | readonly number[];
  readonly multilabel: readonly string[] | readonly number[];
}

/** Labels are classes, one an example: so where nothing is said. */
export interface OfClasses {
  readonly target?: 'class' | undefined;
}

/** Labels are real values, or several are true of an example. */
export interface Of<K extends ValuedKind> {
  readonly target: K;
}

/** The kind of a target that is no class. @throws UserError for a target that there is not */
export function valuedKind(target: TargetKind = 'class'): ValuedKind | undefined {
  if (!targetKinds.includes(target)) throw new UserError(`no target '${target}'; there are ${targetKinds.join(', ')}`);
  return target === 'class' ? undefined : target;
}

/** What is said of an example: in the form that examples were labelled in, T. */
export type Said<K extends ValuedKind, T> = K extends 'regression'
  ? T extends number
    ? number
    : number[]
  : T extends readonly (infer L)[]
    ? L[]
    : never;

/** How examples are labelled. */
export interface Wording<K extends ValuedKind = ValuedKind> {
  readonly kind: K;
  /** Names of the values, or the labels, (q). */
  readonly outputs: readonly string[];
  /** One number an example, a row of q, or the names of the labels that are true. */
  readonly form: 'number' | 'row' | 'names';
}

/** How training examples are labelled, and their numbers, (n, q). @throws UserError for what the kind does not learn */
export function learnedFrom<K extends ValuedKind>(
  kind: K,
  y: ArrayLike<Truth[K]>,
): { readonly wording: Wording<K>; readonly values: Float64Array } {
  const wording = wordingOf(kind, y);
  if (wording.outputs.length === 0) throw new UserError('no example has a label: there is nothing to learn');
  return { wording, values: numbersOf(wording, y) };
}

function wordingOf<K extends ValuedKind>(kind: K, y: ArrayLike<Truth[K]>): Wording<K> {
  const examples: unknown[] = Array.from(y);
  if (kind === 'regression' && typeof examples[0] === 'number') {
    return { kind, outputs: outputNames(kind, 1), form: 'number' };
  }
  const rows = examples.map((own, i) => rowAt(own, i, kind));
  if (kind === 'regression' || rows.some((row) => typeof row[0] === 'number')) {
    return { kind, outputs: outputNames(kind, rows[0]?.length ?? 0), form: 'row' };
  }
  const names = new Set(rows.flatMap((row) => Array.from(row, String)));
  checkLabels(names, 'y');
  return { kind, outputs: sortLabels(names), form: 'names' };
}

/** Numbers of examples, (n, q). @throws UserError for examples that are not labelled so, or with a label that was not learned */
export function numbersOf({ kind, outputs, form }: Wording, y: ArrayLike<unknown>): Float64Array {
  const q = outputs.length;
  const place = new Map(outputs.map((name, k) => [name, k]));
  const values = new Float64Array(y.length * q);
  for (let i = 0; i < y.length; i++) {
    const row = form === 'number' ? [y[i]] : rowAt(y[i], i, kind);
    if (form === 'names') {
      for (const label of Array.from(row)) {
        const k = typeof label === 'string' ? place.get(label) : undefined;
        if (k !== undefined) values[i * q + k] = 1;
        else throw new UserError(`the label '${label}' at row ${i} is none of those learned: ${outputs.join(', ')}`);
      }
      continue;
    }
    if (row.length !== q) throw new UserError(`y has ${row.length} numbers at row ${i}, and ${q} are learned of each`);
    for (let k = 0; k < q; k++) values[i * q + k] = numberAt(row[k], i, kind);
  }
  return values;
}

/** Values, or labels with a probability of one half or more, as examples were labelled. @param numbers (n, q) */
export function wordsOf({ kind, outputs, form }: Wording, numbers: Float64Array): (number | number[] | string[])[] {
  const q = outputs.length;
  return Array.from({ length: numbers.length / q }, (_, i) => {
    const row = Array.from(numbers.subarray(i * q, (i + 1) * q));
    if (form === 'names') return outputs.filter((_, k) => (row[k] as number) >= 0.5);
    if (form === 'number') return row[0] as number;
    return kind === 'regression' ? row : row.map((p) => (p >= 0.5 ? 1 : 0));
  });
}

function rowAt(own: unknown, i: number, kind: ValuedKind): ArrayLike<unknown> {
  if (Array.isArray(own) || (ArrayBuffer.isView(own) && 'length' in own)) return own as ArrayLike<unknown>;
  throw new UserError(
    kind === 'regression'
      ? `the label at row ${i} is ${shown(own)}: target regression learns numbers, one an example or an array of as many for each`
      : `the label at row ${i} is ${shown(own)}: with target multilabel every example has an array, of the labels that are true or of 0 and 1`,
  );
}

function numberAt(value: unknown, i: number, kind: ValuedKind): number {
  const isRight = kind === 'regression' ? Number.isFinite(value) : value === 0 || value === 1;
  if (isRight) return value as number;
  const what = kind === 'regression' ? 'target regression learns finite numbers' : 'a row of labels is of 0 and 1';
  throw new UserError(`y has ${shown(value)} at row ${i}: ${what}`);
}

const shown = (value: unknown) => (typeof value === 'string' ? `'${value}'` : String(value));
