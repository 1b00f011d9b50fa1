import { describe, expect, test } from 'vitest';
import { float32, type Graph, GraphBuilder, int64, ownConstants } from '../../src/graph/index.js';
import { difference, runOnce } from '../support/run.js';

const ramp = (dims: number[]) =>
  float32(
    dims,
    Array.from({ length: dims.reduce((a, d) => a * d) }, (_, i) => (i % 7) * 0.1 + 0.2),
  );
const uniform = (dims: number[], value: number) =>
  float32(dims, new Float32Array(dims.reduce((a, d) => a * d)).fill(value));

/** What `write` makes of an image of four channels. */
function network(write: (b: GraphBuilder, x: string) => string): Graph {
  const b = new GraphBuilder();
  b.output(write(b, b.input('x', 'float32', [2, 4, 5, 5])), 'y');
  return b.build();
}

async function expectSame(graph: Graph): Promise<Graph> {
  const own = ownConstants(graph);
  const x = ramp([2, 4, 5, 5]);
  expect(difference((await runOnce(graph, { x })).y, (await runOnce(own, { x })).y)).toBe(0);
  return own;
}

const inputsOf = (graph: Graph, op: string) => graph.nodes.filter((n) => n.op === op).map((n) => n.inputs.slice(1));

describe('constants of their own', () => {
  test('weights behind an Identity are constants of that name', async () => {
    const own = await expectSame(
      network((b, x) => {
        const w = b.constant(ramp([4, 4, 1, 1]), 'w');
        const [again] = b.ops('Identity', [w], 1, {}, 'again') as [string];
        const kernel = { kernel_shape: [1, 1] };
        return b.op('Conv', [b.op('Conv', [x, w], kernel), again], kernel);
      }),
    );
    expect(inputsOf(own, 'Conv')).toEqual([['w'], ['again']]);
    expect([...own.constants.keys()].toSorted()).toEqual(['again', 'w']);
  });

  test('weights that a file writes as one number are constants; shapes and masks stay computed', async () => {
    const own = await expectSame(
      network((b, x) => {
        const fill = { type: 'float32' as const, dims: [1], data: Float32Array.of(0.5) };
        const filled = (dims: number[]) => b.op('ConstantOfShape', [b.constant(int64(dims))], { value: fill });
        return b.add(b.op('Conv', [x, filled([3, 4, 1, 1])], { kernel_shape: [1, 1] }), filled([3, 5, 5]));
      }),
    );
    expect(own.nodes.map((n) => n.op)).toEqual(['Conv', 'ConstantOfShape', 'Add', 'Identity']);
  });

  test('norms that share their statistics have their own; scales that differ from all ones stay tied', async () => {
    const own = await expectSame(
      network((b, x) => {
        const [scale, shift] = [b.constant(ramp([4]), 'scale'), b.constant(uniform([4], 0), 'shift')];
        const statistics = [b.constant(ramp([4]), 'mean'), b.constant(ramp([4]), 'variance')];
        const norm = () => b.op('BatchNormalization', [x, scale, shift, ...statistics]);
        return b.add(norm(), norm());
      }),
    );
    expect(inputsOf(own, 'BatchNormalization')).toEqual([
      ['scale', 'shift', 'mean', 'variance'],
      ['scale', 'shift.1', 'mean.1', 'variance.1'],
    ]);
  });

  test('a graph that shares nothing comes back as it is', () => {
    const graph = network((b, x) => b.op('Conv', [x, b.constant(ramp([4, 4, 1, 1]))], { kernel_shape: [1, 1] }));
    expect(ownConstants(graph)).toBe(graph);
  });
});
