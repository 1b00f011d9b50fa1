/** Disposes of programs while their threads still work, in a process that nothing else keeps alive. */
import { createEngine } from '../../src/engine/index.js';
import { float32, GraphBuilder } from '../../src/ir/index.js';

const b = new GraphBuilder();
b.input('x', 'float32', [2]);
b.output(b.op('Neg', ['x']), 'y');
const engine = await createEngine({ threads: 2 });
for (let i = 0; i < 3; i++) {
  const program = await engine.compile(b.build(), { workers: 2 });
  const runs = [1, 2, 3].map((value) => program.run({ x: float32([2], [value, value]) }));
  await program.dispose();
  await Promise.all(runs);
}
process.stdout.write('done');
