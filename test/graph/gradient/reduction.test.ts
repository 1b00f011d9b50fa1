import { describe, test } from 'vitest';
import { expectGradient } from '../../support/gradients.js';

describe('reductions', () => {
  for (const op of ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceSumSquare', 'ReduceL2']) {
    for (const axes of [[1], [0, -1], undefined]) {
      for (const keepdims of [0, 1]) {
        test(`${op} over ${axes ?? 'all'}, keepdims ${keepdims}`, () =>
          expectGradient({
            dims: [[3, 4, 2]],
            // Distinct by more than the step of the differences.
            sample: (v, _, i) => v * 0.01 + ((i * 7) % 24) * 0.2 - 2,
            type: op === 'ReduceL2' ? 'float32' : 'float64',
            write: (b, [x]) => b.op(op, axes ? [x as string, b.ints(axes)] : [x as string], { keepdims }),
          }));
      }
    }
  }

  for (const op of ['Softmax', 'LogSoftmax']) {
    for (const axis of [-1, 1]) {
      test(`${op} along ${axis}`, () =>
        expectGradient({ dims: [[2, 4, 3]], write: (b, [x]) => b.op(op, [x as string], { axis }) }));
    }
  }
});
