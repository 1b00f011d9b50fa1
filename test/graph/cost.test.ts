import { expect, test } from 'vitest';
import { costs } from '../../src/graph/cost.js';
import { type Graph, GraphBuilder, noise, specialise } from '../../src/graph/index.js';
import { testEngine } from '../support/run.js';

/** A convolution to 4 channels at half size, and positions added: one value a channel and row, from (4 x 5) x (5 x 3). */
function withPositions(expandedToBatch: boolean): Graph {
  const b = new GraphBuilder();
  const weights = (dims: number[], name: string) => b.constant(noise('float32', dims), name);
  const x = b.input('image', 'float32', ['N', 3, 6, 6]);
  const map = b.op('Conv', [x, weights([4, 3, 2, 2], 'conv')], { strides: [2, 2] });
  const table = weights([expandedToBatch ? 1 : 4, 5], 'table');
  const batch = b.op('Slice', [b.op('Shape', [map]), b.ints([0]), b.ints([2])]);
  const points = expandedToBatch
    ? b.op('Expand', [b.reshape(table, [1, 1, 5]), b.concat([batch, b.ints([5])], 0)])
    : table;
  const places = b.reshape(b.matmul(points, weights([5, 3], 'dense')), [expandedToBatch ? -1 : 1, 4, 3, 1]);
  b.output(b.op('Add', [map, places]), 'positioned');
  return b.build();
}

test.each([false, true])(
  'what is computed from weights only counts once an image (a row of its own each: %s)',
  async (each) => {
    const network = await specialise(withPositions(each), await testEngine(), [2, 3, 6, 6]);
    expect(network.graph.nodes.some(({ op }) => op === 'MatMul')).toBe(false);
    const { macs } = costs(network, ['positioned']).get('positioned') ?? {};
    expect(macs).toBe(4 * 3 * 3 * (3 * 2 * 2) + 4 * 5 * 3);
  },
);

/** A convolution of 4 x 3 numbers on an image of 6 x 6. */
function convolved(): { b: GraphBuilder; x: string } {
  const b = new GraphBuilder();
  const image = b.input('image', 'float32', ['N', 3, 6, 6]);
  return { b, x: b.op('Conv', [image, b.constant(noise('float32', [4, 3, 1, 1]), 'conv')]) };
}

test('numbers that are only compared are no parameters', async () => {
  const { b, x } = convolved();
  const regions = b.constant(noise('float32', [6, 6]), 'regions');
  const isOther = b.op('Greater', [regions, b.scalar(0)]);
  b.output(b.op('Add', [x, b.op('Where', [isOther, b.scalar(-100), b.scalar(0)])]), 'masked');
  const network = await specialise(b.build(), await testEngine(), [2, 3, 6, 6]);
  expect(costs(network, ['masked']).get('masked')?.params).toBe(4 * 3);
});

test('a mask is no parameter, though numbers that it writes over were read to make it', async () => {
  const { b, x } = convolved();
  const regions = b.constant(noise('float32', [6, 6]), 'regions');
  const isOther = b.op('Greater', [regions, b.scalar(0)]);
  const filled = b.op('Where', [isOther, b.scalar(-100), regions]);
  b.output(b.op('Add', [x, b.op('Where', [isOther, filled, b.scalar(0)])]), 'masked');
  const network = await specialise(b.build(), await testEngine(), [2, 3, 6, 6]);
  expect(costs(network, ['masked']).get('masked')?.params).toBe(4 * 3);
});

test('a product that is written as an equation counts, and what it multiplies by is a weight', async () => {
  const of = async (equation: string, dims: readonly number[]) => {
    const { b, x } = convolved();
    b.output(b.op('Einsum', [x, b.constant(noise('float32', dims), 'weight')], { equation }), 'product');
    return costs(await specialise(b.build(), await testEngine(), [2, 3, 6, 6]), ['product']).get('product');
  };
  const convolution = { params: 4 * 3, macs: 6 * 6 * 4 * 3 };
  const product = { params: convolution.params + 5 * 6, macs: convolution.macs + 4 * 6 * 5 * 6 };
  for (const equation of ['bchw,kw->bchk', '...w,kw->...k', 'bchw,kw', 'bchw, kw -> bhkc'])
    expect(await of(equation, [5, 6]), equation).toEqual({ ...product, depth: 2 });
  expect(await of('bchw,cw->bcw', [4, 6])).toMatchObject({ macs: convolution.macs + 4 * 6 * 6 });
});
