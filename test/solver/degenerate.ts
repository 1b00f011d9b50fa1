/**
 * Problems with columns that break solvers: dead, constant, duplicated, collinear, far from zero, tiny. The values come
 * from a hash of their place, the same as in test/fixtures/solver/degenerate.py, and are exact in float32.
 */
import { readFileSync } from 'node:fs';

export type Kind = 'clean' | 'dead' | 'constant' | 'duplicated' | 'collinear' | 'far' | 'tiny' | 'mixed';
export const kinds: readonly Kind[] = ['clean', 'dead', 'constant', 'duplicated', 'collinear', 'far', 'tiny', 'mixed'];

/** 32 bits for every pair. */
function hashed(seed: number, i: number, j: number): number {
  let h = (Math.imul(seed, 0x9e3779b1) + Math.imul(i, 0x85ebca77) + Math.imul(j, 0xc2b2ae3d)) >>> 0;
  for (const [shift, factor] of [
    [15, 0x2c1b3c6d],
    [12, 0x297a2d39],
  ] as const) {
    h = Math.imul(h ^ (h >>> shift), factor) >>> 0;
  }
  return (h ^ (h >>> 15)) >>> 0;
}

/** Classes in turn, as long as each has examples left. */
export function labelsOf(sizes: readonly number[]): number[] {
  const rounds = Math.max(...sizes);
  return Array.from({ length: rounds }, (_, r) => sizes.flatMap((size, c) => (r < size ? [c] : []))).flat();
}

export interface Problem {
  readonly n: number;
  readonly p: number;
  readonly classes: number;
  readonly y: number[];
  /** Feature-major, (p, n). */
  readonly x: Float64Array;
}

export interface Drawn {
  readonly sizes: readonly number[];
  readonly p: number;
  readonly seed: number;
  readonly kind: Kind;
}

export function draw({ sizes, p, seed, kind }: Drawn): Problem {
  const y = labelsOf(sizes);
  const n = y.length;
  const x = new Float64Array(p * n);
  const column = (j: number) => x.subarray(j * n, (j + 1) * n);
  for (let j = 0; j < p; j++) {
    for (const [i, c] of y.entries()) {
      const h = hashed(seed, i, j);
      const bytes = (h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24);
      const signal = j % 5 < 2 ? ((hashed(seed + 1, c, j) & 7) - 3) / 4 : 0;
      column(j)[i] = (bytes - 510) / 128 + signal;
    }
  }
  spoil(kind, p, x, column);
  return { n, p, classes: sizes.length, y, x };
}

function spoil(kind: Kind, p: number, x: Float64Array, column: (j: number) => Float64Array): void {
  const add = (to: number, a: number, b: number) =>
    column(to).set(column(a).map((v, i) => v + (column(b)[i] as number)));
  const map = (values: Float64Array, f: (v: number) => number) => values.set(values.map(f));
  if (kind === 'dead' || kind === 'mixed') column(1).fill(0);
  if (kind === 'constant') column(1).fill(3.75);
  if (kind === 'mixed' && p > 2) column(2).fill(3.75);
  if (kind === 'duplicated') column(1).set(column(0));
  if (kind === 'collinear') add(1, 0, 2);
  if (kind === 'collinear' && p > 3) add(3, 0, 0);
  if (kind === 'far') map(x, (v) => v + 10_000);
  if (kind === 'tiny') map(x, (v) => v * 2 ** -40);
  if (kind === 'mixed' && p > 7) {
    column(3).set(column(0));
    add(4, 0, 5);
    map(column(6), (v) => v + 10_000);
    map(column(7), (v) => v * 2 ** -40);
  }
}

export interface Case extends Drawn {
  readonly shape: string;
  readonly standardize: boolean;
  readonly weighted: boolean;
  /** sum_i v_i CE_i + lambda ||W||^2 at its lowest. */
  readonly l2: { lambda: number; objective: number }[];
  /** sum_i v_i ||y_i - W' x_i - b||^2 + lambda ||W||^2 at its lowest, and the mean squared leave-one-out error. */
  readonly ridge?: { lambda: number; objective: number; looError: number }[];
}

export interface Neighbours {
  readonly kind: Kind;
  readonly metric: 'cosine' | 'euclidean' | 'centroid';
  readonly votes?: number[];
  readonly predicted?: number[];
}

/** What scikit-learn says. */
export const expected = JSON.parse(
  readFileSync(new URL('../fixtures/solver/degenerate.json', import.meta.url), 'utf8'),
) as { cases: Case[]; balanced: { lambda: number; objective: number }[]; neighbours: Neighbours[] };

/** The weights of a case's examples. */
export const weightsOf = (n: number): number[] => Array.from({ length: n }, (_, i) => (i % 3 === 0 ? 3 : 1));
