/** Uses the library as a user's program does, as many threads below the main one as asked: none above knows the library. */
import { Worker } from 'node:worker_threads';

const depth = Number(process.argv[2]);
if (depth > 0) {
  // A worker runs JavaScript; tsx compiles this file for it.
  const code = `import('tsx/esm/api').then((tsx) => tsx.tsImport(${JSON.stringify(import.meta.filename)}, process.cwd()))`;
  new Worker(code, { eval: true, argv: [String(depth - 1)] });
} else {
  const { createEngine } = await import('../../src/engine/index.js');
  const { readModelFile } = await import('../../src/graph/index.js');
  const engine = await createEngine({ threads: 1 });
  await (await engine.compile(await readModelFile('assets/demo/figures.onnx'))).dispose();
  process.stdout.write('done');
}
