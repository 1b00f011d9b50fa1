import fc from 'fast-check';
import { describe, test } from 'vitest';
import { expectGradient } from '../../support/gradients.js';

const axis = fc
  .record({ kernel: fc.integer({ min: 1, max: 3 }), stride: fc.integer({ min: 1, max: 3 }), extra: fc.nat({ max: 5 }) })
  .chain((a) =>
    fc
      .record({ begin: fc.nat({ max: a.kernel - 1 }), end: fc.nat({ max: a.kernel - 1 }) })
      .map((p) => ({ ...a, ...p, size: a.kernel + a.extra })),
  );

const pool = fc.record({
  axes: fc.array(axis, { minLength: 2, maxLength: 2 }),
  ceil: fc.boolean(),
  include: fc.boolean(),
  seed: fc.nat(),
});

/** Distinct values, in an order that depends on the seed, so that no window has two maxima within the step. */
const distinct = (seed: number) => (v: number, _: number, i: number) => v * 0.01 + ((i * 17 + seed) % 101) * 0.3;

function attributes(axes: { kernel: number; stride: number; begin: number; end: number }[]) {
  return {
    kernel_shape: axes.map((a) => a.kernel),
    strides: axes.map((a) => a.stride),
    pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
  };
}

describe('pools', () => {
  test('MaxPool: any window, overlapping too', () =>
    fc.assert(
      fc.asyncProperty(pool, ({ axes, ceil, seed }) => {
        // A last window that would start in the padding is no window.
        fc.pre(!ceil || axes.every((a) => a.end === 0 && a.kernel >= a.stride));
        return expectGradient({
          type: 'float32',
          seed,
          dims: [[2, 3, ...axes.map((a) => a.size)]],
          sample: distinct(seed),
          tolerance: 1e-3,
          write: (b, [x]) => b.op('MaxPool', [x as string], { ...attributes(axes), ceil_mode: Number(ceil) }),
        });
      }),
      { numRuns: 30, seed: 4 },
    ));

  test('AveragePool: any window, padding counted or not', () =>
    fc.assert(
      fc.asyncProperty(pool, ({ axes, ceil, include, seed }) => {
        fc.pre(!ceil || axes.every((a) => a.end === 0 && a.kernel >= a.stride));
        return expectGradient({
          type: 'float32',
          seed,
          dims: [[2, 3, ...axes.map((a) => a.size)]],
          step: 0.5,
          tolerance: 1e-4,
          write: (b, [x]) =>
            b.op('AveragePool', [x as string], {
              ...attributes(axes),
              ceil_mode: Number(ceil),
              count_include_pad: Number(include),
            }),
        });
      }),
      { numRuns: 30, seed: 6 },
    ));

  test('AveragePool whose last window goes beyond the image, without declared padding', () =>
    expectGradient({
      type: 'float32',
      step: 0.5,
      tolerance: 1e-4,
      dims: [[1, 2, 8, 8]],
      write: (b, xs) =>
        b.op('AveragePool', xs, { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1, count_include_pad: 1 }),
    }));

  test.each([1, 2, 3])('LpPool of power %s', (p) =>
    expectGradient({
      type: 'float32',
      dims: [[2, 3, 6, 5]],
      sample: (v) => (v < 0 ? v - 0.2 : v + 0.2),
      write: (b, xs) => [
        b.op('LpPool', xs, { kernel_shape: [2, 3], strides: [2, 1], pads: [0, 1, 1, 1], p }),
        b.op('GlobalLpPool', xs, { p }),
      ],
    }),
  );

  test('global pools', () =>
    expectGradient({
      type: 'float32',
      dims: [[2, 3, 4, 5]],
      sample: distinct(3),
      write: (b, [x]) => [b.op('GlobalAveragePool', [x as string]), b.op('GlobalMaxPool', [x as string])],
    }));
});
