/** What onnxruntime is known to die of never reaches it: a refusal instead of a process that is gone. */
import { beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/index.js';
import { float32, type Graph, GraphBuilder, int64 } from '../../src/ir/index.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ threads: 1 });
});

const ones = (n: number) => float32([n], new Float32Array(n).fill(1));

/** A Resize of a value whose rank is known only when it runs. @param scales a constant of so many, or an input */
function resize(scales: number | 'fed'): Graph {
  const b = new GraphBuilder();
  const x = b.op<string>('Reshape', [b.input('x', 'float32', ['n']), b.input('shape', 'int64', ['rank'])]);
  const factors = scales === 'fed' ? b.input('scales', 'float32', ['m']) : b.constant(ones(scales));
  b.output(b.op('Resize', [x, '', factors], { mode: 'nearest' }, 'grow'), 'y');
  return b.build();
}

async function run(graph: Graph, scales?: number) {
  const program = await engine.compile(graph);
  try {
    return await program.run({
      x: float32([12], new Float32Array(12)),
      shape: int64([1, 3, 2, 2]),
      ...(scales !== undefined && { scales: ones(scales) }),
    });
  } finally {
    await program.dispose();
  }
}

describe('a Resize with more scales than its input has axes', () => {
  test.each([5, 32])('of %d constants is refused by the runtime', async (n) => {
    await expect(run(resize(n))).rejects.toThrow(/Resize 'grow'/);
  });

  test.each([33, 64, 2000])('of %d constants, which smash its stack, is refused before', async (n) => {
    await expect(run(resize(n))).rejects.toThrow(`the engine does not take the graph: Resize 'grow' has ${n} scales`);
  });

  test.each([5, 100, 100_000])('of %d computed ones is refused when it runs', async (n) => {
    await expect(run(resize('fed'), n)).rejects.toThrow(/the engine failed at Resize 'grow'/);
  });

  test('in the body of a branch is refused as well', async () => {
    const inner = resize(100);
    const body: Graph = { ...inner, inputs: [] };
    const node = { op: 'If', domain: '', name: 'if', inputs: ['c'], outputs: ['y'] };
    const branch = { kind: 'graph', value: body } as const;
    const graph: Graph = {
      ...inner,
      inputs: [...inner.inputs, { name: 'c', type: 'bool', shape: [] }],
      nodes: [{ ...node, attributes: { then_branch: branch, else_branch: branch } }],
    };
    await expect(engine.compile(graph)).rejects.toThrow("Resize 'grow' has 100 scales");
  });
});

test('a Resize that fits is as it was', async () => {
  expect((await run(resize(4))).y?.dims).toEqual([1, 3, 2, 2]);
  expect((await run(resize('fed'), 4)).y?.dims).toEqual([1, 3, 2, 2]);
});
