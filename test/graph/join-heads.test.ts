import { expect, test } from 'vitest';
import { costs } from '../../src/graph/cost.js';
import { findTaps, float32, type Graph, GraphBuilder, noise, specialise } from '../../src/graph/index.js';
import { joinHeads } from '../../src/graph/join-heads.js';
import { difference, runOnce, testEngine } from '../support/run.js';

/** Two branches of 4 and 6 features, each with a head for 3 classes; `together` writes what becomes of the heads' outputs. */
function branches(together: (b: GraphBuilder, first: string, second: string) => string): Graph {
  const b = new GraphBuilder();
  const image = b.input('image', 'float32', [null, 3, 8, 8]);
  const branch = (width: number) => {
    const map = b.relu(b.op('Conv', [image, b.constant(noise('float32', [width, 3, 3, 3]), `conv${width}`)]));
    const vector = b.op('Flatten', [b.op('GlobalAveragePool', [map])]);
    const bias = b.constant(float32([3], Float32Array.of(width, 1, -width)), `bias${width}`);
    return b.op('Gemm', [vector, b.constant(noise('float32', [3, width]), `head${width}`), bias], { transB: 1 });
  };
  b.output(together(b, branch(4), branch(6)), 'logits');
  return b.build();
}
const stacked = (b: GraphBuilder, heads: readonly string[]) =>
  b.concat(
    heads.map((head) => b.op('Unsqueeze', [head, b.ints([0])])),
    0,
  );
const averaged = branches((b, first, second) =>
  b.op('ReduceMean', [stacked(b, [first, second]), b.ints([0])], { keepdims: 0 }),
);

test('heads of several branches that are averaged are one classifier of the features of all', async () => {
  const joined = joinHeads(averaged);
  const network = await specialise(joined, await testEngine(), [2, 3, 8, 8]);
  const ends = findTaps(network).filter(({ alias }) => alias === 'features' || alias === 'logits');
  expect(ends.map(({ alias, shape }) => `${alias} ${shape}`)).toEqual(['features 10', 'logits 3']);
  const feeds = { image: noise('float32', [2, 3, 8, 8]) };
  const [before, after] = [await runOnce(averaged, feeds), await runOnce(joined, feeds)];
  expect(difference(before.logits, after.logits)).toBeLessThan(1e-6);
});

test('their parameters stay those of the file', async () => {
  const network = await specialise(joinHeads(averaged), await testEngine(), [2, 3, 8, 8]);
  const { params, macs } = costs(network, ['logits']).get('logits') ?? {};
  expect(params).toBe(10 * 27 + 10 * 3 + 2 * 3);
  expect(macs).toBe(36 * 10 * 27 + 10 * 3);
});

test('what else is done with them is left as it is', () => {
  const others = [
    branches((b, first, second) => b.op('ReduceMax', [stacked(b, [first, second]), b.ints([0])], { keepdims: 0 })),
    branches((b, first, second) =>
      b.op('ReduceMean', [stacked(b, [first, b.relu(second)]), b.ints([0])], { keepdims: 0 }),
    ),
    branches((b, first, second) => b.op('ReduceMean', [stacked(b, [first, second]), b.ints([2])], { keepdims: 0 })),
  ];
  for (const network of others) expect(joinHeads(network)).toBe(network);
});
