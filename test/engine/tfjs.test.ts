import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/index.js';
import { createEngine, type EngineOptions } from '../../src/engine/index.js';
import { findNative, nativeFix } from '../../src/engine/tfjs/library.js';
import { float32, GraphBuilder } from '../../src/ir/index.js';
import { engineSuite } from './engine.suite.js';

const hasNative = findNative() !== undefined;
const hasGpu = findNative(['@tensorflow/tfjs-node-gpu']) !== undefined;

/** What the engine takes when it may choose: a native build where one is installed, or WebAssembly. */
engineSuite('tfjs', (options?: Partial<EngineOptions>) => createEngine({ ...options, engine: 'tfjs' }), {
  // TensorFlow.js holds what it computes with; the rest never gets there.
  ...(!hasGpu && {
    missingDevice: { device: 'cuda', message: /'cuda' is not available here: npm install .*tfjs-node-gpu/ },
  }),
});

for (const device of ['wasm', 'javascript'] as const) {
  engineSuite(`tfjs on ${device}`, (options) => createEngine({ ...options, engine: 'tfjs', device }), { device });
}
if (!hasNative) console.warn('no native build of TensorFlow.js is installed: its part of the suite is skipped');

test('an operator without a form here is refused by name, with what to do', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [1, 2, 3]);
  const [w, r] = [
    b.constant(float32([1, 16, 3], new Float32Array(48))),
    b.constant(float32([1, 16, 4], new Float32Array(64))),
  ];
  b.node<string, string>('DeformConv', [x, w, r], ['states'], {});
  b.output('states');
  const compiled = (await createEngine({ engine: 'tfjs' })).compile(b.build());
  await expect(compiled).rejects.toThrow(UserError);
  await expect(compiled).rejects.toThrow(/no operator DeformConv \(node 'states'\): use --engine onnxruntime/);
});

describe('what a native build that does not load lacks', () => {
  const gpu = { name: '@tensorflow/tfjs-node-gpu' } as const;
  test('a library of CUDA', () => {
    const error = new Error('libcudart.so.11.0: cannot open shared object file: No such file or directory');
    expect(nativeFix(gpu, error)).toBe(
      'libcudart.so.11.0 is not found: install CUDA 11.2 and cuDNN 8.1 and name their folders in LD_LIBRARY_PATH',
    );
  });
  test('its own add-on', () => {
    expect(
      nativeFix(gpu, new Error('The Node.js native addon module (tfjs_binding.node) can not be found\nmore')),
    ).toBe(
      'run npm rebuild @tensorflow/tfjs-node-gpu --build-addon-from-source (The Node.js native addon module (tfjs_binding.node) can not be found)',
    );
  });
});

test('nothing is left on the device after a run: not in 200 steps, not after one that fails, not after the end', async () => {
  const engine = await createEngine({ engine: 'tfjs', device: 'wasm' });
  const tf = await import('@tensorflow/tfjs-core');
  const before = tf.memory().numTensors;
  const b = new GraphBuilder();
  b.input('x', 'float32', ['N', 3, 8, 8]);
  b.input('w', 'float32', [4, 3, 3, 3]);
  const conv = b.op('Conv', ['x', 'w'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  const vector = b.constant(float32([4], [1, 2, 3, 4]));
  const [y = '', mean = ''] = b.ops('BatchNormalization', [conv, vector, vector, vector, vector], 3, {
    training_mode: 1,
  });
  const [pooled = '', places = ''] = b.ops('MaxPool', [b.relu(y)], 2, { kernel_shape: [2, 2], strides: [2, 2] });
  b.output(b.op('MaxUnpool', [pooled, places], { kernel_shape: [2, 2], strides: [2, 2] }), 'back');
  b.output(mean, 'mean');
  b.output(b.matmul(b.op('Flatten', [pooled]), b.constant(float32([64, 2], new Float32Array(128)))), 'z');
  const program = await engine.compile(b.build());
  const feeds = (n: number) => ({
    x: float32(
      [n, 3, 8, 8],
      Float32Array.from({ length: n * 192 }, (_, i) => Math.sin(i)),
    ),
    w: float32(
      [4, 3, 3, 3],
      Float32Array.from({ length: 108 }, (_, i) => Math.cos(i)),
    ),
  });
  await program.run(feeds(2));
  const [tensors, bytes] = [tf.memory().numTensors, tf.memory().numBytes];
  for (let i = 0; i < 200; i++) await program.run(feeds(1 + (i % 3)));
  await program.run(feeds(2));
  expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([tensors, bytes]);
  await expect(program.run({ ...feeds(2), x: float32([2, 3, 1, 8], []) })).rejects.toThrow();
  expect(tf.memory().numTensors).toBe(tensors);
  await program.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
