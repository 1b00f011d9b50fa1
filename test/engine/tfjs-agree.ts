/** What the tests of agreement share: a graph by TensorFlow.js on every backend that is here, and by onnxruntime. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { Random } from '../../src/base/index.js';
import { createEngine, type Engine } from '../../src/engine/index.js';
import { findNative } from '../../src/engine/tfjs/library.js';
import { float32, type Graph, GraphBuilder, sizeOf, type Tensor, toNumbers } from '../../src/ir/index.js';

const reference = createEngine({ threads: 1 });
/** With a native build, where one is installed. */
export const devices = [...(['wasm', 'javascript'] as const), ...(findNative() ? (['cpu'] as const) : [])];
export const tried = Object.fromEntries(devices.map((device) => [device, createEngine({ engine: 'tfjs', device })]));

export function sample(dims: readonly number[], key: string, change: (v: number) => number = (v) => v): Tensor {
  const random = new Random(3, key);
  return float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => change(random.normal())),
  );
}

export async function outputs(
  engine: Engine,
  graph: Graph,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const program = await engine.compile(graph);
  try {
    return await program.run(feeds);
  } finally {
    await program.dispose();
  }
}

/** Largest difference, relative to the largest element. */
function apart(a: Tensor, b: Tensor | undefined): number {
  expect([b?.type, b?.dims]).toEqual([a.type, [...a.dims]]);
  const [x, y] = [toNumbers(a), toNumbers(b as Tensor)];
  const scale = Math.max(1e-3, ...x.filter(Number.isFinite).map(Math.abs));
  return x.reduce((most, v, i) => {
    const w = y[i] as number;
    return Object.is(v, w) || v === w ? most : Math.max(most, Number.isNaN(v - w) ? 1 : Math.abs(v - w) / scale);
  }, 0);
}

export async function agree(write: (b: GraphBuilder) => string[], feeds: Record<string, Tensor>, tolerance = 2e-5) {
  const b = new GraphBuilder();
  b.domain('', 20);
  for (const [name, { type, dims }] of Object.entries(feeds)) b.input(name, type, [...dims]);
  for (const value of write(b)) b.output(value);
  const expected = await outputs(await reference, b.build(), feeds);
  for (const device of devices) {
    const found = await outputs(await (tried[device] as Promise<Engine>), b.build(), feeds);
    for (const [name, tensor] of Object.entries(expected)) {
      const difference = apart(tensor, found[name]);
      if (!(difference <= tolerance)) throw new Error(`${device}: '${name}' differs by ${difference}`);
    }
  }
}

export const check = <T extends unknown[]>(property: fc.IAsyncProperty<T>, numRuns = 12) =>
  fc.assert(property, { numRuns, seed: 18 });

export const shape = (least = 1, most = 4) =>
  fc.array(fc.integer({ min: 1, max: 5 }), { minLength: least, maxLength: most });
/** Two shapes that broadcast to each other. */
