/** Dense matrix products and transposes in float64, by the engine. */
import type { Engine } from '../engine/index.js';
import { countMacs } from './macs.js';
import { MathBuilder, type Precision, programFor, tensor } from './programs.js';

/** Row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** a b, or a' b when `transposed`. */
export type Multiply = (a: Matrix, b: Matrix, transposed?: boolean) => Promise<Float64Array>;

export async function products(engine: Engine): Promise<Multiply> {
  const compile = (transposed: boolean) =>
    programFor(engine, `product ${transposed}`, () => {
      const g = new MathBuilder('float64');
      const a = g.input('a');
      g.output(g.op('MatMul', [transposed ? g.op('Transpose', [a], { perm: [1, 0] }) : a, g.input('b')]), 'c');
      return g.builder.build();
    });
  const [plain, flipped] = await Promise.all([compile(false), compile(true)]);
  return async (a, b, transposed = false) => {
    countMacs(engine, (transposed ? a.columns : a.rows) * b.rows * b.columns);
    const { c } = await (transposed ? flipped : plain).run({
      a: tensor([a.rows, a.columns], a.data),
      b: tensor([b.rows, b.columns], b.data),
    });
    return c.data as Float64Array;
  };
}

/** Writes the transpose of x (rows, columns) into xt (columns, rows), of the same precision. */
export async function transpose<T extends Float32Array | Float64Array>(
  engine: Engine,
  precision: Precision,
  [rows, columns]: readonly [number, number],
  x: T,
  xt: T,
): Promise<void> {
  const program = await programFor(engine, `transpose ${precision}`, () => {
    const g = new MathBuilder(precision);
    g.output(g.op('Transpose', [g.input('x')], { perm: [1, 0] }), 'xt');
    return g.builder.build();
  });
  await program.run({ x: tensor([rows, columns], x) }, undefined, { xt: tensor([columns, rows], xt) });
}
