import { describe, expect, test } from 'vitest';
import { float32, type Graph, GraphBuilder, type Layout, specialise } from '../../src/graph/index.js';
import { testEngine } from '../support/run.js';

const weight = (dims: readonly number[]) => {
  const data = Float32Array.from({ length: dims.reduce((n, d) => n * d, 1) }, (_, i) =>
    Math.sin(i * 1.3 + dims.length),
  );
  return float32(dims, data);
};

/** Layouts of the outputs of a network on images of 3 x 32 x 32, by their names. */
async function layouts(
  build: (b: GraphBuilder, image: string) => void,
  image: readonly (number | null)[] = [null, 3, 32, 32],
): Promise<Record<string, Layout | undefined>> {
  const b = new GraphBuilder();
  build(b, b.input('image', 'float32', image));
  const graph: Graph = b.build();
  const shape = [2, ...image.slice(1)] as [number, ...number[]];
  const network = await specialise(graph, await testEngine(), shape);
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, network.layout(name)]));
}

/** Patches of 8 x 8 as tokens: 4 x 4 of them, 24 channels. */
function patches(b: GraphBuilder, image: string): string {
  const map = b.op('Conv', [image, b.constant(weight([24, 3, 8, 8]))], { strides: [8, 8] });
  return b.transpose(b.reshape(map, [-1, 24, 16]), [0, 2, 1]);
}

