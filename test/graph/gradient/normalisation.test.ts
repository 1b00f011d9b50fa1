import { describe, expect, test } from 'vitest';
import { gradient, gradientName } from '../../../src/graph/gradient/index.js';
import { GraphBuilder as Builder, float32, type GraphBuilder, observe, toNumbers } from '../../../src/graph/index.js';
import { expectGradient } from '../../support/gradients.js';
import { runOnce, testEngine } from '../../support/run.js';

const smooth = { type: 'float32', step: 3e-2, tolerance: 5e-3 } as const;
const averages = (b: GraphBuilder, n: number) => [
  b.constant(
    float32(
      [n],
      Array.from({ length: n }, (_, i) => i * 0.3),
    ),
  ),
  b.constant(
    float32(
      [n],
      Array.from({ length: n }, (_, i) => i * 0.5 + 0.7),
    ),
  ),
];

describe('BatchNormalization', () => {
  for (const space of [[4, 5], [7], []]) {
    test(`on batch statistics, ${space.length} spatial axes`, () =>
      expectGradient({
        ...smooth,
        dims: [[6, 3, ...space], [3], [3]],
        write: (b, [x, s, t]) => {
          const y = b.ops('BatchNormalization', [x, s, t, ...averages(b, 3)] as string[], 3, { training_mode: 1 });
          return y[0] as string;
        },
      }));

    test(`on frozen statistics, ${space.length} spatial axes`, () =>
      expectGradient({
        ...smooth,
        dims: [[6, 3, ...space], [3], [3]],
        write: (b, [x, s, t]) =>
          b.op('BatchNormalization', [x, s, t, ...averages(b, 3)] as string[], { epsilon: 1e-3 }),
      }));
  }

  test('that standardises weights by statistics of the weights themselves', () =>
    expectGradient({
      ...smooth,
      dims: [[1, 4, 9], [4], [4]],
      write: (b, [w = '', s = '', t = '']) => {
        const [mean, square] = [b.mean(w, [0, 2]), b.mean(b.mul(w, w), [0, 2])];
        return b.ops('BatchNormalization', [w, s, t, mean, square], 3, { training_mode: 1, momentum: 1 })[0] as string;
      },
    }));

  test('that standardises weights by statistics which the file computes and hands over', () =>
    expectGradient({
      ...smooth,
      dims: [[1, 4, 9], [4], [4]],
      write: (b, [w = '', s = '', t = '']) => {
        const mean = b.mean(w, [0, 2]);
        const variance = b.op('Sub', [b.mean(b.mul(w, w), [0, 2]), b.mul(mean, mean)]);
        return b.op('BatchNormalization', [w, s, t, mean, variance], { epsilon: 1e-3 });
      },
    }));

  test('moves its running averages as the runtime does', async () => {
    const b = new Builder();
    b.input('x', 'float32', [4, 2, 3, 3]);
    const scale = b.constant(float32([2], [1.5, -0.5]), 'scale');
    const shift = b.constant(float32([2], [0.1, 0.2]), 'shift');
    b.node('BatchNormalization', ['x', scale, shift, ...averages(b, 2)], ['y', 'm', 'v'], {
      training_mode: 1,
      momentum: 0.8,
    });
    for (const name of ['y', 'm', 'v']) b.output(name);
    b.output(b.op('ReduceSum', [b.op('Mul', ['y', 'y'])], { keepdims: 0 }), 'loss');
    const graph = b.build();
    const observed = await observe(graph, await testEngine());
    const x = float32(
      [4, 2, 3, 3],
      Array.from({ length: 72 }, (_, i) => Math.sin(i * 1.7) + (i % 5)),
    );
    const plain = await runOnce(graph, { x }, 'none');
    const trained = await runOnce(gradient(graph, { loss: 'loss', wrt: ['scale', 'shift'], observed }), {
      x,
      scale: float32([2], [1.5, -0.5]),
      shift: float32([2], [0.1, 0.2]),
    });
    for (const name of ['y', 'm', 'v', 'loss']) {
      const [p, t] = [plain[name], trained[name]].map((v) => (v ? toNumbers(v) : []));
      t?.forEach((value, i) => {
        expect(value).toBeCloseTo(p?.[i] as number, 4);
      });
    }
    expect(trained[gradientName('scale')]?.dims).toEqual([2]);
  });
});

describe('other normalisations', () => {
  test('LayerNormalization over the last axis, and over the last two without bias', () =>
    expectGradient({
      ...smooth,
      dims: [[2, 5, 6], [6], [6], [5, 6]],
      write: (b, [x, s, t, s2]) => [
        b.op('LayerNormalization', [x, s, t] as string[]),
        b.op('LayerNormalization', [x, s2] as string[], { axis: 1 }),
      ],
    }));

  test('LayerNormalization whose mean and inverse deviation are read too', () =>
    expectGradient({
      ...smooth,
      step: 5e-3,
      dims: [[2, 5, 6], [6]],
      write: (b, xs) => b.ops('LayerNormalization', xs, 3),
    }));

  test('GroupNormalization', () =>
    expectGradient({
      ...smooth,
      dims: [[3, 6, 2, 4], [2], [2]],
      write: (b, xs) => b.op('GroupNormalization', xs, { num_groups: 2 }),
    }));

  test('InstanceNormalization', () =>
    expectGradient({
      ...smooth,
      dims: [[3, 4, 2, 5], [4], [4]],
      write: (b, xs) => b.op('InstanceNormalization', xs),
    }));

  for (const size of [1, 3, 5]) {
    test(`LRN over ${size} channels`, () =>
      expectGradient({
        ...smooth,
        dims: [[2, 7, 3, 2]],
        write: (b, [x]) => b.op('LRN', [x as string], { size, alpha: 0.8, beta: 0.75, bias: 1.5 }),
      }));
  }
});
