/** How wide the engine's blocked layout is on this machine, found by asking it. */
import type { Engine } from '../../engine/index.js';
import { float32, GraphBuilder } from '../../ir/index.js';
import { blockedDomain } from './names.js';

const known = new WeakMap<Engine, Promise<number>>();

/** Channels per block (8 with AVX, 16 with AVX-512), or 0 when the engine has no such layout. */
export function blockWidth(engine: Engine): Promise<number> {
  let width = known.get(engine);
  if (!width) {
    width = engine.device === 'cpu' ? probe(engine) : Promise.resolve(0);
    known.set(engine, width);
  }
  return width;
}

/** Four channels come back as one block. */
async function probe(engine: Engine): Promise<number> {
  const b = new GraphBuilder();
  b.domain(blockedDomain, 1);
  b.input('x', 'float32', [1, 4, 1, 1]);
  b.node('ReorderInput', ['x'], ['y'], {}, blockedDomain);
  b.output('y', 'y', 'float32');
  try {
    const program = await engine.compile(b.build());
    try {
      const { y } = await program.run({ x: float32([1, 4, 1, 1], [1, 2, 3, 4]) });
      const width = y?.dims[1] ?? 0;
      return width >= 8 ? width : 0;
    } finally {
      await program.dispose();
    }
  } catch {
    return 0;
  }
}
