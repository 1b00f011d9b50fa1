import { describe, expect, test } from 'vitest';
import { createOnnxRuntime } from '../../src/engine/index.js';
import {
  buildArchitecture,
  findTaps,
  float32,
  type Graph,
  GraphBuilder,
  readModelFile,
  selectTaps,
  specialise,
  type Tap,
  upgrade,
} from '../../src/graph/index.js';
import { assetsTest, backbonePath, backbones } from '../support/assets.js';
import { tinyNetwork } from '../support/tiny.js';

const engine = await createOnnxRuntime();

async function tapsOf(graph: Graph, side: number): Promise<{ graph: Graph; taps: Tap[] }> {
  const shape = [2, 3, side, side] as const;
  const network = await specialise(upgrade(graph), engine, shape);
  return { graph: network.graph, taps: findTaps(network) };
}
const found = new Map<string, ReturnType<typeof tapsOf>>();
function realTaps(name: string): ReturnType<typeof tapsOf> {
  const known =
    found.get(name) ?? readModelFile(backbonePath(name)).then((g) => tapsOf(g, name.startsWith('cifar') ? 32 : 224));
  found.set(name, known);
  return known;
}
const standard = (taps: Tap[]) => taps.filter((t) => t.standard);

describe('a small residual network', async () => {
  const { taps } = await tapsOf(tinyNetwork(), 16);
  test('taps activations, residual sums, features and logits in topological order', () => {
    expect(standard(taps).map((t) => [t.alias, t.name, t.kind, t.shape.join('x')])).toEqual([
      ['s1.b1.act1', 'stem.relu', 'map', '8x16x16'],
      ['s1.b1.act2', 'block.relu', 'map', '8x16x16'],
      ['s1.b1.sum', 'block.add', 'map', '8x16x16'],
      ['s2.b1.act1', 'deep.relu', 'map', '16x8x8'],
      ['features', 'features', 'vector', '16'],
      ['logits', 'logits', 'vector', '4'],
    ]);
  });
  test('counts parameters and multiply-adds up to each', () => {
    const stem = taps.find((t) => t.alias === 's1.b1.act1');
    expect(stem).toMatchObject({ params: 3 * 8 * 9 + 8, macs: 256 * 8 * 27 });
    const logits = taps.find((t) => t.alias === 'logits');
    expect(logits?.depth).toBe(1);
    expect(logits?.params).toBe(3 * 8 * 9 + 8 + 8 * 8 * 9 + 8 + 8 * 8 + 8 + 8 * 16 * 9 + 16 + 16 * 4 + 4);
  });
  test('aliases are unique', () => {
    expect(new Set(taps.map((t) => t.alias)).size).toBe(taps.length);
  });
  test('selects by glob, alias, name, default and all', () => {
    expect(selectTaps(taps, 's1.*.act*').map((t) => t.alias)).toEqual(['s1.b1.act1', 's1.b1.act2']);
    expect(selectTaps(taps, 'logits,block.add').map((t) => t.alias)).toEqual(['s1.b1.sum', 'logits']);
    expect(selectTaps(taps, 'all')).toHaveLength(taps.length);
    expect(() => selectTaps(taps, 'logit')).toThrow("no tap matches 'logit'; did you mean 'logits'?");
  });
});

const width = 4;
/** Writes a stem of `width` channels on 16 x 16 and blocks; their first convolutions have the strides given. */
function staged(
  block: (conv: Conv, b: GraphBuilder, x: string, stride: 1 | 2) => string,
  strides: readonly (1 | 2)[] = [2, 1, 2, 1],
): Graph {
  const b = new GraphBuilder();
  const conv: Conv = (x, from, k, stride = 1, { to = width, group = 1 } = {}) => {
    const data = Float32Array.from({ length: (to * from * k * k) / group }, (_, i) => Math.sin(i + from));
    const side = k >> 1;
    const weight = b.constant(float32([to, from / group, k, k], data));
    return b.op('Conv', [x, weight], { pads: [side, side, side, side], strides: [stride, stride], group });
  };
  let x = b.relu(conv(b.input('x', 'float32', [null, 3, 16, 16]), 3, 3));
  for (const stride of strides) x = block(conv, b, x, stride);
  b.output(b.op('GlobalAveragePool', [x]), 'features');
  return b.build();
}
type Conv = (x: string, from: number, k: number, stride?: 1 | 2, of?: { to?: number; group?: number }) => string;
const blocksOf = (taps: Tap[]) =>
  standard(taps).flatMap((t) => (t.kind === 'map' && t.alias !== 'features' ? [`${t.alias} ${t.shape[1]}`] : []));

