import { beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/index.js';
import {
  buildArchitecture,
  float32,
  type Graph,
  GraphBuilder,
  noise,
  observe,
  specialise,
} from '../../src/graph/index.js';
import { difference, runOnce, testEngine } from '../support/run.js';

let engine: Engine;
beforeAll(async () => {
  engine = await testEngine();
});

/** A network as exporters write it: flattened by its own shape, a weight that is computed, nodes that do nothing. */
function exported(): Graph {
  const b = new GraphBuilder();
  const x = b.input('image', 'float32', ['N', 2, 'H', 'W']);
  const batch = b.op('Slice', [b.op('Shape', [x]), b.ints([0]), b.ints([1])]);
  const rows = b.op('Reshape', [x, b.concat([batch, b.ints([-1])], 0)], {}, 'rows');
  const weight = b.constant(
    float32(
      [8, 3],
      Float32Array.from({ length: 24 }, (_, i) => i / 24),
    ),
    'weight',
  );
  const halved = b.mul(weight, b.scalar(0.5), 'halved');
  const dropped = b.op('Dropout', [b.op('Identity', [rows])], {}, 'dropped');
  b.output(b.matmul(dropped, halved), 'logits');
  return b.build();
}
const shape = [3, 2, 2, 2] as const;

describe('specialise', () => {
  test('folds what the pixels do not decide, drops what does nothing, and computes the same', async () => {
    const { graph } = await specialise(exported(), engine, shape);
    expect(graph.nodes.map((n) => n.op)).toEqual(['Reshape', 'MatMul', 'Identity']);
    expect(graph.inputs).toEqual([{ name: 'image', type: 'float32', shape }]);
    const feeds = { image: noise('float32', shape) };
    expect(difference((await runOnce(exported(), feeds)).logits, (await runOnce(graph, feeds)).logits)).toBe(0);
  });

  test('drops literal zeros that are added and ones that are multiplied by, but nothing that may be learned', async () => {
    const summed = (literal: boolean) => {
      const b = new GraphBuilder();
      const x = b.input('image', 'float32', ['N', 2, 2, 2]);
      const all = (value: number, dims: readonly number[]) => {
        const tensor = float32(dims, new Float32Array(dims.reduce((n, d) => n * d, 1)).fill(value));
        return b.constant(literal ? { ...tensor, literal } : tensor);
      };
      const sum = b.op('Concat', [b.add(all(0, []), b.relu(x))], { axis: 1 });
      b.output(b.relu(b.mul(b.op('Sub', [sum, all(0, [2, 1, 1])]), all(1, [1]))), 'map');
      return specialise(b.build(), engine, shape);
    };
    expect((await summed(true)).graph.nodes.map((n) => n.op)).toEqual(['Relu', 'Relu', 'Identity']);
    expect((await summed(false)).graph.nodes.map((n) => n.op)).toEqual([
      'Relu',
      'Add',
      'Sub',
      'Mul',
      'Relu',
      'Identity',
    ]);
  });

  test('reads a flat value that is gathered in its own order (as_strided) as one that is reshaped', async () => {
    const b = new GraphBuilder();
    const x = b.input('image', 'float32', ['N', 2, 2, 2]);
    const index = {
      type: 'int64',
      dims: [3, 8],
      data: BigInt64Array.from({ length: 24 }, (_, i) => BigInt(i)),
    } as const;
    b.output(b.op('Gather', [b.reshape(x, [-1]), b.constant(index)]), 'strided');
    const network = await specialise(b.build(), engine, shape);
    expect(network.graph.nodes.map((n) => n.op)).not.toContain('Gather');
    const feeds = { image: noise('float32', shape) };
    const { strided } = await runOnce(network.graph, feeds);
    expect([strided?.dims, [...(strided?.data ?? [])]]).toEqual([[3, 8], [...feeds.image.data]]);
  });

  test('keeps weights under their own names, with what is computed from them, and dropout, where asked to', async () => {
    const { graph } = await specialise(exported(), engine, shape, { keep: ['weight'], keepDropout: true });
    expect(graph.nodes.map((n) => n.op)).toEqual(['Reshape', 'Mul', 'Dropout', 'MatMul', 'Identity']);
    expect(graph.constants.has('weight')).toBe(true);
  });

  test('knows its values, batch, input and links', async () => {
    const network = await specialise(exported(), engine, shape);
    expect([network.batch, network.input, network.shape]).toEqual([3, 'image', shape]);
    expect(new Map(network.values)).toEqual(new Map(await observe(network.graph, engine)));
    expect([network.dims('rows'), network.dims('dropped')]).toEqual([[3, 8], undefined]);
    expect(network.links.producer.get('rows')?.op).toBe('Reshape');
    expect(network.links).toBe(network.links);
  });

  test('a graph with two inputs is no backbone', async () => {
    const b = new GraphBuilder();
    b.output(b.add(b.input('a'), b.input('b')));
    await expect(specialise(b.build(), engine, [1])).rejects.toThrow(
      /2 inputs \(a, b\); a backbone has one, the image/,
    );
  });
});

describe('observe', () => {
  test('tells what the engine infers, and by a run what it cannot', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', ['N', 3]);
    const flags = b.op('Greater', [x, b.scalar(0)], {}, 'flags');
    // The number of positive elements is known when the graph runs only; the noise is positive throughout.
    b.output(b.op('NonZero', [flags], {}, 'places'));
    const observed = await observe(b.build(), engine, { x: [2, 3] });
    expect(observed.get('flags')).toEqual({ type: 'bool', dims: [2, 3] });
    expect(observed.get('places')).toEqual({ type: 'int64', dims: [2, 6] });
  });

  test('wants a shape for every input', async () => {
    const graph = buildArchitecture('resnet20');
    await expect(observe(graph, engine)).rejects.toThrow("no shape is given for input 'input'");
  });
});
