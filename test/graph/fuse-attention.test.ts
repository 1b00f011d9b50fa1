import { beforeAll, describe, expect, test } from 'vitest';
import { UserError, WorkError } from '../../src/base/index.js';
import type { Engine } from '../../src/engine/index.js';
import { buildArchitecture, fuseAttention, noise, type StaticGraph, specialise } from '../../src/graph/index.js';
import { difference, runOnce, testEngine } from '../support/run.js';

let engine: Engine;
let network: StaticGraph;
beforeAll(async () => {
  engine = await testEngine();
  network = await specialise(buildArchitecture('vit-tiny', { size: 32 }), engine, [2, 3, 32, 32]);
});

/** The engine, which fails at everything in a way of its own. */
const failing = (error: Error): Engine => ({
  name: 'failing',
  device: 'cpu',
  accelerators: [],
  threads: 1,
  domains: engine.domains,
  blockWidth: async () => 0,
  compile: async () => {
    throw error;
  },
});

describe('fuseAttention', () => {
  test('exchanges the blocks of a transformer for one operator each, with the same results', async () => {
    const fused = await fuseAttention(network.graph, network, engine);
    const count = (op: string) => fused.nodes.filter((n) => n.op === op).length;
    expect(count('MultiHeadAttention')).toBe(engine.domains.includes('com.microsoft') ? 12 : 0);
    const feeds = { input: noise('float32', network.shape) };
    const [before, after] = [await runOnce(network.graph, feeds), await runOnce(fused, feeds)];
    expect(difference(before.logits, after.logits)).toBeLessThan(1e-4);
  });

  test('leaves a network without attention, and one for an engine without the operator, as it is', async () => {
    const plain = await specialise(buildArchitecture('resnet20'), engine, [2, 3, 32, 32]);
    expect(await fuseAttention(plain.graph, plain, engine)).toBe(plain.graph);
    expect(await fuseAttention(network.graph, network, { ...failing(new Error()), domains: [] })).toBe(network.graph);
  });

  test.each([new UserError('no such operator'), new WorkError('the operator failed')])(
    'leaves it as it is where the engine refuses the operator: %s',
    async (error) => {
      expect(await fuseAttention(network.graph, network, failing(error))).toBe(network.graph);
    },
  );

  test('does not hide an error of another kind', async () => {
    const error = new TypeError('a mistake in the code');
    await expect(fuseAttention(network.graph, network, failing(error))).rejects.toBe(error);
  });
});
