/** Variants of the operators that are differentiated as what they are made of; rules.test.ts has a row for each. */
import { describe, expect, test } from 'vitest';
import { gradient } from '../../../src/graph/gradient/index.js';
import { float32, GraphBuilder, observe } from '../../../src/graph/index.js';
import { expectGradient } from '../../support/gradients.js';
import { runOnce, testEngine } from '../../support/run.js';

const smooth = { type: 'float32', step: 1e-2, tolerance: 5e-3 } as const;
const bool = (dims: number[], values: number[]) => ({ type: 'bool' as const, dims, data: Uint8Array.from(values) });

describe('Attention', () => {
  const flat = [
    [2, 3, 8],
    [2, 4, 4],
    [2, 4, 6],
  ];
  const split = [
    [2, 2, 3, 4],
    [2, 2, 3, 4],
    [2, 2, 3, 5],
  ];
  test('on joined heads, more of queries than of keys', () =>
    expectGradient({
      ...smooth,
      dims: flat,
      write: (b, xs) => {
        b.domain('', 23);
        return b.op('Attention', xs, { q_num_heads: 4, kv_num_heads: 2 });
      },
    }));

  test('causal, a mask of Booleans that hides all keys from one query', () =>
    expectGradient({
      ...smooth,
      dims: split,
      write: (b, xs) => {
        b.domain('', 24);
        const mask = b.constant(bool([3, 3], [1, 1, 1, 0, 0, 0, 1, 0, 1]));
        return [b.op('Attention', [...xs, mask]), b.op('Attention', xs, { is_causal: 1 })];
      },
    }));

  test('after keys and values of the past, which come out with the new ones', () =>
    expectGradient({
      ...smooth,
      dims: [...split, [2, 2, 2, 4], [2, 2, 2, 5]],
      write: (b, [q = '', k = '', v = '', pastKey = '', pastValue = '']) => {
        b.domain('', 23);
        return b.ops('Attention', [q, k, v, '', pastKey, pastValue], 3, { is_causal: 1 });
      },
    }));
});

test('RotaryEmbedding of whole heads by halves, with tables per example', () =>
  expectGradient({
    type: 'float32',
    step: 0.5,
    tolerance: 1e-4,
    dims: [
      [2, 3, 4, 6],
      [2, 4, 3],
      [2, 4, 3],
    ],
    write: (b, xs) => {
      b.domain('', 23);
      return b.op('RotaryEmbedding', xs);
    },
  }));

describe('GridSample', () => {
  /** Within the map and beyond it, away from pixels and from the turning points of the paddings. */
  const places = [-0.53, 0.31, -0.07, 0.66, 0.22, -0.43, 1.33, -1.41, 0.9, 2.23, -0.86, -1.7];
  for (const mode of ['nearest', 'bilinear', 'bicubic']) {
    for (const padding of ['zeros', 'border', 'reflection']) {
      for (const align of [0, 1]) {
        test(`${mode}, ${padding}, ${align ? 'ends are centres' : 'ends are edges'}`, () =>
          expectGradient({
            ...smooth,
            step: 2e-3,
            tolerance: 1e-2,
            dims: [
              [2, 2, 4, 5],
              [2, 2, 3, 2],
            ],
            // The nearest pixel is the same for all places around: no gradient.
            fixed: mode === 'nearest' ? [1] : [],
            sample: (v, input, i) => (input === 0 ? v : (places[i % places.length] as number)),
            write: (b, xs) => b.op('GridSample', xs, { mode, padding_mode: padding, align_corners: align }),
          }));
      }
    }
  }
});

describe('recurrent layers', () => {
  const half = (v: number) => v * 0.5;
  const layer = (gates: number) => [
    [3, 2, 4],
    [1, gates * 5, 4],
    [1, gates * 5, 5],
  ];

  test('an LSTM without biases and states, reversed, its last states read', () =>
    expectGradient({
      ...smooth,
      sample: half,
      dims: layer(4),
      write: (b, xs) => b.ops('LSTM', xs, 3, { hidden_size: 5, direction: 'reverse' }),
    }));

  test('an LSTM with coupled gates, other activations and given lengths', () =>
    expectGradient({
      ...smooth,
      sample: half,
      dims: [...layer(4), [1, 40]],
      write: (b, xs) => {
        const lengths = b.constant({ type: 'int32', dims: [2], data: Int32Array.of(3, 3) });
        const activations = ['Sigmoid', 'Softsign', 'Tanh'];
        return b.op('LSTM', [...xs, lengths], { hidden_size: 5, activations });
      },
    }));

  test('a GRU as PyTorch has it, which resets after its product', () =>
    expectGradient({
      ...smooth,
      sample: half,
      dims: [...layer(3), [1, 30]],
      write: (b, xs) => b.ops('GRU', xs, 2, { hidden_size: 5, linear_before_reset: 1 }),
    }));

  test.each([
    ['sequences of different lengths', {}, true],
    ['clip', { clip: 1 }, false],
    ['activation Affine', { activations: ['Affine', 'Tanh', 'Tanh'] }, false],
  ] as const)('%s are refused by name', async (what, attributes, short) => {
    const b = new GraphBuilder();
    const [x = '', w = '', r = ''] = layer(4).map((dims, i) => b.input(`x${i}`, 'float32', dims));
    const lengths = short ? b.constant({ type: 'int32', dims: [2], data: Int32Array.of(3, 2) }) : '';
    b.node('LSTM', [x, w, r, '', lengths], ['y'], { hidden_size: 5, ...attributes });
    b.node('ReduceSum', ['y'], ['loss'], { keepdims: 0 });
    b.output('loss', 'loss', 'float32', []);
    const graph = b.build();
    const observed = await observe(graph, await testEngine());
    const message = new RegExp(`LSTM 'y' cannot be differentiated: ${what} is not supported`);
    expect(() => gradient(graph, { loss: 'loss', wrt: ['x1'], observed })).toThrow(message);
  });
});

test('indices are no functions of the values that chose them', () =>
  expectGradient({
    dims: [
      [1, 5],
      [5, 2],
    ],
    sample: (v, _, i) => v * 0.01 + ((i * 17) % 101) * 0.3,
    write: (b, [x = '', w = '']) => {
      const [values, indices] = b.ops('TopK', [x, b.ints([2])], 2, { axis: 1 }) as [string, string];
      return b.matmul(values, b.gather(w, b.reshape(indices, [2]), 0));
    },
  }));

test('a product with zeros among its factors', () =>
  expectGradient({
    type: 'float32',
    dims: [[4, 3]],
    tolerance: 2e-2,
    sample: (v, _, i) => ([0, 5, 8].includes(i) ? 0 : v),
    write: (b, [x = '']) => b.reduce('ReduceProd', x, [1]),
  }));

test('norms of nothing have no gradient, instead of none that is a number', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [2, 3]);
  const parts = [b.reduce('ReduceL2', x, [1], true), b.op('LpNormalization', [x], { axis: 1, p: 1 })];
  b.node('ReduceSum', [b.add(parts[0] as string, parts[1] as string)], ['loss'], { keepdims: 0 });
  b.output('loss', 'loss', 'float32', []);
  const observed = await observe(b.build(), await testEngine());
  const graph = gradient(b.build(), { loss: 'loss', wrt: ['x'], observed });
  const result = await runOnce(graph, { x: float32([2, 3], [0, 0, 0, 1, -2, 2]) });
  expect([...(result['gradient/x']?.data as Float32Array)].every(Number.isFinite)).toBe(true);
});
