/** Dense matrix products and transposes, by the engine. */
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { countMacs } from './macs.js';
import { type Floats, type Precision, precisionOf, programFor, tensor } from './programs.js';

/** Row-major. */
export interface Matrix<T extends Floats = Float64Array> {
  readonly rows: number;
  readonly columns: number;
  readonly data: T;
}

/** a b, or a' b when `transposed`, of matrices of one precision; written into `into` where it is given. */
export type Multiply = <T extends Floats = Float64Array>(
  a: Matrix<T>,
  b: Matrix<T>,
  transposed?: boolean,
  into?: T,
) => Promise<T>;

/** Matrix products on an engine. */
export async function products(engine: Engine): Promise<Multiply> {
  const compiled = (precision: Precision, transposed: boolean) =>
    programFor(engine, `product ${precision} ${transposed}`, () => {
      const g = GraphBuilder.of(precision);
      const a = g.input('a');
      g.output(g.matmul(transposed ? g.transpose(a, [1, 0]) : a, g.input('b')), 'c');
      return g.build();
    });
  return async <T extends Floats>(a: Matrix<T>, b: Matrix<T>, transposed = false, into?: T) => {
    const rows = transposed ? a.columns : a.rows;
    countMacs(engine, rows * b.rows * b.columns);
    const program = await compiled(precisionOf(a.data), transposed);
    const feeds = { a: tensor([a.rows, a.columns], a.data), b: tensor([b.rows, b.columns], b.data) };
    if (!into) return (await program.run(feeds)).c.data as T;
    await program.run(feeds, undefined, { c: tensor([rows, b.columns], into) });
    return into;
  };
}

/** Writes the transpose of x into xt (columns, rows), of the same precision. */
export async function transpose<T extends Floats>(
  engine: Engine,
  { rows, columns, data: x }: { rows: number; columns: number; data: T },
  xt: T,
): Promise<void> {
  const precision = precisionOf(x);
  const program = await programFor(engine, `transpose ${precision}`, () => {
    const g = GraphBuilder.of(precision);
    g.output(g.transpose(g.input('x'), [1, 0]), 'xt');
    return g.build();
  });
  await program.run({ x: tensor([rows, columns], x) }, undefined, { xt: tensor([columns, rows], xt) });
}
