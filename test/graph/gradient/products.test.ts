import fc from 'fast-check';
import { describe, test } from 'vitest';
import { expectGradient } from '../../support/gradients.js';

describe('matrix products', () => {
  for (const [a, b] of [
    [
      [3, 4],
      [4, 5],
    ],
    [
      [2, 3, 4],
      [4, 5],
    ],
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [
      [2, 1, 3, 4],
      [3, 4, 5],
    ],
    [
      [3, 4],
      [2, 4, 5],
    ],
    [[4], [4, 5]],
    [[2, 3, 4], [4]],
    [[4], [2, 4, 5]],
    [[4], [4]],
  ] as [number[], number[]][]) {
    test(`MatMul of [${a}] and [${b}]`, () => expectGradient({ dims: [a, b], write: (g, xs) => g.op('MatMul', xs) }));
  }

  test('Gemm with any transposition, factors and bias shape', () =>
    fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom([5], [3, 1], [1, 5], [], [3, 5]),
        (transA, transB, bias) =>
          expectGradient({
            dims: [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5], bias],
            write: (b, xs) => b.op('Gemm', xs, { transA: Number(transA), transB: Number(transB), alpha: 0.5, beta: 2 }),
          }),
      ),
      { numRuns: 12, seed: 3 },
    ));

  test.each(['ij->i', 'i,j->ji', 'bhid,bhjd->bhij', 'ij,jk', 'ij,ik->k'])('Einsum of %s', (equation) => {
    const size = (letter: string) => 2 + 'bhijkd'.indexOf(letter);
    const terms = equation.split('->')[0]?.split(',') ?? [];
    return expectGradient({
      dims: terms.map((term) => [...term].map(size)),
      write: (b, xs) => b.op('Einsum', xs, { equation }),
    });
  });
});
