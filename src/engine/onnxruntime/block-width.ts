/** How wide onnxruntime's blocked layout is on this machine, found by asking it. */
import { float32, type Graph, GraphBuilder } from '../../ir/index.js';
import type { Program } from '../engine.js';

const domain = 'com.microsoft.nchwc';

/** Four channels come back as one block. */
export async function blockWidthOf(compile: (graph: Graph) => Promise<Program>): Promise<number> {
  const b = new GraphBuilder();
  b.domain(domain, 1);
  b.input('x', 'float32', [1, 4, 1, 1]);
  b.node('ReorderInput', ['x'], ['y'], {}, domain);
  b.output('y', 'y', 'float32');
  try {
    const program = await compile(b.build());
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
