import { describe, expect, test } from 'vitest';
import { float32, GraphBuilder, int64, OPSET, opsetOf, sizeOf, tensorOf, toNumbers } from '../../src/ir/index.js';

describe('GraphBuilder', () => {
  test('writes nodes in order with fresh, reproducible names', () => {
    const build = () => {
      const b = new GraphBuilder();
      const x = b.input('x', 'float32', [null, 4]);
      const y = b.op('Relu', [b.op('MatMul', [x, b.constant(float32([4, 2], new Float32Array(8)))])]);
      b.output(b.op('Relu', [y]), 'y');
      return b.build();
    };
    const graph = build();
    expect(graph.nodes.map((n) => n.outputs[0])).toEqual(['th.MatMul', 'th.Relu', 'th.Relu.1', 'y']);
    expect(graph.nodes.at(-1)?.op).toBe('Identity');
    expect(opsetOf(graph)).toBe(OPSET);
    expect(build()).toEqual(graph);
  });

  test('extends a graph without touching it, and never takes a name twice', () => {
    const b = new GraphBuilder();
    b.output(b.op('Relu', [b.input('x')], {}, 'y'));
    const graph = b.build();
    const more = new GraphBuilder(graph);
    expect(more.op('Neg', ['y'], {}, 'y')).toBe('y.1');
    expect(more.fresh('x')).toBe('x.1');
    expect(() => more.input('x')).toThrow(/'x' exists already/);
    expect(graph.nodes).toHaveLength(1);
  });

  test('takes the names of bodies; a rewriting pass starts with no nodes and all names taken', () => {
    const body = new GraphBuilder();
    body.output(body.op('Relu', ['x'], {}, 'inner'));
    const b = new GraphBuilder();
    b.input('x');
    b.node('If', ['c'], ['y'], { then_branch: body.build() });
    const rewriting = GraphBuilder.rewriting(b.build());
    expect(rewriting.build().nodes).toEqual([]);
    for (const builder of [rewriting, new GraphBuilder(b.build()), b]) {
      expect(['y', 'inner', 'free'].map((name) => builder.fresh(name))).toEqual(['y.1', 'inner.1', 'free']);
    }
  });

  test('shares equal integers and scalars', () => {
    const b = new GraphBuilder();
    expect(b.ints([1, 2])).toBe(b.ints([1, 2]));
    expect(b.scalar(0.5)).toBe(b.scalar(0.5));
    expect(b.ints([2, 1])).not.toBe(b.ints([1, 2]));
    expect(b.build().constants.size).toBe(3);
  });

  test('shares scalars by value and type, and writes them in its own type unless told another', () => {
    const b = GraphBuilder.of('float64');
    const x = b.input('x');
    const half = b.scalar(0.5);
    expect(b.scalar(0.5, 'float64')).toBe(half);
    expect(b.scalar(0.5, 'float32')).not.toBe(half);
    b.output(b.cast(b.mul(x, half), 'float32'), 'y');
    const { inputs, nodes, constants } = b.build();
    expect(inputs[0]?.type).toBe('float64');
    expect(constants.get(half)).toEqual({ type: 'float64', dims: [], data: Float64Array.of(0.5) });
    expect(nodes[1]?.attributes.to).toEqual({ kind: 'int', value: 1 });
  });

  test('writes the usual operators by their names', () => {
    const b = new GraphBuilder();
    const [x, y] = [b.input('x', 'float32', [2, 3]), b.input('y', 'float32', [3, 4])];
    const sum = b.sum(b.relu(b.matmul(x, y)), [1], true);
    b.output(b.div(b.sub(b.add(sum, x), x), b.sqrt(b.scale(sum, 2))), 'z');
    b.concat([b.transpose(x, [1, 0]), b.reshape(x, [3, 2]), b.gather(x, b.ints([0]), 1)], 1);
    b.gemm(x, y, { transB: true });
    b.softmax(b.where('c', x, x), -1);
    const { nodes, constants } = b.build();
    expect(nodes.map((n) => n.op).join(' ')).toBe(
      'MatMul Relu ReduceSum Add Sub Mul Sqrt Div Identity Transpose Reshape Gather Concat Gemm Where Softmax',
    );
    expect(nodes[2]?.attributes).toEqual({ keepdims: { kind: 'int', value: 1 } });
    expect(constants.get(nodes[2]?.inputs[1] ?? '')).toEqual(int64([1]));
    expect(b.scale(x, 1)).toBe(x);
  });
});

describe('tensors', () => {
  test('sizes and numbers', () => {
    expect([sizeOf([]), sizeOf([2, 3]), sizeOf([2, 0])]).toEqual([1, 6, 0]);
    expect(toNumbers(int64([-1, 5]))).toEqual([-1, 5]);
    expect(int64([7], []).dims).toEqual([]);
    expect(tensorOf('int64', [2], [-1, 5])).toEqual(int64([-1, 5]));
    expect(tensorOf('uint8', [1, 2], [1, 255])).toEqual({ type: 'uint8', dims: [1, 2], data: Uint8Array.of(1, 255) });
  });
});
