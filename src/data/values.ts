/**
 * What the labels of a task mean. A label is a name; a kind of target reads it: as a class, as one or several real values, or
 * as the set of labels that are true of the example. Values and labels of one example stand with | between them.
 */
import { UserError } from '../base/index.js';
import type { Dataset, Example } from './example.js';
import { sortLabels } from './targets.js';

/** What examples may be labelled with: one class, real values, or several labels. */
export const targetKinds = ['class', 'regression', 'multilabel'] as const;
/** What examples are labelled with. */
export type TargetKind = (typeof targetKinds)[number];
type ValuedKind = Exclude<TargetKind, 'class'>;

/** Numbers that stand for the names of labels. */
export interface Reading {
  readonly kind: ValuedKind;
  /** Names of the values, or the labels, (q). */
  readonly outputs: readonly string[];
  /** Of each name that was read, (q). */
  readonly rows: readonly Float64Array[];
  /** Labels that are none of the given outputs, in order. */
  readonly unknown?: readonly string[];
}

/**
 * @param names labels as written
 * @param outputs of an earlier reading, of which these are other examples; labels that it does not have are left out
 * @throws UserError for what is no number, or not as many numbers everywhere
 */
export function readNames(kind: ValuedKind, names: readonly string[], outputs?: readonly string[]): Reading {
  return kind === 'regression' ? readNumbers(names, outputs) : readSets(names, outputs);
}

function readNumbers(names: readonly string[], outputs?: readonly string[]): Reading {
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
  const q = outputs?.length ?? rows[0]?.length ?? 0;
  const other = rows.findIndex((row) => row.length !== q);
  if (other >= 0) {
    if (outputs) throw new UserError(`the label '${names[other]}' is not ${q} numbers, as others are`);
    throw new UserError(
      `the labels '${names[0]}' and '${names[other]}' are ${q} and ${rows[other]?.length} numbers: give every example as many`,
    );
  }
  return { kind: 'regression', outputs: outputNames('regression', q), rows };
}

function readSets(names: readonly string[], given?: readonly string[]): Reading {
  const parts = names.map((name) =>
    [...new Set(name.split('|').map((part) => part.trim()))].filter((part) => part !== ''),
  );
  const q = given?.length ?? names[0]?.split('|').length ?? 0;
  const columns = outputNames('multilabel', q);
  const other = names.find((name) => name.split('|').length !== q || !/^[01](?:\|[01])*$/.test(name));
  if (q > 1 && (given ? given.join('|') === columns.join('|') : other === undefined)) {
    if (other !== undefined) throw new UserError(`the label '${other}' is not ${q} of 0 and 1, as others are`);
    return {
      kind: 'multilabel',
      outputs: columns,
      rows: names.map((name) => Float64Array.from(name.split('|'), Number)),
    };
  }
  const found = sortLabels(new Set(parts.flat()));
  const outputs = given ?? found;
  if (outputs.length === 0) throw new UserError('no example has a label: there is nothing to learn');
  const place = new Map(outputs.map((name, k) => [name, k]));
  const rows = parts.map((own) => {
    const row = new Float64Array(outputs.length);
    for (const name of own) {
      const k = place.get(name);
      if (k !== undefined) row[k] = 1;
    }
    return row;
  });
  return { kind: 'multilabel', outputs, rows, unknown: found.filter((name) => !place.has(name)) };
}

/** Names of q values or labels that nobody has named. */
export function outputNames(kind: ValuedKind, q: number): string[] {
  const what = kind === 'regression' ? 'value' : 'label';
  return q === 1 ? [what] : Array.from({ length: q }, (_, k) => `${what} ${k + 1}`);
}

/** Values of examples, (n, q). @param labels place of each example's name */
export function valuesOf({ rows, outputs }: Reading, labels: ArrayLike<number>): Float64Array {
  const q = outputs.length;
  const values = new Float64Array(labels.length * q);
  for (let i = 0; i < labels.length; i++) values.set(rows[labels[i] as number] as Float64Array, i * q);
  return values;
}

/** A data set as if all examples were of one class. */
export interface Unclassed {
  readonly data: Dataset;
  /** What an example of it is labelled with. */
  nameOf(example: Pick<Example, 'file'>): string;
}

/** A data set of values or sets of labels as if all examples were of one class, and what each is labelled with. */
export function withoutClasses(data: Dataset): Unclassed {
  const names = new Map(data.examples.map((e) => [e.file, data.classes[e.label] as string]));
  return {
    data: { ...data, classes: [''], examples: data.examples.map((e) => ({ ...e, label: 0, class: '' })) },
    nameOf: ({ file }) => names.get(file) as string,
  };
}

/** Training examples and test examples in numbers. */
export interface ReadValues {
  /** Names of the values, or the labels, (q): said by training examples alone. */
  readonly outputs: readonly string[];
  /** Of training examples, (n, q). */
  readonly values: Float64Array;
  /** Of test examples, (n test, q). */
  readonly truth: Float64Array;
  /** Labels that test examples alone have, which are no outputs: one sentence, if there are any. */
  readonly warnings: readonly string[];
}

/**
 * @param train labels of training examples as written
 * @param test of test examples
 * @throws UserError as readNames
 */
export function readValues(kind: ValuedKind, train: readonly string[], test: readonly string[]): ReadValues {
  const reading = readNames(kind, train);
  const { outputs } = reading;
  const other = readNames(kind, test, outputs);
  const all = (read: Reading) => valuesOf(read, [...read.rows.keys()]);
  const { unknown = [] } = other;
  return {
    outputs,
    values: all(reading),
    truth: all(other),
    warnings: unknown.length > 0 ? [`${unknown.join(', ')}: on test examples alone, and so not scored`] : [],
  };
}
