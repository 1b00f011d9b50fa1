/**
 * What is true of examples: one class each. Everything here that reads a label does so for the kind 'class'; other kinds
 * (several labels, real values, none) would stand beside it.
 */
import { UserError } from '../base/index.js';
import type { Rows } from './rows.js';
import { byCodePoint, quoteSome } from './text.js';

/** A class by its number and by its name. */
export interface ClassLabel {
  /** Index into the data set's classes. */
  readonly label: number;
  /** Name of that class. */
  readonly class: string;
}

const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The one order of labels everywhere: by value when all are numbers, otherwise by code points. */
export function sortLabels(labels: Iterable<string>): string[] {
  const list = [...labels];
  const areNumbers = list.every((label) => number.test(label));
  return list.sort((a, b) => (areNumbers ? Number(a) - Number(b) : 0) || byCodePoint(a, b));
}

/** @throws UserError for labels that are no names: a missing value, or one number written in two ways */
export function checkLabels(labels: Iterable<string>, where: string): void {
  const byValue = new Map<number, string>();
  for (const label of labels) {
    if (/^nan$/i.test(label)) {
      throw new UserError(`${where}: the label '${label}' stands for a missing value; fill it in or remove the row`);
    }
    if (!number.test(label)) continue;
    const same = byValue.get(Number(label));
    if (same !== undefined && same !== label) {
      throw new UserError(`${where}: the labels '${same}' and '${label}' are one number; write them alike`);
    }
    byValue.set(Number(label), label);
  }
}

/** Different labels in order, and the index of each. */
export function indexLabels(labels: Iterable<string>): { labels: string[]; indexOf: ReadonlyMap<string, number> } {
  const sorted = sortLabels(new Set(labels));
  return { labels: sorted, indexOf: new Map(sorted.map((label, i) => [label, i])) };
}

/** Labels and groups of examples, as folds, holdouts and subsets take them. An example without a group is its own. */
export function rowsOf(
  examples: readonly (ClassLabel & { readonly group?: string })[],
  classes: readonly string[],
): Rows & { labels: number[] } {
  const isGrouped = examples.some((e) => e.group !== undefined);
  return {
    labels: examples.map((e) => e.label),
    groups: isGrouped ? examples.map((e, i) => e.group ?? `alone ${i}`) : undefined,
    classes,
  };
}

/** Classes that are too small to learn from or are absent from a split. */
export function classWarnings(
  classes: readonly string[],
  examples: readonly (ClassLabel & { readonly split: string })[],
): string[] {
  const counts = new Map<string, number[]>();
  for (const { split, label } of examples) {
    const count = counts.get(split) ?? classes.map(() => 0);
    count[label] = (count[label] as number) + 1;
    counts.set(split, count);
  }
  const target = targetMeant(
    classes,
    [...counts].flatMap(([split, count]) => (split === 'test' ? [] : [count])),
  );
  if (target) return [`${classes.length} labels, most of them on one image: ${target}`];
  const warnings: string[] = [];
  if (classes.length === 1) warnings.push(`there is only one class, '${classes[0]}': nothing can be told apart`);
  for (const split of [...counts.keys()].sort(byCodePoint)) {
    const count = counts.get(split) as number[];
    const absent = classes.filter((_, c) => count[c] === 0);
    if (absent.length > 0) {
      warnings.push(`${classesNamed(absent)} without any image in split '${split}'`);
    }
    // One test image makes a coarse estimate; one training image cannot be both trained on and validated on.
    const single = classes.filter((_, c) => count[c] === 1);
    if (split !== 'test' && single.length > 0) {
      warnings.push(`${classesNamed(single)} with only one image in split '${split}'`);
    }
  }
  return warnings;
}

/** Labels of which most stand on one image are no classes where they are numbers, or sets of names: how they can be read. */
function targetMeant(classes: readonly string[], counts: readonly (readonly number[])[]): string | undefined {
  const rare = classes.filter((_, c) => counts.reduce((sum, count) => sum + (count[c] as number), 0) <= 1);
  if (classes.length < 5 || rare.length < classes.length / 2) return undefined;
  const parts = classes.map((name) => name.split('|'));
  const isValue = (part: string) => part.trim() !== '' && Number.isFinite(Number(part));
  if (parts.every((own) => own.length === parts[0]?.length && own.every(isValue))) {
    return 'they look like numbers, which toehold probe --target regression reads as values';
  }
  if (parts.some((own) => own.length > 1)) {
    return 'they look like sets of labels, which toehold probe --target multilabel reads one by one';
  }
  return undefined;
}

function classesNamed(names: readonly string[]): string {
  return `${names.length === 1 ? 'class' : `${names.length} classes`} ${quoteSome(names)}`;
}
