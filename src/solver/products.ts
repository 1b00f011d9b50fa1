/** Dense float64 products, transposes and vectors: the engine for matrices, loops for vectors. */
import type { Engine } from '../engine/index.js';
import { transposeGraph } from './path/graphs.js';
import { MathBuilder, programFor, tensor } from './programs.js';

/** Row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** Matrix products a b in float64, a transposed when asked. */
export async function products(
  engine: Engine,
): Promise<(a: Matrix, b: Matrix, transposed?: boolean) => Promise<Float64Array>> {
  const build = (transposed: boolean) =>
    programFor(engine, `product ${transposed}`, () => {
      const g = new MathBuilder('float64');
      const a = g.input('a');
      g.output(g.op('MatMul', [transposed ? g.op('Transpose', [a], { perm: [1, 0] }) : a, g.input('b')]), 'c');
      return g.builder.build();
    });
  const [plain, flipped] = await Promise.all([build(false), build(true)]);
  return async (a, b, transposed = false) => {
    const { c } = await (transposed ? flipped : plain).run({
      a: tensor([a.rows, a.columns], a.data),
      b: tensor([b.rows, b.columns], b.data),
    });
    return c?.data as Float64Array;
  };
}

export async function transposed(engine: Engine, m: Matrix): Promise<Float64Array> {
  const program = await programFor(engine, 'transpose float64', () => transposeGraph('float64'));
  const { xt } = await program.run({ x: tensor([m.rows, m.columns], m.data) });
  return xt?.data as Float64Array;
}

export function inner(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** y + s x into a new array. */
export function plus(y: Float64Array, s: number, x: Float64Array): Float64Array {
  const result = new Float64Array(y.length);
  for (let i = 0; i < y.length; i++) result[i] = y[i] + s * x[i];
  return result;
}
