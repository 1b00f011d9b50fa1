import { describe, expect, test } from 'vitest';
import { type Graph, GraphBuilder, prune, reads, subgraph } from '../../src/graph/index.js';

/** x -> Relu -> a -> Neg -> b (output); a -> Abs -> dead; an If whose body captures a. */
function example(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', ['N', 2]);
  const a = b.op('Relu', [x], {}, 'a');
  b.op('Abs', [a], {}, 'dead');
  b.scalar(3);
  b.output(b.op('Neg', [a], {}, 'b'));
  return b.build();
}

function body(read: string): Graph {
  const b = new GraphBuilder();
  b.node('Exp', [read], ['inner']);
  b.output('inner');
  return b.build();
}

describe('prune', () => {
  test('removes the nodes and constants that no output needs, and keeps the inputs', () => {
    const pruned = prune(example());
    expect(pruned.nodes.map((n) => n.op)).toEqual(['Relu', 'Neg']);
    expect(pruned.constants.size).toBe(0);
    expect(pruned.inputs.map((v) => v.name)).toEqual(['x']);
  });

  test('keeps what the body of an If captures', () => {
    const b = new GraphBuilder();
    const x = b.input('x');
    b.node('Abs', [x], ['captured']);
    const condition = b.constant({ type: 'bool', dims: [], data: Uint8Array.of(1) });
    b.node('If', [condition], ['y'], {
      then_branch: body('captured'),
      else_branch: body('x'),
    });
    b.output('y');
    const pruned = prune(b.build());
    expect(pruned.nodes.map((n) => n.op)).toEqual(['Abs', 'If']);
    expect(reads(pruned.nodes[1] as never)).toContain('captured');
  });
});

describe('subgraph', () => {
  test('cuts the part between two values', () => {
    const part = subgraph(example(), ['a'], ['b']);
    expect(part.nodes.map((n) => n.op)).toEqual(['Neg']);
    expect(part.inputs).toEqual([{ name: 'a', type: 'float32' }]);
  });

  test('keeps the declaration of the model for its own inputs', () => {
    expect(subgraph(example(), ['x'], ['a']).inputs).toEqual([{ name: 'x', type: 'float32', shape: ['N', 2] }]);
  });

  test('a value that does not exist, or an input that is needed and not listed, is an error naming it', () => {
    expect(() => subgraph(example(), ['x'], ['nothing'])).toThrow(/no value 'nothing'/);
    expect(() => subgraph(example(), [], ['b'])).toThrow(/needs the input 'x'/);
  });
});