describe('a block that halves the resolution within it', () => {
  test('is one block: its sum says of which stage, its shortcut counts as none', async () => {
    const { taps } = await tapsOf(
      staged((conv, b, x, stride) => {
        const inner = b.relu(conv(b.relu(conv(x, width, 1)), width, 3, stride));
        return b.relu(b.add(conv(inner, width, 1), stride === 2 ? conv(x, width, 1, 2) : x));
      }),
      16,
    );
    const block = (name: string, from: number, to: number) => [
      `${name}.act1 ${from}`,
      `${name}.act2 ${to}`,
      `${name}.out ${to}`,
    ];
    expect(blocksOf(taps)).toEqual([
      's1.b1.act1 16',
      ...block('s2.b1', 16, 8),
      ...block('s2.b2', 8, 8),
      ...block('s3.b1', 8, 4),
      ...block('s3.b2', 4, 4),
    ]);
  });
  test('begins with the norm and activation that its branch and shortcut read', async () => {
    const norm = (b: GraphBuilder, x: string) =>
      b.relu(b.op('BatchNormalization', [x, ...[1, 0, 0.1, 1].map((v) => b.constant(float32([width], [v, v, v, v])))]));
    const { taps } = await tapsOf(
      staged((conv, b, x, stride) => {
        const start = norm(b, x);
        const inner = norm(b, conv(start, width, 3, stride));
        return b.add(conv(inner, width, 3), stride === 2 ? conv(start, width, 1, 2) : x);
      }),
      16,
    );
    const names = blocksOf(taps).map((line) => line.split(' ')[0]);
    expect(names.filter((name) => name?.endsWith('.sum'))).toEqual([
      's2.b1.sum',
      's2.b2.sum',
      's3.b1.sum',
      's3.b2.sum',
    ]);
    expect(blocksOf(taps).filter((line) => line.startsWith('s3.b1'))).toEqual([
      's3.b1.act1 8',
      's3.b1.act2 4',
      's3.b1.sum 4',
    ]);
  });
});

describe('a block of a convolutional network', () => {
  test('has the convolution that gathers it and those before it', async () => {
    const gathered = staged(
      (conv, b, x) => {
        const first = b.relu(b.add(conv(b.relu(conv(x, width, 3)), width, 3), x));
        const second = b.relu(b.add(conv(b.relu(conv(first, width, 3)), width, 3), first));
        return b.relu(conv(b.concat([second, first], 1), 2 * width, 1));
      },
      [1, 1],
    );
    const { taps } = await tapsOf(gathered, 16);
    expect(
      blocksOf(taps)
        .slice(1)
        .map((line) => line.split(' ')[0]),
    ).toEqual([
      ...['s1.b1.act2', 's1.b1.out', 's1.b2.act1', 's1.b2.out', 's1.b2.act2'],
      ...['s1.b3.act1', 's1.b3.out', 's1.b4.act1', 's1.b4.out', 's1.b4.act2'],
    ]);
  });
  test('is what adds up layers beside each other where a network has no other sums', async () => {
    const layers: Parameters<typeof staged>[0] = (conv, b, x) => b.relu(b.add(conv(x, width, 3), conv(x, width, 1)));
    const names = blocksOf((await tapsOf(staged(layers, [1, 1]), 16)).taps).slice(1);
    expect(names).toEqual(['s1.b1.out 16', 's1.b2.out 16']);
  });
  test('ends with the activation of its sum, in one node or written out in several', async () => {
    type Activation = (b: GraphBuilder, x: string) => string;
    const erf: Activation = (b, x) => {
      const gate = b.add(b.op('Erf', [b.op('Div', [x, b.scalar(Math.SQRT2)])]), b.scalar(1));
      return b.mul(b.mul(x, gate), b.scalar(0.5));
    };
    const silu: Activation = (b, x) => b.mul(x, b.op('Sigmoid', [x]));
    const relu: Activation = (b, x) => b.relu(x);
    const names = async (activation: Activation) => {
      const block: Parameters<typeof staged>[0] = (conv, b, x) =>
        activation(b, b.add(conv(activation(b, conv(x, width, 3)), width, 3), x));
      return blocksOf((await tapsOf(staged(block, [1, 1]), 16)).taps).slice(1);
    };
    const expected = ['s1.b1.act2 16', 's1.b1.out 16', 's1.b2.act1 16', 's1.b2.out 16'];
    for (const activation of [relu, erf, silu]) expect(await names(activation)).toEqual(expected);
  });
  test('does not end where convolutions of each channel, parts of one layer, are added up', async () => {
    const down = { to: 2 * width, group: width };
    const halved = staged(
      (conv, b, x) => {
        const small = b.relu(b.add(conv(x, width, 3, 2, down), conv(x, width, 1, 2, down)));
        const inner = b.relu(conv(small, 2 * width, 3));
        return b.add(conv(inner, width, 3, 1, { to: 2 * width }), small);
      },
      [2],
    );
    const { taps } = await tapsOf(halved, 16);
    expect(blocksOf(taps).slice(1)).toEqual(['s2.b1.act1 8', 's2.b1.act2 8', 's2.b1.sum 8']);
  });
});

