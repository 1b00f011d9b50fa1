import { describe, expect, test } from 'vitest';
import { createOnnxRuntime } from '../../src/engine/index.js';
import {
  findTaps,
  type Graph,
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
});
