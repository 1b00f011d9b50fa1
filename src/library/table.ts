/** Features and labels as programs have them -> as probes read them. */
import { UserError } from '../base/index.js';
import { checkLabels, sortLabels } from '../data/index.js';
import type { ProbeTap } from '../probe/index.js';
import { arrayBlock, type FeatureBlock, FeatureMatrix, type FeatureMatrixOptions } from '../solver/index.js';
import { Features } from './features.js';

/** X: what extract gives, numbers of shape (n, p) row by row, or a row an example. */
export type Table =
  | Features
  | { readonly data: ArrayLike<number>; readonly shape: readonly [n: number, p: number] }
  | readonly ArrayLike<number>[];

/** What a class is called in a program. */
export type Label = string | number;

/** Labels as classes: in numeric order where all are numbers. */
export interface Labels<L extends Label> {
  readonly classes: readonly L[];
  readonly names: readonly string[];
  /** Class of every example. */
  readonly indices: Int32Array;
}

/** @throws UserError for labels that are no names */
export function labelsOf<L extends Label>(y: ArrayLike<L>): Labels<L> {
  const texts = Array.from(y, (label, i) => {
    if (typeof label === 'string' || Number.isFinite(label)) return String(label);
    throw new UserError(`the label at row ${i} is ${label}: labels are strings or finite numbers`);
  });
  checkLabels(new Set(texts), 'y');
  const names = sortLabels(new Set(texts));
  const own = new Map(Array.from(y, (label, i) => [texts[i] as string, label]));
  return { names, classes: names.map((name) => own.get(name) as L), indices: indicesIn(names, texts) };
}

/** @throws UserError for a label that is none of the classes */
export function indicesIn(names: readonly string[], y: ArrayLike<Label>): Int32Array {
  const indexOf = new Map(names.map((name, k) => [name, k]));
  return Int32Array.from(Array.from(y), (label, i) => {
    const k = indexOf.get(String(label));
    if (k === undefined) {
      throw new UserError(`the label at row ${i}, '${label}', is none of the classes learned: ${names.join(', ')}`);
    }
    return k;
  });
}

/** The taps that a table's columns come from; of plain numbers one. */
export function tapsOfTable(X: Table): ProbeTap[] {
  if (X instanceof Features) {
    return X.taps.map(({ alias, name, features, depth, macs, params, pieces }) => ({
      alias,
      name,
      features,
      depth,
      macs,
      params,
      pieces,
    }));
  }
  return [{ alias: 'features', name: 'X', features: shapeOf(X)[1] }];
}

function shapeOf(X: Exclude<Table, Features>): readonly [n: number, p: number] {
  if ('shape' in X) return X.shape;
  return [X.length, X[0]?.length ?? 0];
}

/**
 * @param taps blocks that are asked for, by name, where X is what extract gave
 * @param shift what to subtract from each feature: the training matrix's, for other rows
 * @throws UserError when the shape is not that of the values, or a tap is missing
 */
export function matrixOf(
  X: Table,
  taps: readonly ProbeTap[],
  options: Pick<FeatureMatrixOptions, 'unitNorm'>,
  shift?: Float64Array,
): FeatureMatrix {
  if (X instanceof Features)
    return new FeatureMatrix(
      taps.map((tap) => tapBlock(X, tap)),
      X.shape[0],
      options,
    );
  const [n, p] = shapeOf(X);
  const values = 'shape' in X ? X.data : joined(X, p);
  if (values.length !== n * p) throw new UserError(`X has ${values.length} values for the shape (${n}, ${p})`);
  const array = { name: 'features', source: 'X', rows: n, features: p, values, fortranOrder: false };
  return new FeatureMatrix([arrayBlock(array, { ...options, shift })], n, options);
}

function joined(rows: readonly ArrayLike<number>[], p: number): Float32Array | Float64Array {
  const single = rows.every((row) => row instanceof Float32Array);
  const values = new (single ? Float32Array : Float64Array)(rows.length * p);
  for (const [i, row] of rows.entries()) {
    if (row.length !== p) throw new UserError(`row ${i} of X has ${row.length} numbers, and row 0 has ${p}`);
    values.set(row, i * p);
  }
  return values;
}

function tapBlock({ data, shape: [n, p], taps }: Features, { alias, name, features }: ProbeTap): FeatureBlock {
  let first = 0;
  const found = taps.find((tap) => {
    if (tap.name === name) return true;
    first += tap.features;
    return false;
  });
  if (found?.features !== features) {
    throw new UserError(
      found
        ? `tap '${alias}' has ${found.features} features here and had ${features} where the probe was fitted: use the same pooling`
        : `tap '${alias}', which the probe was fitted to, is missing: extract the same taps`,
    );
  }
  return {
    name: alias,
    features,
    read: async (from, count, into) => {
      for (let i = 0; i < n; i++) {
        const row = i * p + first + from;
        for (let j = 0; j < count; j++) into[j * n + i] = data[row + j] as number;
      }
    },
  };
}

/** Names of rows, for messages. */
export function filesOf(X: Table): readonly string[] {
  return X instanceof Features ? X.files : Array.from({ length: shapeOf(X)[0] }, (_, i) => `row ${i}`);
}

/** @throws UserError unless every row has a label, and a group where there are groups */
export function checkRows(rows: number, y: ArrayLike<unknown>, groups: readonly string[] | undefined): void {
  const [count, what] = y.length === rows ? [groups?.length ?? rows, 'groups'] : [y.length, 'labels'];
  if (count !== rows) throw new UserError(`${count} ${what} for the ${rows} rows of X: give one a row`);
}
