/** Running graphs in tests. */
import { createEngine, type Engine, type EngineName, type Tensors } from '../../src/engine/index.js';
import { type Graph, type Tensor, toNumbers } from '../../src/graph/index.js';

let shared: Promise<Engine> | undefined;
/** One engine for a test file; TOEHOLD_TEST_ENGINE names another one than onnxruntime. */
export function testEngine(): Promise<Engine> {
  const engine = (process.env.TOEHOLD_TEST_ENGINE as EngineName | undefined) ?? 'onnxruntime';
  shared ??= createEngine({ engine, threads: 2 });
  return shared;
}

/** Compiles, runs once and disposes. */
export async function runOnce(
  graph: Graph,
  feeds: Tensors,
  optimize: 'all' | 'none' = 'all',
): Promise<Record<string, Tensor>> {
  const engine = await testEngine();
  const program = await engine.compile(graph, { optimize });
  try {
    return await program.run(feeds);
  } finally {
    await program.dispose();
  }
}

/** Largest absolute difference of two tensors' elements; Infinity when their shapes differ. */
export function difference(a: Tensor | undefined, b: Tensor | undefined): number {
  if (!a || !b || a.dims.join() !== b.dims.join()) return Number.POSITIVE_INFINITY;
  const x = toNumbers(a);
  return toNumbers(b).reduce((most, v, i) => {
    const u = x[i] as number;
    return Math.max(most, Object.is(u, v) || u === v ? 0 : Math.abs(u - v));
  }, 0);
}
