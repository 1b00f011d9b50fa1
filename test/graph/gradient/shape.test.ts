import fc from 'fast-check';
import { describe, test } from 'vitest';
import { int64 } from '../../../src/graph/index.js';
import { expectGradient } from '../../support/gradients.js';

describe('operators that move elements', () => {
  test('Reshape, Flatten, Squeeze, Unsqueeze', () =>
    expectGradient({
      dims: [[2, 1, 6]],
      write: (b, [x]) => [
        b.op('Mul', [b.op('Reshape', [x as string, b.ints([3, -1])]), b.op('Reshape', [x as string, b.ints([3, 4])])]),
        b.op('Exp', [b.op('Flatten', [x as string], { axis: 2 })]),
        b.op('Exp', [b.op('Squeeze', [x as string, b.ints([1])])]),
        b.op('Exp', [b.op('Unsqueeze', [x as string, b.ints([0, -1])])]),
      ],
    }));

  test('Transpose', () =>
    fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (perm) =>
        expectGradient({
          dims: [[2, 3, 1, 4]],
          write: (b, [x]) => b.op('Exp', [b.op('Transpose', [x as string], { perm })]),
        }),
      ),
      { numRuns: 6, seed: 1 },
    ));

  test('Pad beyond the ends by what is there', () =>
    expectGradient({
      type: 'float32',
      step: 0.5,
      tolerance: 1e-4,
      dims: [[2, 4, 5]],
      write: (b, [x = '']) => ['edge', 'reflect'].map((mode) => b.op('Pad', [x, b.ints([0, 3, 2, 0, 1, 4])], { mode })),
    }));

  test('DepthToSpace by channels, as PyTorch shuffles pixels', () =>
    expectGradient({
      dims: [[2, 12, 2, 3]],
      write: (b, [x = '']) => b.unary('Exp', b.op('DepthToSpace', [x], { blocksize: 2, mode: 'CRD' })),
    }));

  test('Expand and Tile', () =>
    expectGradient({
      dims: [[3, 1]],
      write: (b, [x]) => [
        b.op('Expand', [x as string, b.ints([2, 3, 4])]),
        b.op('Tile', [x as string, b.ints([2, 5])]),
      ],
    }));

  test('Concat and Split', () =>
    expectGradient({
      dims: [
        [2, 3],
        [2, 4],
      ],
      write: (b, xs) => {
        const [p, , r] = b.ops('Split', [b.op('Concat', xs, { axis: -1 }), b.ints([1, 4, 2])], 3, { axis: 1 });
        return [p as string, b.op('Exp', [r as string])];
      },
    }));

  test('Slice with any start, end and step', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -9, max: 9 }),
        fc.integer({ min: -9, max: 9 }),
        fc.constantFrom(1, 2, 3, -1, -2),
        fc.constantFrom(0, 1, -1),
        (start, end, step, axis) => {
          const size = 7;
          const at = (v: number) => (v < 0 ? v + size : v);
          const clamp = (v: number) =>
            step > 0 ? Math.min(Math.max(v, 0), size) : Math.min(Math.max(v, -1), size - 1);
          fc.pre(
            (clamp(at(end)) - clamp(at(start))) * step > 0 &&
              !(step < 0 && at(start) < 0) &&
              !(step > 0 && at(start) >= size),
          );
          const dims = axis === 0 ? [7, 3] : [3, 7];
          return expectGradient({
            dims: [dims],
            write: (b, [x]) =>
              b.op('Exp', [
                b.op('Slice', [x as string, b.ints([start]), b.ints([end]), b.ints([axis]), b.ints([step])]),
              ]),
          });
        },
      ),
      { numRuns: 25, seed: 2 },
    ));

  test('Gather: one index, repeated indices, any axis', () =>
    expectGradient({
      dims: [[4, 3]],
      write: (b, [x]) => [
        b.op('Gather', [x as string, b.constant(int64([-1], []))], { axis: 0 }),
        b.op('Gather', [x as string, b.constant(int64([1]))], { axis: 1 }),
        b.op('Gather', [x as string, b.constant(int64([0, 2, 2, 1], [2, 2]))], { axis: 1 }),
        b.op('Gather', [x as string, b.constant(int64([3, 3, 0]))], { axis: 0 }),
      ],
    }));

  test('Pad, also by negative counts', () =>
    expectGradient({
      dims: [[2, 5]],
      write: (b, [x]) => [
        b.op('Exp', [b.op('Pad', [x as string, b.ints([0, 2, 1, -1])])]),
        b.op('Exp', [b.op('Pad', [x as string, b.ints([-1, 3]), '', b.ints([1])])]),
      ],
    }));

  test('DepthToSpace and SpaceToDepth', () =>
    expectGradient({
      dims: [[1, 8, 2, 2]],
      write: (b, [x]) => [
        b.op('Exp', [b.op('DepthToSpace', [x as string], { blocksize: 2 })]),
        b.op('Exp', [b.op('SpaceToDepth', [x as string], { blocksize: 2 })]),
      ],
    }));

  for (const attributes of [
    { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
    { mode: 'nearest', coordinate_transformation_mode: 'half_pixel' },
    { mode: 'linear', coordinate_transformation_mode: 'half_pixel' },
    { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
    { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' },
    { mode: 'linear', coordinate_transformation_mode: 'asymmetric' },
  ]) {
    test(`Resize ${Object.values(attributes).join(', ')}`, () =>
      expectGradient({
        dims: [[2, 3, 4, 5]],
        type: 'float32',
        step: 0.5,
        write: (b, [x]) => [
          b.op('Resize', [x as string, '', '', b.ints([2, 3, 7, 10])], attributes),
          b.op('Resize', [x as string, '', '', b.ints([2, 3, 2, 5])], attributes),
        ],
      }));
  }
});
