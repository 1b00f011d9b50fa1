import { describe, test } from 'vitest';
import { expectGradient } from '../../support/gradients.js';

const away = (points: number[]) => (v: number) =>
  points.reduce((x, p) => (Math.abs(x - p) < 0.05 ? p + (x < p ? -0.05 : 0.05) : x), v * 2);

describe('functions of one value', () => {
  for (const [low, high] of [
    [0, 1.5],
    [-1, undefined],
    [undefined, 1],
  ] as const) {
    test(`Clip to [${low}, ${high}]`, () =>
      expectGradient({
        dims: [[5, 7]],
        type: 'float32',
        sample: away([low ?? 9, high ?? 9]),
        write: (b, [x]) =>
          b.op('Clip', [
            x as string,
            low === undefined ? '' : b.scalar(low),
            ...(high === undefined ? [] : [b.scalar(high)]),
          ]),
      }));
  }

  for (const approximate of ['none', 'tanh']) {
    test(`Gelu, ${approximate}`, () =>
      expectGradient({
        dims: [[4, 6]],
        type: 'float32',
        write: (b, [x]) => {
          b.domain('', 20);
          return b.op('Gelu', [x as string], { approximate });
        },
      }));
  }
});
