/** Matrix products. */

import type { Dims, Emitter } from '../../../ir/index.js';
import { floatAttribute, intAttribute, sizeOf, stringAttribute } from '../../../ir/index.js';
import type { Backward, RuleTable } from './rule.js';

/** Y = alpha op(A) op(B) + beta C. */
const gemm: Backward = (c) => {
  const { e, node } = c;
  const tA = intAttribute(node, 'transA', 0) === 1;
  const tB = intAttribute(node, 'transB', 0) === 1;
  const alpha = floatAttribute(node, 'alpha', 1);
  const dy = e.scale(c.dy(), alpha);
  const [a, b] = [c.x(0), c.x(1)];
  const da = c.needs(0)
    ? tA
      ? e.gemm(b, dy, { transA: tB, transB: true })
      : e.gemm(dy, b, { transB: !tB })
    : undefined;
  const db = c.needs(1)
    ? tB
      ? e.gemm(dy, a, { transA: true, transB: tA })
      : e.gemm(a, dy, { transA: !tA })
    : undefined;
  const bias = c.has(2) && c.needs(2);
  return [da, db, bias ? e.scale(e.sumTo(c.dy(), c.xDims(2)), floatAttribute(node, 'beta', 1)) : undefined];
};

/** All leading axes folded into one: (m, k). */
function flat(e: Emitter, x: string): string {
  const dims = e.dims(x);
  const last = dims.at(-1) as number;
  return e.reshape(x, [sizeOf(dims) / last, last]);
}

/** Batched product; a weight matrix under batched rows is one large product. */
const matmul: Backward = (c) => {
  const { e } = c;
  const [a, b] = [c.x(0), c.x(1)];
  // Vectors are matrices with a one in the missing place.
  const aDims: Dims = e.rank(a) === 1 ? [1, ...e.dims(a)] : e.dims(a);
  const bDims: Dims = e.rank(b) === 1 ? [...e.dims(b), 1] : e.dims(b);
  const [n, m] = [aDims.at(-2) as number, bDims.at(-1) as number];
  const batch = [...c.yDims()].slice(0, c.yDims().length - (e.rank(a) > 1 ? 1 : 0) - (e.rank(b) > 1 ? 1 : 0));
  const dy = e.reshape(c.dy(), [...batch, n, m]);
  if (bDims.length === 2 && e.rank(a) >= 2) {
    const [dy2, b2] = [flat(e, dy), e.reshape(b, bDims)];
    return [
      c.needs(0) ? e.reshape(e.gemm(dy2, b2, { transB: true }), e.dims(a)) : undefined,
      c.needs(1) ? e.reshape(e.gemm(flat(e, a), dy2, { transA: true }), e.dims(b)) : undefined,
    ];
  }
  const [am, bm] = [e.reshape(a, aDims), e.reshape(b, bDims)];
  return [
    c.needs(0) ? e.reshape(e.sumTo(e.matmul(dy, e.transposeLast(bm)), aDims), e.dims(a)) : undefined,
    c.needs(1) ? e.reshape(e.sumTo(e.matmul(e.transposeLast(am), dy), bDims), e.dims(b)) : undefined,
  ];
};

/**
 * Of each operand: the sum of dy times the other operands over what they have and it has not. Axes that only the operand
 * has were summed, so that dy is the same along them.
 */
const einsum: Backward = (c) => {
  const { e } = c;
  const equation = stringAttribute(c.node, 'equation', '').replaceAll(' ', '');
  const [left = '', given] = equation.split('->');
  const terms = left.split(',');
  const letters = [...new Set(terms.join(''))];
  const once = letters.filter((l) => terms.join('').split(l).length === 2).sort();
  const result = given ?? once.join('');
  if (/\./.test(equation)) c.unsupported("an equation with '...'");
  if (terms.some((term) => new Set(term).size < term.length)) c.unsupported('a diagonal');
  const sizes = new Map(terms.flatMap((term, i) => [...term].map((l, k) => [l, c.xDims(i)[k] as number] as const)));
  return terms.map((term, i) => {
    if (!c.needs(i)) return undefined;
    const others = terms.flatMap((t, k) => (k === i ? [] : [{ term: t, value: c.x(k) }]));
    const parts = [{ term: result, value: c.dy() }, ...others];
    const known = [...term].filter((l) => parts.some((p) => p.term.includes(l)));
    const dims = known.map((l) => sizes.get(l) as number);
    const found = e.emit(
      'Einsum',
      parts.map((p) => p.value),
      dims,
      { equation: `${parts.map((p) => p.term).join(',')}->${known.join('')}` },
    );
    const apart = [...term].map((l) => (known.includes(l) ? (sizes.get(l) as number) : 1));
    return e.expand(e.reshape(found, apart), c.xDims(i));
  });
};

export const products: RuleTable = { Einsum: einsum, Gemm: gemm, MatMul: matmul };
