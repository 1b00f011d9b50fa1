/**
 * What the labels of a task mean. A label is a name; a kind of target reads it: as a class, as one or several real values, or
 * as the set of labels that are true of the example. Values and labels of one example stand with | between them.
 */
import { UserError } from '../../base/index.js';
import { sortLabels } from '../../data/index.js';

/** What examples may be labelled with: one class, real values, or several labels. */
export const targetKinds = ['class', 'regression', 'multilabel'] as const;
/** What examples are labelled with. */
export type TargetKind = (typeof targetKinds)[number];
/** Kinds whose examples have numbers: real values, or 1 for each label that is true and 0 for the others. */
export type ValuedKind = Exclude<TargetKind, 'class'>;

/** Numbers that stand for the names of labels. */
export interface Reading {
  readonly kind: ValuedKind;
  /** Names of the values, or the labels, (q). */
  readonly outputs: readonly string[];
  /** Of each name that was read, (q). */
  readonly rows: readonly Float64Array[];
}

/**
 * @param names different labels as written
 * @throws UserError for what is no number, or not as many numbers everywhere
 */
export function readNames(kind: ValuedKind, names: readonly string[]): Reading {
  return kind === 'regression' ? readValues(names) : readSets(names);
}

function readValues(names: readonly string[]): Reading {
  const rows = names.map((name) => {
    const parts = name.split('|').map((part) => part.trim());
    const values = Float64Array.from(parts, (part) => (part === '' ? Number.NaN : Number(part)));
    if (!values.every(Number.isFinite)) {
      throw new UserError(
        `the label '${name}' is not a number: --target regression learns numbers, several with | between them`,
      );
    }
    return values;
  });
  const q = rows[0]?.length ?? 0;
  const other = rows.findIndex((row) => row.length !== q);
  if (other >= 0) {
    throw new UserError(
      `the labels '${names[0]}' and '${names[other]}' are ${q} and ${rows[other]?.length} numbers: give every example as many`,
    );
  }
  return { kind: 'regression', outputs: numbered('value', q), rows };
}

function readSets(names: readonly string[]): Reading {
  const parts = names.map((name) =>
    [...new Set(name.split('|').map((part) => part.trim()))].filter((part) => part !== ''),
  );
  const q = names[0]?.split('|').length ?? 0;
  if (q > 1 && names.every((name) => name.split('|').length === q && /^[01](?:\|[01])*$/.test(name))) {
    return {
      kind: 'multilabel',
      outputs: numbered('label', q),
      rows: names.map((name) => Float64Array.from(name.split('|'), Number)),
    };
  }
  const outputs = sortLabels(new Set(parts.flat()));
  if (outputs.length === 0) throw new UserError('no example has a label: there is nothing to learn');
  const place = new Map(outputs.map((name, k) => [name, k]));
  const rows = parts.map((own) => {
    const row = new Float64Array(outputs.length);
    for (const name of own) row[place.get(name) as number] = 1;
    return row;
  });
  return { kind: 'multilabel', outputs, rows };
}

const numbered = (what: string, count: number): string[] =>
  count === 1 ? [what] : Array.from({ length: count }, (_, k) => `${what} ${k + 1}`);

/** Values of examples, (n, q). @param labels place of each example's name */
export function valuesOf({ rows, outputs }: Reading, labels: ArrayLike<number>): Float64Array {
  const q = outputs.length;
  const values = new Float64Array(labels.length * q);
  for (let i = 0; i < labels.length; i++) values.set(rows[labels[i] as number] as Float64Array, i * q);
  return values;
}
