/** The check that an optimised network is still the network, on an engine that computes something else when it optimises. */
import { describe, expect, test } from 'vitest';
import { parsePreprocess } from '../../src/data/index.js';
import type { Engine } from '../../src/engine/index.js';
import { compilePass, parsePool, poolTaps, tapsOf } from '../../src/features/index.js';
import { float32, type Graph, GraphBuilder } from '../../src/graph/index.js';
import { testEngine } from '../support/run.js';

const preprocess = parsePreprocess({ size: 16 }, 'test');

/** conv -> sine of `frequency` times its values -> relu, pooled. */
function network(frequency: number): Graph {
  const b = new GraphBuilder();
  const weight = float32(
    [4, 3, 1, 1],
    Float32Array.from({ length: 12 }, (_, i) => Math.sin(i + 1)),
  );
  const conv = b.op('Conv', [b.input('x', 'float32', [null, 3, 16, 16]), b.constant(weight)]);
  b.output(b.op('GlobalAveragePool', [b.relu(b.unary('Sin', b.scale(conv, frequency)))]), 'features');
  return b.build();
}

/** An engine whose optimiser multiplies the values of every convolution by `factor`. */
async function wrongBy(factor: number): Promise<Engine> {
  const engine = await testEngine();
  const changed = (graph: Graph): Graph => {
    const b = GraphBuilder.rewriting({ ...graph, outputs: graph.outputs }, 'wrong');
    for (const node of graph.nodes) {
      if (node.op !== 'Conv') b.append(node);
      else {
        const value = b.fresh('conv');
        b.append({ ...node, outputs: [value] });
        b.node('Mul', [value, b.scalar(factor)], node.outputs);
      }
    }
    return b.build();
  };
  return {
    ...engine,
    compile: (graph, options) => engine.compile(options?.optimize === 'none' ? graph : changed(graph), options),
  };
}

async function compiled(frequency: number, factor: number): Promise<void> {
  const engine = await wrongBy(factor);
  const backbone = { graph: network(frequency), preprocess, path: 'test' };
  const { taps } = await tapsOf(backbone, engine);
  const items = parsePool('gap');
  const standard = poolTaps(
    taps.filter((t) => t.standard),
    items,
  );
  const { program } = await compilePass(engine, { backbone, taps: standard, items, batch: 2 });
  await program.dispose();
}

describe('an optimised network', () => {
  test('that is another network stops with the name of its first tap', async () => {
    await expect(compiled(1, 1.05)).rejects.toThrow(/computes tap s1\.b1\.act1 otherwise when it optimises .*\d %/);
  });
  test('that rounds otherwise passes, also where the network magnifies rounding', async () => {
    await compiled(1, 1 + 2 ** -22);
    await compiled(5000, 1 + 2 ** -22);
    await expect(compiled(5000, 1.05)).rejects.toThrow('otherwise');
  });
});