describe('a block of tokens', () => {
  /** Tokens of 4 x 4 patches, and blocks on them; `convolved` writes a convolution of each channel over their places. */
  const tokens = (block: (b: GraphBuilder, x: string, convolved: (x: string, c: number) => string) => string) => {
    const b = new GraphBuilder();
    const numbers = (dims: readonly number[]) =>
      b.constant(
        float32(
          dims,
          Float32Array.from({ length: dims.reduce((n, d) => n * d) }, (_, i) => Math.sin(i + 1)),
        ),
      );
    const image = b.input('x', 'float32', [null, 3, 16, 16]);
    const map = b.op('Conv', [image, numbers([width, 3, 4, 4])], { strides: [4, 4] });
    const convolved = (x: string, c: number) => {
      const onMap = b.reshape(b.transpose(x, [0, 2, 1]), [0, c, 4, 4]);
      const done = b.op('Conv', [onMap, numbers([c, 1, 3, 3])], { pads: [1, 1, 1, 1], group: c });
      return b.transpose(b.reshape(done, [0, c, 16]), [0, 2, 1]);
    };
    let x = b.transpose(b.reshape(map, [0, width, 16]), [0, 2, 1]);
    for (let i = 0; i < 2; i++) x = block(b, x, convolved);
    b.output(b.op('ReduceMean', [x, b.ints([1])], { keepdims: 0 }), 'features');
    return b.build();
  };
  const linear = (b: GraphBuilder, x: string, from: number, to: number) => {
    const data = Float32Array.from({ length: from * to }, (_, i) => Math.cos(i + from));
    return b.matmul(x, b.constant(float32([from, to], data)));
  };
  const attention = (b: GraphBuilder, x: string) => {
    const [q, k, v] = [0, 1, 2].map(() => linear(b, x, width, width)) as [string, string, string];
    const scores = b.op('Softmax', [b.matmul(q, b.transpose(k, [0, 2, 1]))], { axis: -1 });
    return b.add(x, linear(b, b.matmul(scores, v), width, width));
  };
  const names = async (graph: Graph) => standard((await tapsOf(graph, 16)).taps).map((t) => t.alias);

  test('ends with its perceptron, with a convolution of each channel in it too', async () => {
    const network = tokens((b, x, convolved) => {
      const mid = attention(b, x);
      return b.add(mid, linear(b, b.relu(convolved(linear(b, mid, width, 8), 8)), 8, width));
    });
    const block = (name: string) => ['attn', 'mid', 'hidden', 'mlp', 'out'].map((role) => `${name}.${role}`);
    expect(await names(network)).toEqual([...block('block01'), ...block('block02'), 'features']);
  });
  test('goes on where convolutions of each channel alone mix places a second time', async () => {
    const network = tokens((b, x, convolved) => {
      const mid = attention(b, x);
      const local = b.add(mid, convolved(b.relu(convolved(mid, width)), width));
      return b.add(local, linear(b, b.relu(linear(b, local, width, 8)), 8, width));
    });
    const found = await names(network);
    expect(found.filter((name) => name.endsWith('.out'))).toEqual(['block01.out', 'block02.out']);
    expect(found).toContain('block02.mix');
  });
});

describe('a stage', () => {
  test('is that of the tokens, though keys and values have fewer places and a convolution adds positions on the map', async () => {
    const b = new GraphBuilder();
    const numbers = (...dims: number[]) =>
      b.constant(
        float32(
          dims,
          Float32Array.from({ length: dims.reduce((n, d) => n * d) }, (_, i) => Math.sin(i + 1)),
        ),
      );
    const rows = (map: string, places: number) => b.transpose(b.reshape(map, [0, width, places]), [0, 2, 1]);
    const map = (x: string, side: number) => b.reshape(b.transpose(x, [0, 2, 1]), [0, width, side, side]);
    const block = (x: string, side: number) => {
      const fewer = rows(
        b.op('Conv', [map(x, side), numbers(width, width, 2, 2)], { strides: [2, 2] }),
        (side / 2) ** 2,
      );
      const keys = b.transpose(b.matmul(fewer, numbers(width, width)), [0, 2, 1]);
      const scores = b.op('Softmax', [b.matmul(b.matmul(x, numbers(width, width)), keys)], { axis: -1 });
      const mid = b.add(x, b.matmul(b.matmul(scores, fewer), numbers(width, width)));
      return b.add(mid, b.matmul(b.relu(b.matmul(mid, numbers(width, 8))), numbers(8, width)));
    };
    const positioned = (x: string, side: number) => {
      const before = map(x, side);
      const conv = b.op('Conv', [before, numbers(width, 1, 3, 3)], { pads: [1, 1, 1, 1], group: width });
      return rows(b.add(conv, before), side ** 2);
    };
    const image = b.input('x', 'float32', [null, 3, 32, 32]);
    const first = rows(b.op('Conv', [image, numbers(width, 3, 4, 4)], { strides: [4, 4] }), 64);
    const wide = block(positioned(block(first, 8), 8), 8);
    const second = rows(b.op('Conv', [map(wide, 8), numbers(width, width, 2, 2)], { strides: [2, 2] }), 16);
    b.output(b.op('ReduceMean', [block(second, 4), b.ints([1])], { keepdims: 0 }), 'features');
    const { taps } = await tapsOf(b.build(), 32);
    const ends = standard(taps).filter(({ alias }) => alias.endsWith('.out'));
    expect(ends.map(({ alias, shape }) => `${alias} ${shape[0]}`)).toEqual([
      's1.b1.out 64',
      's1.b2.out 64',
      's2.b1.out 16',
    ]);
  });
});

