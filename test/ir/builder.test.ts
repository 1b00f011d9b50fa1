import { describe, expect, test } from 'vitest';
import { float32, GraphBuilder, int64, type Node, OPSET, opsetOf, sizeOf, toNumbers } from '../../src/ir/index.js';

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

  test('starts a rewriting pass with no nodes and all names taken, those of bodies too', () => {
    const body = new GraphBuilder();
    body.output(body.op('Relu', ['x'], {}, 'inner'));
    const b = new GraphBuilder();
    b.input('x');
    b.node('If', ['c'], ['y'], { then_branch: { kind: 'graph', value: body.build() } });
    const rewriting = GraphBuilder.rewriting(b.build());
    expect(rewriting.build().nodes).toEqual([]);
    expect(['y', 'inner', 'free'].map((name) => rewriting.fresh(name))).toEqual(['y.1', 'inner.1', 'free']);
  });

  test('shares equal integers and scalars', () => {
    const b = new GraphBuilder();
    expect(b.ints([1, 2])).toBe(b.ints([1, 2]));
    expect(b.scalar(0.5)).toBe(b.scalar(0.5));
    expect(b.ints([2, 1])).not.toBe(b.ints([1, 2]));
    expect(b.build().constants.size).toBe(3);
  });

  test('gives attributes the kind that the standard asks for', () => {
    const b = new GraphBuilder();
    b.node('Any', [], ['y'], {
      axis: 1,
      alpha: 1,
      size: 0.5,
      mode: 'linear',
      pads: [1, 2],
      names: ['a'],
      value: int64([1]),
      exact: { kind: 'floats', value: [1] },
      absent: undefined,
    });
    const { attributes } = b.build().nodes[0] as Node;
    expect(Object.fromEntries(Object.entries(attributes).map(([k, a]) => [k, a.kind]))).toEqual({
      axis: 'int',
      alpha: 'float',
      size: 'float',
      mode: 'string',
      pads: 'ints',
      names: 'strings',
      value: 'tensor',
      exact: 'floats',
    });
  });
});

describe('tensors', () => {
  test('sizes and numbers', () => {
    expect([sizeOf([]), sizeOf([2, 3]), sizeOf([2, 0])]).toEqual([1, 6, 0]);
    expect(toNumbers(int64([-1, 5]))).toEqual([-1, 5]);
    expect(int64([7], []).dims).toEqual([]);
  });
});
