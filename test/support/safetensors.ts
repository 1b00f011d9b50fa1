/** Reads safetensors files: 8 bytes of header length, a JSON header, then the tensors' bytes. */
import { readFileSync } from 'node:fs';
import { arrayClass, type DataType, type Tensor } from '../../src/graph/index.js';

const types: Readonly<Record<string, DataType>> = {
  F32: 'float32',
  F64: 'float64',
  I32: 'int32',
  U8: 'uint8',
  I64: 'int64',
};

export function readSafetensors(path: string): Map<string, Tensor> {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    const type = types[dtype];
    if (name === '__metadata__' || type === undefined) continue;
    const [start, end] = data_offsets.map((offset) => 8 + headerLength + offset) as [number, number];
    const copy = new Uint8Array(bytes.subarray(start, end));
    tensors.set(name, { type, dims: shape, data: new (arrayClass(type) as Uint8ArrayConstructor)(copy.buffer) });
  }
  return tensors;
}
