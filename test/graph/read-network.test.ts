import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dequantize,
  float32,
  type Graph,
  GraphBuilder,
  readModelFile,
  readNetwork,
  toFloat32,
  upgrade,
  writeModel,
} from '../../src/graph/index.js';

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
    const network = await readNetwork(path);
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
    const trainable = await readNetwork(path, { activations: 'drop' });
    expect(trainable.nodes.map((n) => n.op)).toEqual(['MatMul', 'Clip', 'ReduceSum', 'Identity']);
  });

  test('does not depend on the order of dequantising and of going to float32', async () => {
    const path = join(folder, 'order.onnx');
    await writeFile(path, writeModel(quantised()));
    for (const activations of ['keep', 'drop'] as const) {
      const other = toFloat32(dequantize(upgrade(await readModelFile(path)), { activations }));
      expect(await readNetwork(path, { activations })).toEqual(other);
    }
  });

  test('a file that is not there is an error that names it', async () => {
    await expect(readNetwork(join(folder, 'absent.onnx'))).rejects.toThrow(/absent.onnx/);
  });
});
