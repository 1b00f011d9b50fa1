/** What exporters make of a network, and what it is read as. */
import { describe, expect, test } from 'vitest';
import { floatInput } from '../../src/graph/float-input.js';
import { freeBatch } from '../../src/graph/free-batch.js';
import {
  allParameters,
  findTaps,
  float32,
  type Graph,
  GraphBuilder,
  isLearned,
  noise,
  sizeOf,
  specialise,
  type Tensor,
} from '../../src/graph/index.js';
import { inferenceForm } from '../../src/graph/inference-form.js';
import { tieCopies } from '../../src/graph/tie-copies.js';
import { difference, runOnce, testEngine } from '../support/run.js';

const weight = (dims: readonly number[], scale = 1) => {
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => scale * Math.sin(i * 1.7 + dims.length));
  return float32(dims, data);
};
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

describe('parameters', () => {
  const learned = (graph: Graph) =>
    allParameters(graph)
      .filter(isLearned)
      .reduce((n, p) => n + sizeOf(p.dims), 0);

  /** A 3 x 3 grid of tokens with attention, and `bias` (1, heads, 9, 9) added to its scores. */
  function attention(bias: (b: GraphBuilder) => string): Graph {
    const b = new GraphBuilder();
    const image = b.input('image', 'float32', [null, 3, 24, 24]);
    const map = b.op('Conv', [image, b.constant(weight([8, 3, 8, 8], 0.1))], { strides: [8, 8] });
    const x = b.transpose(b.reshape(map, [-1, 8, 9]), [0, 2, 1]);
    const heads = b.transpose(b.reshape(x, [-1, 9, 2, 4]), [0, 2, 1, 3]);
    const scores = b.add(b.matmul(heads, b.transpose(heads, [0, 1, 3, 2])), bias(b));
    b.output(b.matmul(b.op('Softmax', [scores], { axis: -1 }), heads), 'y');
    return b.build();
  }
  const convolution = 8 * 3 * 8 * 8;

  test('are no masks', () => {
    const mask = float32(
      [1, 2, 9, 9],
      Float32Array.from({ length: 162 }, (_, i) => (i % 3 === 0 ? -100 : 0)),
    );
    expect(learned(attention((b) => b.constant(mask)))).toBe(convolution);
  });
  test('are no zeros over all pairs of tokens, for all heads: an attention that looks everywhere', () => {
    const zeros = (heads: number) => float32([1, heads, 9, 9], new Float32Array(heads * 81));
    expect(learned(attention((b) => b.constant(zeros(1))))).toBe(convolution);
    expect(learned(attention((b) => b.constant(zeros(2))))).toBe(convolution + 162);
  });
  test('are no sines of positions that an exporter has computed', () => {
    const angles = Float32Array.from({ length: 2 * 81 }, (_, i) => 0.37 * i);
    const withTables = (tables: (b: GraphBuilder) => string) => learned(attention(tables));
    const table = (of: (v: number) => number) => float32([1, 2, 9, 9], angles.map(of));
    // Cosines and sines of the same angles, as rotary positions have them.
    expect(withTables((b) => b.add(b.constant(table(Math.cos)), b.constant(table(Math.sin))))).toBe(convolution);
    // In turn along an axis, as Fourier positions have them.
    const turns = angles.map((_, i) => (i < 81 ? Math.sin(0.37 * i) : Math.cos(0.37 * (i - 81))));
    expect(withTables((b) => b.constant(float32([1, 2, 9, 9], turns)))).toBe(convolution);
    // In the two halves of an axis, as rotary positions are stored.
    const halves = Float32Array.from({ length: 4 * 9 }, (_, i) =>
      (i % 4 < 2 ? Math.sin : Math.cos)(Math.floor(i / 4) + (i % 2)),
    );
    const stored = (b: GraphBuilder) =>
      b.op('Slice', [b.constant(float32([9, 4], halves)), b.ints([0]), b.ints([1]), b.ints([1])]);
    expect(withTables(stored)).toBe(convolution);
    expect(withTables((b) => b.constant(table(Math.sin)))).toBe(convolution + 162);
  });
  test('are no coordinates that a perceptron makes positions of, but the perceptron', () => {
    const places = (of: (row: number, column: number, axis: number) => number) =>
      float32(
        [1, 9, 9, 2],
        Float32Array.from({ length: 162 }, (_, i) => of(Math.floor(i / 18), Math.floor(i / 2) % 9, i % 2)),
      );
    const positions = (table: Tensor) => (b: GraphBuilder) =>
      b.transpose(
        b.matmul(b.relu(b.matmul(b.constant(table), b.constant(weight([2, 5])))), b.constant(weight([5, 2]))),
        [0, 3, 1, 2],
      );
    const perceptron = 2 * 5 + 5 * 2;
    const coordinates = places((row, column, axis) => Math.log2(1 + (axis === 0 ? row : column)));
    expect(learned(attention(positions(coordinates)))).toBe(convolution + perceptron);
    const table = places((row, column, axis) => Math.sin(row + 3 * column + axis));
    expect(learned(attention(positions(table)))).toBe(convolution + perceptron + 162);
  });
  test('are no frequencies that positions are sines of', () => {
    const positions = (b: GraphBuilder) =>
      b.op('Sin', [b.mul(b.constant(weight([1, 2, 9, 9])), b.constant(weight([9]), 'frequencies'))]);
    expect(learned(attention(positions))).toBe(convolution);
  });
  test('are weights of layers, whatever their numbers are', () => {
    const b = new GraphBuilder();
    const image = b.input('image', 'float32', [null, 3, 16, 16]);
    const map = b.op('Conv', [image, b.constant(weight([1, 3, 3, 3]))]);
    const zeros = b.op('Conv', [map, b.constant(float32([1, 1, 3, 3], new Float32Array(9)))]);
    const vector = b.op('GlobalAveragePool', [b.add(map, b.op('Pad', [zeros, b.ints([0, 0, 1, 1, 0, 0, 1, 1])]))]);
    const two = b.matmul(b.reshape(vector, [-1, 1]), b.constant(weight([1, 2])));
    b.output(b.matmul(two, b.constant(float32([2, 2], Float32Array.of(1, 0, 0, 1)))), 'logits');
    expect(learned(b.build())).toBe(27 + 9 + 2 + 4);
  });
  test('are single numbers on an axis of their own that one node reads, not those of formulas', () => {
    const scaled = (times: number, dims: readonly number[], literal?: true) => {
      const b = new GraphBuilder();
      const map = b.op('Conv', [b.input('image', 'float32', [null, 3, 4, 4]), b.constant(weight([2, 3, 1, 1]), 'w')]);
      const scale = b.constant({ ...float32(dims, [0.7]), ...(literal && { literal }) }, 'scale');
      const all = Array.from({ length: times }, () => b.mul(b.relu(map), scale));
      b.output(b.concat(all, 1), 'y');
      return learned(b.build()) - 6;
    };
    expect([scaled(1, [1]), scaled(1, []), scaled(2, [1]), scaled(1, [1], true)]).toEqual([1, 0, 0, 0]);
  });
  test('are no literals of the code', () => {
    expect(learned(attention((b) => b.constant({ ...weight([1, 2, 9, 9]), literal: true })))).toBe(convolution);
    expect(learned(attention((b) => b.constant(weight([1, 2, 9, 9]))))).toBe(convolution + 162);
  });

  /** Relative positions between places of 3 x 3 and the first `m` of them: (2 * 3 - 1)^2 rows of two heads, looked up. */
  const lookedUp = (m: number): Float32Array => {
    const table = weight([25, 2]).data as Float32Array;
    const rows = new Float32Array(9 * m * 2);
    for (let i = 0; i < 9; i++) {
      for (let j = 0; j < m; j++) {
        const [dy, dx] = [Math.floor(i / 3) - Math.floor(j / 3) + 2, (i % 3) - (j % 3) + 2];
        rows.set(table.subarray((dy * 5 + dx) * 2, (dy * 5 + dx) * 2 + 2), (i * m + j) * 2);
      }
    }
    return rows;
  };

  test('are a table where a file has it spread out, and the network computes the same', async () => {
    const rows = lookedUp(9);
    const spread = Float32Array.from({ length: 162 }, (_, i) => rows[(i % 81) * 2 + Math.floor(i / 81)] as number);
    const whole = attention((b) => b.constant(float32([1, 2, 9, 9], spread), 'bias'));
    // An exporter may stop between the look-up and the bias.
    const halfway = attention((b) =>
      b.transpose(b.reshape(b.constant(float32([81, 2], rows), 'bias'), [9, 9, 2, 1]), [3, 2, 0, 1]),
    );
    const image = noise('float32', [2, 3, 24, 24]);
    for (const graph of [whole, halfway]) {
      const tied = tieCopies(graph);
      expect(learned(graph)).toBe(convolution + 162);
      expect(learned(tied)).toBe(convolution + 50);
      expect(difference((await runOnce(tied, { image })).y, (await runOnce(graph, { image })).y)).toBe(0);
    }
  });

  test('are a table also where heads take theirs one after the other, or a file has that of one head', () => {
    const rows = lookedUp(9);
    const ofHead = (head: number) => Float32Array.from({ length: 81 }, (_, i) => rows[2 * i + head] as number);
    const both = float32([2, 9, 9], [...ofHead(0), ...ofHead(1)]);
    const first = { type: 'int64', dims: [], data: BigInt64Array.of(0n) } as const;
    for (const graph of [
      attention((b) => b.op('Gather', [b.constant(both), b.constant(first)], { axis: 0 })),
      attention((b) => b.constant(float32([9, 9], ofHead(0)))),
    ])
      expect(learned(graph) - learned(tieCopies(graph))).toBe(
        graph.nodes.some(({ op }) => op === 'Gather') ? 2 * (81 - 25) : 81 - 25,
      );
  });

  test('are a table also where fewer places look at more', () => {
    const b = new GraphBuilder();
    const rows = lookedUp(8);
    const spread = Float32Array.from({ length: 144 }, (_, i) => rows[(i % 72) * 2 + Math.floor(i / 72)] as number);
    const map = b.op('Conv', [b.input('image', 'float32', [null, 3, 9, 8]), b.constant(weight([2, 3, 1, 1]), 'w')]);
    b.output(b.add(map, b.constant(float32([2, 9, 8], spread))), 'y');
    const graph = b.build();
    expect(learned(graph) - learned(tieCopies(graph))).toBe(144 - 2 * new Set(rows.filter((_, i) => i % 2 === 0)).size);
  });

  test('are the biases of queries and values alone where a file has them in one vector with zeros', async () => {
    const b = new GraphBuilder();
    const bias = float32([6], [0.1, -0.2, 0, 0, 0.3, 0.4]);
    const map = b.op('Conv', [b.input('image', 'float32', [null, 3, 2, 2]), b.constant(weight([6, 3, 1, 1]), 'w')]);
    b.output(b.add(b.transpose(map, [0, 2, 3, 1]), b.constant(bias, 'qkv')), 'y');
    const graph = b.build();
    expect([learned(graph), learned(tieCopies(graph))]).toEqual([18 + 6, 18 + 4]);
    const feeds = { image: noise('float32', [2, 3, 2, 2]) };
    expect((await runOnce(tieCopies(graph), feeds)).y).toEqual((await runOnce(graph, feeds)).y);
  });

  test('are no zeros between the biases of queries and values, but zeros that stand alone', () => {
    const biased = (bias: (b: GraphBuilder) => string) => {
      const b = new GraphBuilder();
      const x = b.input('image', 'float32', [null, 3, 4, 4]);
      const y = b.op('Conv', [x, b.constant(weight([6, 3, 1, 1]), 'w')]);
      b.output(b.add(b.transpose(y, [0, 2, 3, 1]), bias(b)), 'y');
      return learned(b.build());
    };
    const zeros = float32([2], [0, 0]);
    const parts = (b: GraphBuilder) => [weight([2]), zeros, weight([2])].map((t) => b.constant(t));
    expect(biased((b) => b.concat(parts(b), 0))).toBe(18 + 4);
    expect(biased((b) => b.constant(float32([6], [0, 0, 0, 0, 0, 0])))).toBe(18 + 6);
  });

  test('are no positions that the code computes for a batch, where learned weights read them', async () => {
    const b = new GraphBuilder();
    const image = b.input('image', 'float32', [null, 3, 4, 4]);
    const map = b.op('Conv', [image, b.constant(weight([4, 3, 1, 1]), 'w')]);
    const batch = b.op('Slice', [b.op('Shape', [image]), b.ints([0]), b.ints([1])]);
    const ones = b.op('Expand', [b.scalar(1), b.concat([batch, b.ints([2, 4, 4])], 0)]);
    const positions = b.op('CumSum', [ones, b.scalar(3, 'int64')]);
    b.output(b.add(map, b.op('Conv', [positions, b.constant(weight([4, 2, 1, 1]), 'embed')])), 'y');
    const graph = b.build();
    expect(learned(graph)).toBe(12 + 8);
    // As for training: weights stay, what is computed from shapes becomes a constant.
    const keep = allParameters(graph).map((p) => p.name);
    const { graph: form } = await specialise(graph, await testEngine(), [2, 3, 4, 4], { keep });
    expect(learned(form)).toBe(12 + 8);
  });

  test('are no ones and zeros that an exporter wrote for a norm without scale and shift', () => {
    const normed = (literal: boolean) => {
      const b = new GraphBuilder();
      const x = b.op('Conv', [b.input('image', 'float32', [null, 3, 4, 4]), b.constant(weight([4, 3, 1, 1]), 'w')]);
      const uniform = (v: number) => b.constant({ ...float32([4], [v, v, v, v]), ...(literal && { literal }) });
      b.output(b.op('InstanceNormalization', [x, uniform(1), uniform(0)]), 'y');
      return learned(b.build());
    };
    expect(normed(true)).toBe(12);
    expect(normed(false)).toBe(12 + 8);
  });
  test('are no ones and zeros of a norm over groups, which exporters write as one over instances', () => {
    const b = new GraphBuilder();
    const x = b.op('Conv', [b.input('image', 'float32', [null, 3, 4, 4]), b.constant(weight([4, 3, 1, 1]), 'w')]);
    const [ones, zeros] = [b.constant(float32([2], [1, 1])), b.constant(float32([2], [0, 0]))];
    const grouped = b.op('InstanceNormalization', [b.reshape(x, [-1, 2, 32]), ones, zeros]);
    b.output(b.mul(b.reshape(grouped, [-1, 4, 4, 4]), b.constant(weight([4, 1, 1]), 'scale')), 'y');
    expect(learned(b.build())).toBe(12 + 4);
  });

  test('are counted once where a standardised weight is stored twice', async () => {
    const b = new GraphBuilder();
    const image = b.input('image', 'float32', [null, 3, 8, 8]);
    const plain = weight([1, 4, 27]);
    const turned = new Float32Array(108);
    for (let r = 0; r < 4; r++) for (let c = 0; c < 27; c++) turned[c * 4 + r] = plain.data[r * 27 + c] as number;
    const mean = b.mean(b.constant(float32([1, 27, 4], turned), 'copy'), [0, 1]);
    const centred = b.sub(b.constant(plain, 'weight'), b.reshape(mean, [1, 4, 1]));
    b.output(b.op('Conv', [image, b.reshape(centred, [4, 3, 3, 3])]), 'y');
    const graph = b.build();
    expect(learned(tieCopies(graph))).toBe(108);
    const feeds = { image: noise('float32', [2, 3, 8, 8]) };
    expect(difference((await runOnce(tieCopies(graph), feeds)).y, (await runOnce(graph, feeds)).y)).toBeLessThan(1e-6);
  });
});

