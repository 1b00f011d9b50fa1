import { expect, test } from 'vitest';
import { createEngine, Refusal } from '../../src/engine/index.js';
import { float32, type Graph, GraphBuilder, int64, type ValueInfo } from '../../src/ir/index.js';

const weights = (dims: number[]) => float32(dims, new Float32Array(dims.reduce((a, d) => a * d)));
const graph = (
  shape: ValueInfo['shape'],
  write: (b: GraphBuilder, x: string) => string,
  type = 'float32' as const,
): Graph => {
  const b = new GraphBuilder();
  b.output(write(b, b.input('x', type, shape)), 'y');
  return b.build();
};

const ofOtherTypes = graph([2], (b, x) => b.binary('Add', x, b.constant(int64([1, 2])), 'sum'));
const product = (shape: ValueInfo['shape']) =>
  graph(shape, (b, x) => b.matmul(x, b.constant(weights([4, 5])), 'product'));
const twice = graph([2], (b, x) => b.op('Relu', [x], {}, 'r'));

test.each<[string, Graph, Refusal['kind'], RegExp]>([
  ['shapes', product([2, 3]), 'shape', /MatMul 'product' cannot run on what it is given: Incompatible dimensions/],
  ['types', ofOtherTypes, 'graph', /Add 'sum' is given values of different types: float and int64$/],
  ['names', { ...twice, nodes: [...twice.nodes, ...twice.nodes] }, 'graph', /two values are called 'r'$/],
  ['values', { ...twice, nodes: twice.nodes.slice(1) }, 'graph', /reads 'r', which nothing before it computes$/],
  [
    'attributes',
    graph([2], (b, x) => b.op('Cast', [x], {}, 'cast')),
    'graph',
    /Cast 'cast' is not written as its operator asks: Required attribute 'to' is missing$/,
  ],
  [
    'modes',
    graph([1, 1, 4, 4], (b, x) => b.op('GridSample', [x, b.constant(weights([1, 2, 2, 2]))], { mode: 'foo' })),
    'graph',
    /GridSample: mode "foo" not supported, expect bilinear/,
  ],
])('a graph whose %s do not fit is refused by node and fact', async (_, wrong, kind, message) => {
  const engine = await createEngine({ threads: 1 });
  const error = await engine.compile(wrong).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Refusal);
  expect(error).toMatchObject({ kind, message: expect.stringMatching(message) });
});

test('a run that fails names the node, and no function of the runtime', async () => {
  const engine = await createEngine({ threads: 1 });
  const program = await engine.compile(graph(['N', 3], (b, x) => b.reshape(x, [4, 5], 'shaped')));
  const failed = program.run({ x: weights([2, 3]) });
  await expect(failed).rejects.toThrow(/^the engine failed at Reshape 'shaped': The input tensor cannot be reshaped/);
});
