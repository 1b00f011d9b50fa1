/** Which constants of real exports are learned. */
import { describe, expect, test } from 'vitest';
import {
  allParameters,
  float32,
  type Graph,
  GraphBuilder,
  isLearned,
  noise,
  sizeOf,
  specialise,
  type Tensor,
} from '../../src/graph/index.js';
import { tieCopies } from '../../src/graph/tie-copies.js';
import { difference, runOnce, testEngine } from '../support/run.js';
import { weight } from '../support/weight.js';

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
