/** Networks that were exported for one batch run on any. */
import { describe, expect, test } from 'vitest';
import { freeBatch } from '../../src/graph/free-batch.js';
import {
  findTaps,
  float32,
  type Graph,
  GraphBuilder,
  noise,
  sizeOf,
  specialise,
  type Tensor,
} from '../../src/graph/index.js';
import { difference, runOnce, testEngine } from '../support/run.js';
import { weight } from '../support/weight.js';

const images = (n: number) => noise('float32', [n, 3, 16, 16]);

/** A class token before 2 x 2 patches, attention of two heads, a classifier on the token; every shape for `batch` images. */
function transformer(batch: number): Graph {
  const b = new GraphBuilder();
  const image = b.input('image', 'float32', [batch, 3, 16, 16]);
  const map = b.op('Conv', [image, b.constant(weight([8, 3, 8, 8], 0.1))], { strides: [8, 8] });
  const tokens = b.transpose(b.reshape(map, [batch, 8, 4]), [0, 2, 1]);
  const token = b.op('Expand', [b.constant(weight([1, 1, 8]), 'cls'), b.ints([batch, 1, 8])]);
  const x = b.concat([token, tokens], 1);
  const split = (name: string) =>
    b.transpose(b.reshape(b.matmul(x, b.constant(weight([8, 8]), name)), [batch, 5, 2, 4]), [0, 2, 1, 3]);
  const scores = b.op('Softmax', [b.matmul(split('q'), b.transpose(split('k'), [0, 1, 3, 2]))], { axis: -1 });
  const mixed = b.reshape(b.transpose(b.matmul(scores, split('v')), [0, 2, 1, 3]), [batch, 5, 8]);
  const sum = b.add(x, b.matmul(mixed, b.constant(weight([8, 8]), 'proj')));
  const features = b.reshape(b.op('Slice', [sum, b.ints([0]), b.ints([1]), b.ints([1])]), [batch, -1]);
  b.output(b.matmul(features, b.constant(weight([8, 3]), 'fc')), 'logits');
  return b.build();
}

/** Patches pooled by an attention of two heads whose query is learned, sequence first; every shape for `batch` images. */
function pooledByQuery(batch: number): Graph {
  const b = new GraphBuilder();
  const image = b.input('image', 'float32', [batch, 3, 16, 16]);
  const map = b.op('Conv', [image, b.constant(weight([8, 3, 8, 8], 0.1))], { strides: [8, 8] });
  const patches = b.transpose(b.reshape(map, [batch, 8, 4]), [2, 0, 1]);
  const query = b.op('Expand', [b.constant(weight([1, 1, 8]), 'probe'), b.ints([1, batch, 8])]);
  const heads = (x: string, name: string, length: number) =>
    b.transpose(b.reshape(b.matmul(x, b.constant(weight([8, 8]), name)), [length, 2 * batch, 4]), [1, 0, 2]);
  const keys = b.transpose(heads(patches, 'k', 4), [0, 2, 1]);
  const scores = b.op('Softmax', [b.matmul(heads(query, 'q', 1), keys)], { axis: -1 });
  const mixed = b.transpose(b.matmul(scores, heads(patches, 'v', 4)), [1, 0, 2]);
  const projected = b.op('Gemm', [b.reshape(mixed, [batch, 8]), b.constant(weight([8, 8]), 'out')]);
  // PyTorch's attention gives the sequence first again, its caller turns that round.
  const pooled = b.transpose(b.reshape(projected, [1, batch, 8]), [1, 0, 2]);
  const first = b.op('Gather', [pooled, b.constant({ type: 'int64', dims: [], data: BigInt64Array.of(0n) })], {
    axis: 1,
  });
  b.output(b.matmul(first, b.constant(weight([8, 3]), 'fc')), 'logits');
  return b.build();
}

describe('a file for one batch', () => {
  test.each([
    ['attention between tokens', transformer],
    ['attention by a learned query', pooledByQuery],
  ])('runs on any number of images, each as it was alone: %s', async (_, network) => {
    const freed = await freeBatch(network(1), await testEngine());
    expect(freed.inputs[0]?.shape).toEqual([null, 3, 16, 16]);
    const all = images(3);
    const together = (await runOnce(freed, { image: all })).logits as Tensor;
    expect(together.dims).toEqual([3, 3]);
    const size = sizeOf([3, 16, 16]);
    for (const i of [0, 1, 2]) {
      const image = float32([1, 3, 16, 16], (all.data as Float32Array).subarray(i * size, (i + 1) * size));
      const alone = (await runOnce(network(1), { image })).logits;
      const row = float32([1, 3], (together.data as Float32Array).subarray(3 * i, 3 * i + 3));
      expect(difference(row, alone)).toBeLessThan(1e-5);
    }
  });
  test('has the taps of the export with a free batch', async () => {
    const engine = await testEngine();
    const taps = async (graph: Graph) =>
      findTaps(await specialise(graph, engine, [2, 3, 16, 16])).map(({ kind, layout, shape, params }) => ({
        kind,
        layout,
        shape,
        params,
      }));
    expect(await taps(await freeBatch(transformer(1), engine))).toEqual(await taps(transformer(2)));
  });
  test('for four images is free as well', async () => {
    const freed = await freeBatch(transformer(4), await testEngine());
    const { logits } = await runOnce(freed, { image: images(4) });
    expect(difference(logits, (await runOnce(transformer(4), { image: images(4) })).logits)).toBeLessThan(1e-5);
    expect((await runOnce(freed, { image: images(1) })).logits?.dims).toEqual([1, 3]);
  });
  test('that mixes its images is refused by the node', async () => {
    const b = new GraphBuilder();
    const image = b.input('image', 'float32', [2, 3, 16, 16]);
    const flat = b.matmul(b.reshape(image, [2, 768]), b.constant(weight([768, 4])));
    b.output(b.sum(flat, [0], true), 'y');
    await expect(freeBatch(b.build(), await testEngine())).rejects.toThrow(
      /ReduceSum '.*' ties the network to the batch that it was exported with/,
    );
  });
  test('that does not run as it declares itself is left to whoever runs it', async () => {
    const b = new GraphBuilder();
    const map = b.op('Conv', [b.input('image', 'float32', [1, 3, 16, 16]), b.constant(weight([4, 3, 5, 5]))]);
    b.output(b.reshape(map, [1, 4, 100]), 'y');
    const graph = b.build();
    expect(await freeBatch(graph, await testEngine())).toBe(graph);
  });
  test('is left alone where its batch is free', async () => {
    const b = new GraphBuilder();
    b.output(b.relu(b.input('image', 'float32', [null, 3, 8, 8])), 'y');
    const graph = b.build();
    expect(await freeBatch(graph, await testEngine())).toBe(graph);
  });
});
