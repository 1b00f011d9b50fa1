import { expect, test } from 'vitest';
import { createEngine, type EngineOptions } from '../../src/engine/index.js';
import { float32, GraphBuilder } from '../../src/ir/index.js';
import { nodeArguments, runProgram } from '../support/cli.js';
import { engineSuite } from './engine.suite.js';

const create = (options?: Partial<EngineOptions>) => createEngine({ ...options, engine: 'onnxruntime' });

engineSuite('onnxruntime', create, {
  missingDevice:
    process.platform === 'win32'
      ? { device: 'coreml', message: /'coreml' is not available here: .*macOS.*--device cpu/ }
      : { device: 'dml', message: /'dml' is not available here: .*Windows.*--device cpu/ },
});

const inWorkers = async (options?: Partial<EngineOptions>) => {
  const engine = await create(options);
  return { ...engine, compile: ((graph, o) => engine.compile(graph, { workers: 2, ...o })) as typeof engine.compile };
};
engineSuite('onnxruntime in worker threads', inWorkers);

test('a process waits for the threads that it disposes of', async () => {
  const child = [...nodeArguments, 'test/engine/workers-child.ts'];
  expect(await runProgram(process.execPath, child, process.env)).toEqual({ code: 0, stdout: 'done', stderr: '' });
});

test('runs in worker threads overlap, keep their feeds apart, and end before the program does', async () => {
  const b = new GraphBuilder();
  b.input('x', 'float32', [2]);
  b.output(b.op('Neg', ['x']), 'y');
  const program = await (await inWorkers({ threads: 2 })).compile(b.build());
  const x = new Float32Array(2);
  const runs = Array.from({ length: 9 }, (_, i) => {
    x.fill(i);
    return program.run({ x: float32([2], x) });
  });
  await program.dispose();
  expect((await Promise.all(runs)).map(({ y }) => y?.data[1])).toEqual([-0, -1, -2, -3, -4, -5, -6, -7, -8]);
});
