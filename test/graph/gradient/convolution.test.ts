import fc from 'fast-check';
import { describe, test } from 'vitest';
import { expectGradient } from '../../support/gradients.js';

/** Convolutions are linear in each input: a step of 1/2 has no error but float32's. */
const linear = { type: 'float32', step: 0.5, tolerance: 1e-4 } as const;

const axis = fc
  .record({
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.integer({ min: 0, max: 3 }),
    end: fc.integer({ min: 0, max: 3 }),
    extra: fc.integer({ min: 0, max: 5 }),
  })
  .map((a) => ({ ...a, size: Math.max(1, (a.kernel - 1) * a.dilation + 1 - a.begin - a.end) + a.extra }));

function attributes(
  axes: { kernel: number; stride: number; dilation: number; begin: number; end: number }[],
  group: number,
) {
  return {
    kernel_shape: axes.map((a) => a.kernel),
    strides: axes.map((a) => a.stride),
    dilations: axes.map((a) => a.dilation),
    pads: [...axes.map((a) => a.begin), ...axes.map((a) => a.end)],
    group,
  };
}

const groups = fc.record({
  group: fc.integer({ min: 1, max: 3 }),
  inner: fc.integer({ min: 1, max: 2 }),
  outer: fc.integer({ min: 1, max: 2 }),
  batch: fc.integer({ min: 1, max: 3 }),
});

describe('Conv', () => {
  for (const rank of [1, 2]) {
    test(`${rank}-D with any stride, padding, dilation and groups (depthwise among them)`, () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(axis, { minLength: rank, maxLength: rank }),
          groups,
          fc.nat(),
          (axes, { group, inner, outer, batch }, seed) =>
            expectGradient({
              ...linear,
              seed,
              dims: [
                [batch, group * inner, ...axes.map((a) => a.size)],
                [group * outer, inner, ...axes.map((a) => a.kernel)],
                [group * outer],
              ],
              write: (b, xs) => b.op('Conv', xs, attributes(axes, group)),
            }),
        ),
        { numRuns: 40, seed: 7 },
      ));
  }

  for (const auto_pad of ['SAME_UPPER', 'SAME_LOWER', 'VALID']) {
    test(`auto_pad ${auto_pad}`, () =>
      expectGradient({
        ...linear,
        dims: [
          [2, 3, 7, 6],
          [4, 3, 3, 3],
        ],
        write: (b, xs) => b.op('Conv', xs, { auto_pad, strides: [2, 2], kernel_shape: [3, 3] }),
      }));
  }
});

describe('ConvTranspose', () => {
  test('with any stride, padding, dilation, groups and output padding', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(axis, { minLength: 2, maxLength: 2 }),
        groups,
        fc.boolean(),
        fc.nat(),
        (axes, { group, inner, outer, batch }, lengthen, seed) => {
          const cropped = axes.map((a) => ({
            ...a,
            begin: Math.min(a.begin, 1),
            end: Math.min(a.end, 1),
            size: a.extra + 3,
          }));
          fc.pre(cropped.every((a) => (a.size - 1) * a.stride + (a.kernel - 1) * a.dilation + 1 > a.begin + a.end));
          return expectGradient({
            ...linear,
            seed,
            dims: [
              [batch, group * inner, ...cropped.map((a) => a.size)],
              [group * inner, outer, ...cropped.map((a) => a.kernel)],
              [group * outer],
            ],
            write: (b, xs) =>
              b.op('ConvTranspose', xs, {
                ...attributes(cropped, group),
                output_padding: cropped.map((a) => (lengthen ? a.stride - 1 : 0)),
              }),
          });
        },
      ),
      { numRuns: 30, seed: 8 },
    ));
});
