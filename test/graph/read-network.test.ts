import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/base/index.js';
import {
  dequantize,
  float32,
  type Graph,
  GraphBuilder,
  networkHash,
  readModelFile,
  readNetwork,
  toFloat32,
  upgrade,
  writeModel,
  writeModelParts,
} from '../../src/graph/index.js';
import { testEngine } from '../support/run.js';

const engine = await testEngine();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-network-'));
});
afterAll(() => rm(folder, { recursive: true }));

const half = (bits: number[], dims = [bits.length]) =>
  ({ type: 'float16', dims, data: Uint16Array.from(bits) }) as const;
const [one, two] = [0x3c00, 0x4000];

/** Of set 11, in half precision, its weight quantised, its activations rounded to bytes from zero on. */
function quantised(): Graph {
  const b = new GraphBuilder();
  b.domain('', 11);
  const x = b.input('x', 'float16', ['N', 2]);
  const bytes = b.constant({ type: 'int8', dims: [2, 2], data: Int8Array.of(1, -2, 3, 4) }, 'bytes');
  const weight = b.op('DequantizeLinear', [bytes, b.constant(half([two], []))], {}, 'weight');
  const product = b.matmul(x, weight);
  const parameters = [b.constant(half([one], [])), b.constant({ type: 'uint8', dims: [], data: Uint8Array.of(0) })];
  const rounded = b.op('DequantizeLinear', [b.op('QuantizeLinear', [product, ...parameters]), ...parameters]);
  b.output(b.op<string>('ReduceSum', [rounded], { axes: { kind: 'ints', value: [1] } }), 'y', 'float16');
  return b.build();
}

describe('readNetwork', () => {
  test('gives current operators, float32 and whole weights, whatever the file has', async () => {
    const path = join(folder, 'quantised.bin');
    await writeFile(path, writeModel(quantised()));
    const network = await readNetwork(path, engine);
    expect(network.opsets.get('')).toBe(18);
    expect([...network.inputs, ...network.outputs].map((v) => v.type)).toEqual(['float32', 'float32']);
    expect(network.constants.get('weight')).toEqual(float32([2, 2], [2, -4, 6, 8]));
    expect(network.nodes.map((n) => n.op)).toEqual([
      'MatMul',
      'QuantizeLinear',
      'DequantizeLinear',
      'ReduceSum',
      'Identity',
    ]);
    const trainable = await readNetwork(path, engine, { activations: 'drop' });
    expect(trainable.nodes.map((n) => n.op)).toEqual(['MatMul', 'Clip', 'ReduceSum', 'Identity']);
  });

  test('does not depend on the order of dequantising and of going to float32', async () => {
    const path = join(folder, 'order.onnx');
    await writeFile(path, writeModel(quantised()));
    for (const activations of ['keep', 'drop'] as const) {
      const other = toFloat32(dequantize(upgrade(await readModelFile(path)), { activations }));
      expect(await readNetwork(path, engine, { activations })).toEqual(other);
    }
  });

  test('a file that is not there is an error that names it', async () => {
    await expect(readNetwork(join(folder, 'absent.onnx'), engine)).rejects.toThrow(/absent.onnx/);
  });
});

describe('what names a network', () => {
  test('is the sha256 of its file', async () => {
    const bytes = writeModel(quantised());
    const path = join(folder, 'one-file.onnx');
    await writeFile(path, bytes);
    expect(await networkHash(path)).toBe(sha256(bytes));
  });

  test('changes with weights in a file of their own, wherever both lie', async () => {
    const b = new GraphBuilder();
    const weight = b.constant(float32([16, 32], Float32Array.from({ length: 512 }, Math.sin)));
    b.output(b.matmul(b.input('x', 'float32', ['N', 16]), weight), 'y');
    const { model, weights } = writeModelParts(b.build());
    const [external] = weights;
    if (!external) throw new Error('the weight stayed inside');
    const hashIn = async (place: string, data: Uint8Array) => {
      await mkdir(join(folder, place), { recursive: true });
      await writeFile(join(folder, place, 'model.onnx'), model);
      await writeFile(join(folder, place, external.path), data);
      return networkHash(join(folder, place, 'model.onnx'));
    };
    const before = await hashIn('here', external.data);
    expect(await hashIn('there', external.data)).toBe(before);
    const changed = external.data.map((v, i) => (i === 5 ? v ^ 1 : v));
    expect(await hashIn('here', changed)).not.toBe(before);
    expect(await networkHash(join(folder, 'there', 'model.onnx'))).toBe(before);
    await rm(join(folder, 'there', external.path));
    await expect(networkHash(join(folder, 'there', 'model.onnx'))).rejects.toThrow(external.path);
  });
});
