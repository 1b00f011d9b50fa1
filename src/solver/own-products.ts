/** z'z by its lower blocks: the upper ones are their mirror images. */
import type { GraphBuilder } from '../ir/index.js';

/** Columns from which on blocks gain more than their assembly costs. */
const MANY = 256;
const PARTS = 4;

/** In how many parts the columns are cut: a part of the names of compiled graphs. */
export const partsOf = (columns: number): number => (columns < MANY ? 1 : PARTS);

/** sum (n, n), symmetric, plus the products of every two columns of z (k, n): of four parts 10 of 16 blocks are computed. */
export function addOwnProducts(g: GraphBuilder, sum: string, z: string, parts: number): string {
  const add = (bias: string, a: string, b: string) => g.gemm(a, b, { transA: true, bias });
  if (parts === 1) return add(sum, z, z);
  const cut = (x: string, axis: number) => g.ops('Split', [x], parts, { axis, num_outputs: parts });
  const columns = cut(z, 1);
  const below = cut(sum, 0).map((rows, i) =>
    cut(rows, 1)
      .slice(0, i + 1)
      .map((bias, j) => add(bias, columns[i], columns[j])),
  );
  const rows = below.map((own, i) => {
    const mirrored = below.slice(i + 1).map((other) => g.transpose(other[i], [1, 0]));
    return g.concat([...own, ...mirrored], 1);
  });
  return g.concat(rows, 0);
}