describe('the shipped backbones', () => {
  assetsTest.each([
    ['mobilenetv2_tf', 300e6, 3.49e6],
    ['cifar_resnet20', 41e6, 0.27e6],
    ['deit_tiny', 1.26e9, 5.72e6],
  ] as const)('%s has its published cost', async (name, macs, params) => {
    const { taps } = await realTaps(name);
    const end = taps.at(-1) as Tap;
    expect(Math.abs(end.macs / macs - 1)).toBeLessThan(0.03);
    expect(Math.abs(end.params / params - 1)).toBeLessThan(0.01);
  });
  assetsTest.each(backbones.map((b) => [b]))('%s: unique aliases, growing cost, ends named', async (name) => {
    const { taps } = await realTaps(name);
    expect(new Set(taps.map((t) => t.alias)).size).toBe(taps.length);
    expect(taps.map((t) => t.alias)).toContain('features');
    const inOrder = standard(taps).filter((t) => t.kind !== 'vector');
    expect(inOrder.length).toBeGreaterThan(15);
    for (let i = 1; i < inOrder.length; i++) {
      expect(inOrder[i]?.depth).toBeGreaterThanOrEqual((inOrder[i - 1]?.depth ?? 0) - 0.1);
    }
  });
  assetsTest('deit_tiny comes out static and clean', async () => {
    const { graph, taps } = await realTaps('deit_tiny');
    const ops = new Set(graph.nodes.map((n) => n.op));
    for (const op of ['Shape', 'Constant', 'ConstantOfShape', 'Expand', 'Identity', 'Cast', 'Where', 'Equal']) {
      expect(ops).not.toContain(op);
    }
    const blocks = standard(taps).map((t) => t.alias);
    expect(blocks).toContain('block07.mlp');
    expect(blocks).toHaveLength(12 * 5 + 2);
  });
  assetsTest('deit_tiny: every module of a block by its name, where it lies, and the last norm', async () => {
    const { taps } = await realTaps('deit_tiny');
    const modules = selectTaps(taps, 'modules');
    const aliases = modules.map((t) => t.alias);
    expect(aliases).toHaveLength(12 * 8 + 2);
    const names = ['ln1', 'attn', 'mid', 'ln2', 'fc1', 'hidden', 'mlp', 'out'];
    expect(aliases.slice(0, 8)).toEqual(names.map((module) => `block01.${module}`));
    expect(aliases.slice(-2)).toEqual(['final_norm', 'features']);
    const of = (alias: string) => modules.find((t) => t.alias === alias);
    expect(of('block03.ln1')).toMatchObject({
      op: 'LayerNormalization',
      name: expect.stringContaining('blocks.2/norm1'),
    });
    expect(of('block03.ln2')).toMatchObject({
      op: 'LayerNormalization',
      name: expect.stringContaining('blocks.2/norm2'),
    });
    expect(of('block03.fc1')).toMatchObject({ shape: [197, 768], name: expect.stringContaining('mlp/fc1/Add') });
    expect(of('final_norm')?.shape).toEqual([197, 192]);
  });
  test('a small vision transformer has them too; by default they are not tapped', async () => {
    const { taps } = await tapsOf(buildArchitecture('vit-tiny', { classes: 5, size: 32, seed: 0 }), 32);
    const first = selectTaps(taps, 'block01.*').map((t) => t.alias);
    for (const module of ['ln1', 'attn', 'mid', 'ln2', 'fc1', 'hidden', 'mlp', 'out']) {
      expect(first).toContain(`block01.${module}`);
    }
    const extra = standard(taps).filter((t) => /ln1|ln2|fc1|final_norm/.test(t.alias));
    expect(extra).toEqual([]);
    expect(new Set(taps.map((t) => t.alias)).size).toBe(taps.length);
  });
});
