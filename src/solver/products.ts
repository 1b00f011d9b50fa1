/** Dense matrix products and transposes in float64, by the engine. */
import type { Engine } from '../engine/index.js';
import { GraphBuilder } from '../ir/index.js';
import { countMacs } from './macs.js';
import { type Floats, precisionOf, programFor, tensor } from './programs.js';

/** Row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** a b, or a' b when `transposed`; written into `into` where it is given. */
export type Multiply = (a: Matrix, b: Matrix, transposed?: boolean, into?: Float64Array) => Promise<Float64Array>;

/** Matrix products on an engine. */
export async function products(engine: Engine): Promise<Multiply> {
  const compile = (transposed: boolean) =>
    programFor(engine, `product ${transposed}`, () => {
      const g = GraphBuilder.of('float64');
      const a = g.input('a');
      g.output(g.matmul(transposed ? g.transpose(a, [1, 0]) : a, g.input('b')), 'c');
      return g.build();
    });
  const [plain, flipped] = await Promise.all([compile(false), compile(true)]);
  return async (a, b, transposed = false, into) => {
    const rows = transposed ? a.columns : a.rows;
    countMacs(engine, rows * b.rows * b.columns);
    const program = transposed ? flipped : plain;
    const feeds = { a: tensor([a.rows, a.columns], a.data), b: tensor([b.rows, b.columns], b.data) };
    if (!into) return (await program.run(feeds)).c.data as Float64Array;
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