describe('what a file declares', () => {
  test('a training mode is left: features of an image depend on no other', async () => {
    const b = new GraphBuilder();
    const x = b.input('image', 'float32', [null, 4, 2, 2]);
    const statistics = [weight([4]), weight([4]), weight([4]), float32([4], [1, 2, 3, 4])].map((t) => b.constant(t));
    b.node('BatchNormalization', [x, ...statistics], ['y', 'mean', 'variance'], { training_mode: 1 });
    b.output('y');
    const form = inferenceForm(b.build());
    expect(form?.nodes[0]).toMatchObject({ outputs: ['y'] });
    const image = noise('float32', [3, 4, 2, 2]);
    const first = float32([1, 4, 2, 2], (image.data as Float32Array).subarray(0, 16));
    const all = (await runOnce(form as Graph, { image })).y as Tensor;
    const alone = (await runOnce(form as Graph, { image: first })).y;
    expect(difference(float32([1, 4, 2, 2], (all.data as Float32Array).subarray(0, 16)), alone)).toBeLessThan(1e-6);
    expect(inferenceForm(form as Graph)).toBeUndefined();
  });

  test('a norm that standardises weights by their own statistics stays in training mode', () => {
    const b = new GraphBuilder();
    const w = b.constant(weight([1, 4, 9]));
    const [mean, square] = [b.mean(w, [0, 2]), b.mean(b.mul(w, w), [0, 2])];
    const inputs = [w, b.constant(weight([4])), b.constant(weight([4])), mean, square];
    const [standard = ''] = b.ops('BatchNormalization', inputs, 3, { training_mode: 1 });
    const x = b.input('image', 'float32', [null, 1, 6, 6]);
    b.output(b.op('Conv', [x, b.reshape(standard, [4, 1, 3, 3])], { kernel_shape: [3, 3] }), 'y');
    expect(inferenceForm(b.build())).toBeUndefined();
  });

  test('an image of whole numbers gets its levels from floats', async () => {
    const b = new GraphBuilder();
    b.output(b.cast(b.input('image', 'uint8', [null, 3, 2, 2]), 'float32'), 'y');
    const graph = floatInput(b.build());
    expect(graph.inputs[0]).toMatchObject({ type: 'float32', shape: [null, 3, 2, 2] });
    const levels = float32([1, 3, 2, 2], [0, 254.9999, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
    const { y } = await runOnce(graph, { [graph.inputs[0]?.name ?? '']: levels });
    expect([...(y?.data as Float32Array)]).toEqual([0, 255, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
  });

  test('a branch that the shapes decide is taken, with what it captures', async () => {
    const branch = (write: (b: GraphBuilder) => string): Graph => {
      const b = new GraphBuilder();
      b.output(write(b));
      return b.build();
    };
    const b = new GraphBuilder();
    const image = b.input('image', 'float32', [null, 3, 4, 4]);
    const rank = b.gather(b.op('Shape', [image]), b.scalar(1, 'int64'), 0);
    const condition = b.op('Greater', [rank, b.scalar(2, 'int64')]);
    b.node('If', [condition], ['y'], {
      then_branch: branch((inner) => inner.relu('image')),
      else_branch: branch((inner) => inner.op('Neg', ['image'])),
    });
    b.output('y');
    const { graph } = await specialise(b.build(), await testEngine(), [2, 3, 4, 4]);
    expect(graph.nodes.map((n) => n.op)).toContain('Relu');
    expect(graph.nodes.some((n) => n.op === 'If')).toBe(false);
  });
});
