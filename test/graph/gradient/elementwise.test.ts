import { describe, test } from 'vitest';
import { expectGradient } from '../../support/gradients.js';

const away = (points: number[]) => (v: number) =>
  points.reduce((x, p) => (Math.abs(x - p) < 0.05 ? p + (x < p ? -0.05 : 0.05) : x), v * 2);
const positive = (v: number) => Math.abs(v) + 0.3;

/** Double precision where the runtime has it for the operator. */
const cases: {
  op: string;
  attributes?: Record<string, number | string>;
  sample?: (v: number) => number;
  single?: boolean;
}[] = [
  { op: 'Identity' },
  { op: 'Neg' },
  { op: 'Abs', sample: away([0]) },
  { op: 'Exp' },
  { op: 'Log', sample: positive },
  { op: 'Sqrt', sample: positive },
  { op: 'Reciprocal', sample: positive },
  { op: 'Sin' },
  { op: 'Cos' },
  { op: 'Erf', single: true },
  { op: 'Tanh' },
  { op: 'Sigmoid' },
  { op: 'Softplus', single: true },
  { op: 'Softsign', single: true },
  { op: 'Mish', single: true },
  { op: 'Relu', sample: away([0]) },
  { op: 'LeakyRelu', attributes: { alpha: 0.2 }, sample: away([0]), single: true },
  { op: 'Elu', attributes: { alpha: 1.5 }, sample: away([0]), single: true },
  { op: 'HardSigmoid', sample: away([-2.5, 2.5]), single: true },
  { op: 'HardSwish', sample: away([-3, 3]), single: true },
];

describe('functions of one value', () => {
  for (const { op, attributes, sample, single } of cases) {
    test(op, () =>
      expectGradient({
        dims: [[3, 4, 2]],
        write: (b, [x]) => b.op(op, [x as string], attributes),
        type: single ? 'float32' : 'float64',
        ...(sample && { sample }),
      }),
    );
  }

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

  test('PRelu, by slopes per channel too', () =>
    expectGradient({
      dims: [
        [2, 3, 4],
        [3, 1],
      ],
      sample: away([0]),
      write: (b, xs) => b.op('PRelu', xs),
    }));
});