describe('a layout', () => {
  test('of a convolution is channels first, of what is multiplied after a transposition channels last', async () => {
    const found = await layouts((b, image) => {
      const map = b.op('Conv', [image, b.constant(weight([6, 3, 4, 4]))], { strides: [4, 4] });
      const last = b.matmul(b.transpose(map, [0, 2, 3, 1]), b.constant(weight([6, 10])));
      b.output(map, 'first');
      b.output(last, 'last');
      b.output(b.transpose(last, [0, 3, 1, 2]), 'back');
    });
    expect(found.first).toMatchObject({ kind: 'map', axes: 'NCHW', grid: [8, 8] });
    expect(found.last).toMatchObject({ kind: 'map', axes: 'NHWC', grid: [8, 8] });
    expect(found.back).toMatchObject({ kind: 'map', axes: 'NCHW', grid: [8, 8] });
  });

  test.each([0, 1, 5])('of tokens: %i prefix tokens stand before a grid that the patches give', async (prefix) => {
    const found = await layouts((b, image) => {
      const tokens = patches(b, image);
      if (prefix === 0) return void b.output(tokens, 'tokens');
      const extra = b.op('Expand', [b.constant(weight([1, prefix, 24])), b.ints([2, prefix, 24])]);
      b.output(b.concat([extra, tokens], 1), 'tokens');
    });
    expect(found.tokens).toMatchObject({ kind: 'tokens', axes: 'NTC', prefix, suffix: 0, grid: [4, 4] });
  });

  test('of tokens after the image, and of what is left when the others are cut off', async () => {
    const found = await layouts((b, image) => {
      const extra = b.op('Expand', [b.constant(weight([1, 3, 24])), b.ints([2, 3, 24])]);
      const all = b.concat([patches(b, image), extra], 1);
      b.output(all, 'all');
      b.output(b.op('Slice', [all, b.ints([0]), b.ints([16]), b.ints([1])]), 'image tokens');
      b.output(b.op('Slice', [all, b.ints([16]), b.ints([19]), b.ints([1])]), 'registers');
      b.output(b.gather(all, b.scalar(0, 'int64'), 1), 'one token');
    });
    expect(found.all).toMatchObject({ kind: 'tokens', prefix: 0, suffix: 3, grid: [4, 4] });
    expect(found['image tokens']).toMatchObject({ kind: 'tokens', prefix: 0, suffix: 0, grid: [4, 4] });
    expect(found.registers).toMatchObject({ kind: 'tokens', grid: undefined });
    expect(found['one token']).toMatchObject({ kind: 'vector' });
  });

  test('of tokens before the batch (T, N, C), and of tokens after the channels (N, C, T)', async () => {
    const found = await layouts((b, image) => {
      const tokens = patches(b, image);
      b.output(b.transpose(tokens, [1, 0, 2]), 'sequence first');
      b.output(b.transpose(tokens, [0, 2, 1]), 'channels first');
    });
    expect(found['sequence first']).toMatchObject({ kind: 'tokens', axes: 'TNC', grid: [4, 4] });
    expect(found['channels first']).toMatchObject({ kind: 'tokens', axes: 'NCT', grid: [4, 4] });
  });

  test('of heads, and of an attention between places, which has no channels', async () => {
    const found = await layouts((b, image) => {
      const heads = b.transpose(b.reshape(patches(b, image), [-1, 16, 4, 6]), [0, 2, 1, 3]);
      b.output(heads, 'heads');
      b.output(b.matmul(heads, b.transpose(heads, [0, 1, 3, 2])), 'attention');
    });
    expect(found.heads).toMatchObject({ kind: 'heads', axes: 'NDTD', grid: [4, 4] });
    expect(found.attention).toMatchObject({ kind: 'unknown' });
  });

  test('is the same after windows are cut and joined again; within windows an example has no row', async () => {
    const found = await layouts((b, image) => {
      const map = b.op('Conv', [image, b.constant(weight([6, 3, 4, 4]))], { strides: [4, 4] });
      const cut = b.transpose(b.reshape(b.transpose(map, [0, 2, 3, 1]), [-1, 2, 4, 2, 4, 6]), [0, 1, 3, 2, 4, 5]);
      const windows = b.matmul(b.reshape(cut, [-1, 16, 6]), b.constant(weight([6, 6])));
      b.output(windows, 'windows');
      const joined = b.transpose(b.reshape(windows, [-1, 2, 2, 4, 4, 6]), [0, 1, 3, 2, 4, 5]);
      b.output(b.reshape(joined, [-1, 8, 8, 6]), 'joined');
    });
    expect(found.windows).toBeUndefined();
    expect(found.joined).toMatchObject({ kind: 'map', axes: 'NHWC', grid: [8, 8] });
  });

  test('is the same after rows and columns were padded to a whole window and cut off again', async () => {
    const found = await layouts((b, image) => {
      const map = b.transpose(
        b.op('Conv', [image, b.constant(weight([6, 3, 4, 4]))], { strides: [4, 4] }),
        [0, 2, 3, 1],
      );
      const padded = b.op('Pad', [map, b.ints([0, 0, 0, 0, 0, 4, 4, 0])]);
      const cut = b.op('Slice', [padded, b.ints([0, 0]), b.ints([8, 8]), b.ints([1, 2])]);
      b.output(cut, 'cut');
    });
    expect(found.cut).toMatchObject({ kind: 'map', axes: 'NHWC', grid: [8, 8] });
  });

  test('of neighbours merged into channels is a map of half the side', async () => {
    const found = await layouts((b, image) => {
      const map = b.transpose(
        b.op('Conv', [image, b.constant(weight([6, 3, 4, 4]))], { strides: [4, 4] }),
        [0, 2, 3, 1],
      );
      const apart = b.transpose(b.reshape(map, [-1, 4, 2, 4, 2, 6]), [0, 1, 3, 2, 4, 5]);
      b.output(b.matmul(b.reshape(apart, [-1, 4, 4, 24]), b.constant(weight([24, 12]))), 'merged');
    });
    expect(found.merged).toMatchObject({ kind: 'map', axes: 'NHWC', grid: [4, 4] });
  });

  test('is kept by a cyclic shift of rows, written as two parts joined the other way round', async () => {
    const found = await layouts((b, image) => {
      const part = (from: number, to: number) => b.op('Slice', [image, b.ints([from]), b.ints([to]), b.ints([2])]);
      b.output(b.concat([part(3, 32), part(0, 3)], 2), 'shifted');
    });
    expect(found.shifted).toMatchObject({ kind: 'map', axes: 'NCHW', grid: [32, 32] });
  });

  test('of mixed tokens has places in no order; a residual sum gives them their order back', async () => {
    const found = await layouts((b, image) => {
      const tokens = b.transpose(patches(b, image), [0, 2, 1]);
      const mixed = b.matmul(b.relu(b.matmul(tokens, b.constant(weight([16, 9])))), b.constant(weight([9, 16])));
      b.output(mixed, 'mixed');
      b.output(b.add(tokens, mixed), 'sum');
    });
    expect(found.mixed).toMatchObject({ kind: 'tokens', axes: 'NCT', grid: undefined });
    expect(found.sum).toMatchObject({ kind: 'tokens', axes: 'NCT', grid: [4, 4] });
  });

  test('of an image that is no square, and of one with channels last', async () => {
    const convolve = (b: GraphBuilder, image: string) =>
      b.output(b.op('Conv', [image, b.constant(weight([6, 3, 4, 4]))], { strides: [4, 4] }), 'map');
    const wide = await layouts(convolve, [null, 3, 16, 48]);
    expect(wide.map).toMatchObject({ axes: 'NCHW', grid: [4, 12] });
    const last = await layouts((b, image) => convolve(b, b.transpose(image, [0, 3, 1, 2])), [null, 16, 48, 3]);
    expect(last.map).toMatchObject({ axes: 'NCHW', grid: [4, 12] });
  });

  test('of what a user declares in two axes is a vector', async () => {
    const found = await layouts((b, image) => {
      b.output(b.matmul(b.reshape(image, [-1, 3 * 32 * 32]), b.constant(weight([3 * 32 * 32, 5]))), 'logits');
    });
    expect(found.logits).toMatchObject({ kind: 'vector', axes: 'NC' });
  });
});
