/** Inverses of symmetric positive definite matrices by halves: what is cubic in them is the engine's products. */
import type { Engine } from '../engine/index.js';
import { GraphBuilder, int64 } from '../ir/index.js';
import { cut } from './blocks.js';
import { giveBuffers, takeBuffer } from './buffers.js';
import { countMacs } from './macs.js';
import { programFor, tensor } from './programs.js';

/** Rows up to which a matrix is inverted by itself. */
const LEAF = 64;

/**
 * a^-1 (size, size), symmetric up to rounding; undefined when rounding has made a indefinite.
 *
 *   [A  B']^-1   [A^-1 + W' S^-1 W   -W' S^-1]
 *   [B  C ]    = [-S^-1 W              S^-1  ],   W = B A^-1, S = C - W B'
 *
 * with both halves inverted likewise: 2/3 size^3 multiply-adds, nearly all in large products.
 * @param a row-major, its lower triangle is read
 * @param into where it is written
 */
export async function inverseOf(
  engine: Engine,
  a: Float64Array,
  size: number,
  into = new Float64Array(size * size),
): Promise<Float64Array | undefined> {
  if (size <= LEAF) return sweptInverse(a, size, into);
  const h = size >> 1;
  const rest = size - h;
  const square = (rows: number, data: Float64Array) => tensor([rows, rows], data);
  const buffers = [
    takeBuffer(h * h),
    takeBuffer(h * h),
    takeBuffer(rest * h),
    takeBuffer(rest * rest),
    takeBuffer(rest * rest),
  ];
  const [upper, first, w, s, second] = buffers;
  if (!(await inverseOf(engine, cut(a, size, [0, h], [0, h], upper).data, h, first))) return undefined;
  const given = { a: square(size, a), first: square(h, first), h: int64([h]) };
  const below = tensor([rest, h], w);
  await (await complement(engine)).run(given, undefined, { w: below, s: square(rest, s) });
  if (!(await inverseOf(engine, s, rest, second))) return undefined;
  const parts = { first: square(h, first), w: below, second: square(rest, second) };
  await (await whole(engine)).run(parts, undefined, { inverse: square(size, into) });
  countMacs(engine, 2 * rest * h * size);
  giveBuffers(...buffers);
  return into;
}

/** W and S of a matrix whose first h rows and columns have this inverse. */
const complement = (engine: Engine) =>
  programFor(engine, 'complement of a half', () => {
    const g = GraphBuilder.of('float64');
    const [a, first, h] = [g.input('a'), g.input('first'), g.input('h', 'int64')];
    const [zero, end] = [g.ints([0]), g.ints([2 ** 31 - 1])];
    const part = (x: string, from: string, to: string, axis: number) => g.op('Slice', [x, from, to, g.ints([axis])]);
    const lower = part(a, h, end, 0);
    const b = part(lower, zero, h, 1);
    const w = g.matmul(b, first);
    g.output(w, 'w');
    g.output(g.sub(part(lower, h, end, 1), g.matmul(w, g.transpose(b, [1, 0]))), 's');
    return g.build();
  });

/** The inverse from that of its first half, W, and S^-1. */
const whole = (engine: Engine) =>
  programFor(engine, 'inverse of halves', () => {
    const g = GraphBuilder.of('float64');
    const [first, w, second] = [g.input('first'), g.input('w'), g.input('second')];
    const side = g.matmul(second, w);
    const corner = g.add(first, g.matmul(g.transpose(w, [1, 0]), side));
    const minus = g.op('Neg', [side]);
    const upper = g.concat([corner, g.transpose(minus, [1, 0])], 1);
    g.output(g.concat([upper, g.concat([minus, second], 1)], 0), 'inverse');
    return g.build();
  });

/**
 * By Gauss and Jordan's sweeps of the lower triangle (Goodnight, American Statistician 1979), half of whose work symmetry
 * spares: a pivot is what the ones before leave of a diagonal element, as in a Cholesky factor. In place of factor, its
 * inverse and their product these are loops without sums that would wait for themselves.
 */
function sweptInverse(a: Float64Array, size: number, into: Float64Array): Float64Array | undefined {
  const own = new Float64Array(size);
  into.set(a);
  for (let k = 0; k < size; k++) {
    const row = k * size;
    const pivot = into[row + k];
    if (!(pivot > 0)) return undefined;
    for (let j = 0; j < k; j++) own[j] = into[row + j];
    for (let i = k; i < size; i++) own[i] = into[i * size + k];
    for (let i = 0; i < size; i++) {
      const factor = own[i] / pivot;
      takeMultiple(into, i * size, own, factor, i + 1);
      if (i > k) into[i * size + k] = factor;
    }
    for (let j = 0; j < k; j++) into[row + j] = own[j] / pivot;
    into[row + k] = -1 / pivot;
  }
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      const value = -into[i * size + j];
      into[i * size + j] = value;
      into[j * size + i] = value;
    }
  }
  return into;
}

/** a[from + j] -= factor x[j] for j < count. */
function takeMultiple(a: Float64Array, from: number, x: Float64Array, factor: number, count: number): void {
  let j = 0;
  for (; j + 3 < count; j += 4) {
    a[from + j] -= factor * x[j];
    a[from + j + 1] -= factor * x[j + 1];
    a[from + j + 2] -= factor * x[j + 2];
    a[from + j + 3] -= factor * x[j + 3];
  }
  for (; j < count; j++) a[from + j] -= factor * x[j];
}
