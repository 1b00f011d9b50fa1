import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import type { Engine } from '../../src/engine/index.js';
import {
  buildArchitecture,
  float32,
  type Graph,
  learnedLayers,
  observe,
  sizeOf,
  type Tensor,
  trainingForm,
} from '../../src/graph/index.js';
import { type Cut, frozenCut, splitAt } from '../../src/transfer/prefix.js';
import { difference, runOnce, testEngine } from '../support/run.js';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

const dims = [2, 3, 32, 32];
const images = (): Tensor => {
  const random = new Random(2, 'x');
  return float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => random.normal()),
  );
};
const network = (name: string) => buildArchitecture(name, { size: 32 });

/** The cut below learned layer `count` (counted from 0): that one and all above it learn. */
async function cutBelow(graph: Graph, count: number): Promise<Cut> {
  const learned = learnedLayers(graph).slice(count);
  const names = new Set(learned.flatMap((layer) => layer.parameters.map((p) => p.name)));
  return frozenCut(graph, 'input', names, await observe(graph, engine, { input: dims })) as Cut;
}

/** Largest absolute element. */
const scale = (tensor: Tensor | undefined) =>
  (tensor?.data as Float32Array).reduce((most, v) => Math.max(most, Math.abs(v)), 0);

describe('the frozen prefix', () => {
  test.each([
    ['resnet20', [1, 2, 9, 19]],
    ['caffenet-32', [5, 6]],
    ['vit-tiny', [1, 3, 49]],
  ] as const)('and the rest make the whole network, wherever it is cut: %s', async (name, counts) => {
    const graph = network(name);
    const input = images();
    const whole = await runOnce(graph, { input });
    for (const count of counts) {
      const cut = await cutBelow(graph, count);
      const { prefix, rest } = splitAt(graph, cut);
      const middle = await runOnce(prefix, { input });
      expect(Object.keys(middle)).toEqual(cut.values.map((v) => v.name));
      const outputs = await runOnce(rest, middle);
      for (const value of ['logits', 'features']) {
        // A runtime fuses and lays out the parts otherwise than the whole, so that sums round otherwise: by some units
        // of 2^-24 of the largest value in each of up to 50 layers.
        expect(difference(outputs[value], whole[value]) / scale(whole[value]), value).toBeLessThan(1e-5);
      }
    }
  });

  test('hands over one value between blocks, two inside one, and counts their bytes', async () => {
    const graph = network('resnet20');
    const between = await cutBelow(graph, 3);
    expect(between.values).toEqual([{ name: 'layer1.0.relu2', dims: [2, 16, 32, 32] }]);
    expect(between.bytes).toBe(4 * 16 * 32 * 32);
    const inside = await cutBelow(graph, 2);
    expect(inside.values.map((v) => v.name).toSorted()).toEqual(['layer1.0.relu1', 'relu1']);
    expect(inside.bytes).toBe(2 * between.bytes);
  });

  test('and the rest hold weights of their own only', async () => {
    const graph = network('resnet20');
    const { prefix, rest } = splitAt(graph, await cutBelow(graph, 10));
    const shared = [...prefix.constants.keys()].filter((k) => rest.constants.has(k) && k.includes('.weight'));
    expect(shared).toEqual([]);
    expect(prefix.constants.has('conv1.weight')).toBe(true);
    expect(rest.constants.has('logits.weight')).toBe(true);
  });

  test('ends below dropout, whose masks change from step to step', async () => {
    const { graph, masks } = trainingForm(network('caffenet-32'));
    const learned = new Set(['fc7.weight']);
    const cut = frozenCut(graph, 'input', learned, await observe(graph, engine, { input: dims }, masks));
    expect(cut?.values.map((v) => v.name)).toEqual(['relu6']);
  });

  test('is nothing where the first layer learns', async () => {
    const graph = network('resnet20');
    const observed = await observe(graph, engine, { input: dims });
    expect(frozenCut(graph, 'input', new Set(['conv1.weight']), observed)).toBeUndefined();
  });
});
