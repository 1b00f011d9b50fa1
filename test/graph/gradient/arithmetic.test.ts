import fc from 'fast-check';
import { describe, test } from 'vitest';
import { expectGradient } from '../../support/gradients.js';

/** Two shapes that broadcast together. */
const broadcastable = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('both', 'left', 'right')), {
    minLength: 1,
    maxLength: 4,
  })
  .chain((axes) =>
    fc
      .nat({ max: axes.length - 1 })
      .map((drop): [number[], number[]] => [
        axes.map(([d, who]) => (who === 'right' ? 1 : d)),
        axes.map(([d, who]) => (who === 'left' ? 1 : d)).slice(drop),
      ]),
  );
const nonzero = (v: number) => (v < 0 ? v - 0.5 : v + 0.5);

describe('arithmetic under broadcasting', () => {
  for (const op of ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum']) {
    test(op, () =>
      fc.assert(
        fc.asyncProperty(broadcastable, fc.nat(), (dims, seed) =>
          expectGradient({
            dims,
            seed,
            step: 1e-6,
            tolerance: 1e-5,
            sample: op === 'Div' ? nonzero : (v) => v,
            write: (b, xs) => b.op(op, xs),
          }),
        ),
        { numRuns: 8, seed: 5 },
      ),
    );
  }

  test('a value times itself, and a value used by several operators', () =>
    expectGradient({
      dims: [[3, 4]],
      write: (b, [x]) => b.op('Add', [b.op('Mul', [x as string, x as string]), b.op('Exp', [x as string])]),
    }));

  test('Where', () =>
    expectGradient({
      dims: [
        [2, 3],
        [4, 1, 3],
        [2, 1],
      ],
      fixed: [0],
      write: (b, [c, x, y]) => b.where(b.cast(b.relu(c as string), 'bool'), x as string, y as string),
    }));

  for (const exponent of [2, 3, 0.5, -0.75]) {
    test(`Pow with exponent ${exponent}`, () =>
      expectGradient({
        dims: [[3, 5]],
        sample: (v) => Math.abs(v) + 0.5,
        write: (b, [x]) =>
          b.op('Pow', [x as string, b.constant({ type: 'float64', dims: [], data: Float64Array.of(exponent) })]),
      }));
  }

  test('Pow of two values', () =>
    expectGradient({
      dims: [[3, 5], [5]],
      sample: (v) => Math.abs(v) + 0.5,
      write: (b, xs) => b.op('Pow', xs),
    }));
});
