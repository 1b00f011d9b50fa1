/** The safetensors file format: named tensors that any tool can open. */
import * as z from 'zod';
import { WorkError } from '../base/index.js';
import { arrayClass, type NumericArray, type NumericType, sizeOf, type Tensor } from './graph.js';

const codes: Partial<Record<NumericType, string>> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  int64: 'I64',
  uint8: 'U8',
  bool: 'BOOL',
};
const types = new Map(Object.entries(codes).map(([type, code]) => [code, type as NumericType]));
const metadataKey = '__metadata__';

/** What a safetensors file holds. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Tensors as the bytes of a safetensors file. */
export function writeSafetensors({ tensors, metadata }: TensorFile): Uint8Array {
  const header: Record<string, Entry | Readonly<Record<string, string>>> = { [metadataKey]: metadata };
  let end = 0;
  for (const [name, { type, dims, data }] of tensors) {
    const dtype = codes[type as NumericType];
    if (!dtype) throw new Error(`tensor '${name}' of type ${type} has no safetensors form`);
    const begin = end;
    end += (data as NumericArray).byteLength;
    header[name] = { dtype, shape: dims, data_offsets: [begin, end] };
  }
  let text = JSON.stringify(header);
  // Spaces keep the tensors aligned to 8 bytes.
  text = text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8));
  const length = Buffer.byteLength(text);
  const bytes = Buffer.alloc(8 + length + end);
  bytes.writeBigUInt64LE(BigInt(length));
  bytes.write(text, 8);
  let at = 8 + length;
  for (const { data } of tensors.values()) {
    const { buffer, byteOffset, byteLength } = data as NumericArray;
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return bytes;
}

const count = z.int().min(0);
const header = z
  .object({ [metadataKey]: z.record(z.string(), z.string()).default({}) })
  .catchall(z.object({ dtype: z.string(), shape: z.array(count), data_offsets: z.tuple([count, count]) }));

/** @throws WorkError when the bytes are not a whole safetensors file; `path` is for the message. */
export function readSafetensors(bytes: Uint8Array, path: string): TensorFile {
  const damaged = () => new WorkError(`${path} is damaged (no whole safetensors file): delete it and start again`);
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 8) throw damaged();
  const length = Number(view.readBigUInt64LE());
  if (8 + length > view.length) throw damaged();
  let parsed: z.infer<typeof header>;
  try {
    parsed = header.parse(JSON.parse(view.toString('utf8', 8, 8 + length)));
  } catch {
    throw damaged();
  }
  const { [metadataKey]: metadata, ...entries } = parsed;
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(entries)) {
    const type = types.get(dtype);
    const [begin, end] = data_offsets;
    if (!type || begin > end || 8 + length + end > view.length) throw damaged();
    const Class = arrayClass(type);
    if (end - begin !== sizeOf(shape) * Class.BYTES_PER_ELEMENT) throw damaged();
    const copy = new Uint8Array(view.subarray(8 + length + begin, 8 + length + end));
    tensors.set(name, { type, dims: shape, data: new Class(copy.buffer) as NumericArray });
  }
  return { tensors, metadata };
}
