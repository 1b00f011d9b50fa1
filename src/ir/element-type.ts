/** Element types by their number in the format (TensorProto.DataType), which attributes such as Cast's `to` hold. */
import type { DataType } from './graph.js';

const types: Readonly<Record<number, DataType>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  4: 'uint16',
  5: 'int16',
  6: 'int32',
  7: 'int64',
  8: 'string',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  12: 'uint32',
  13: 'uint64',
  16: 'bfloat16',
};
const numbers = new Map(Object.entries(types).map(([n, type]) => [type, Number(n)]));

/** The type of a number in an ONNX file. */
export function typeOfNumber(n: number): DataType {
  return types[n] ?? `opaque${n}`;
}

/** The number of a type in an ONNX file. */
export function numberOfType(type: DataType): number {
  return numbers.get(type) ?? Number(type.slice('opaque'.length));
}
