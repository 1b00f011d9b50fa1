/** Dense matrix products and transposes in float64, by the engine. */
import type { Engine } from '../engine/index.js';
import { type Floats, MathBuilder, precisionOf, programFor, tensor } from './programs.js';

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
    const { c } = await (transposed ? flipped : plain).run({
      a: tensor([a.rows, a.columns], a.data),
      b: tensor([b.rows, b.columns], b.data),
    });
    return c.data as Float64Array;
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
    const g = new MathBuilder(precision);
    g.output(g.op('Transpose', [g.input('x')], { perm: [1, 0] }), 'xt');
    return g.builder.build();
  });
  await program.run({ x: tensor([rows, columns], x) }, undefined, { xt: tensor([columns, rows], xt) });
}
