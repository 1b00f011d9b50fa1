/** TensorProto <-> Tensor: typed or raw data, every element type of the format. */
import { create } from '@bufbuild/protobuf';
import { UserError } from '../../base/index.js';
import { numberOfType, typeOfNumber } from '../element-type.js';
import { arrayClass, type DataType, type NumericArray, sizeOf, type Tensor } from '../graph.js';
import { type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from './gen/onnx_pb.js';

export function readTensor(proto: TensorProto, readExternal: ExternalReader): Tensor {
  const type = typeOfNumber(proto.dataType);
  const dims = proto.dims.map(Number);
  if (type === 'string') {
    return { type, dims, data: proto.stringData.map((s) => new TextDecoder().decode(s)) };
  }
  const external = isExternal(proto);
  const bytes = external ? readExternal(proto) : proto.rawData;
  const data = external || bytes.length > 0 ? fromBytes(type, bytes, proto.name) : fromTyped(type, proto);
  const expected = sizeOf(dims);
  if (!type.startsWith('opaque') && data.length !== expected) {
    throw new UserError(
      `tensor '${proto.name}' of shape [${dims}] holds ${data.length} elements instead of ${expected}: the file is damaged`,
    );
  }
  return { type, dims, data };
}

/** A view of the bytes where alignment allows, else a copy. The format is little-endian, as are the platforms served. */
function fromBytes(type: DataType, bytes: Uint8Array, name: string): NumericArray {
  const Class = arrayClass(type);
  if (bytes.byteLength % Class.BYTES_PER_ELEMENT !== 0) {
    throw new UserError(`tensor '${name}' of ${type} has ${bytes.byteLength} bytes of data: the file is damaged`);
  }
  const aligned = bytes.byteOffset % Class.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new Class(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.byteLength / Class.BYTES_PER_ELEMENT);
}

function fromTyped(type: DataType, proto: TensorProto): NumericArray {
  switch (type) {
    case 'float32':
      return Float32Array.from(proto.floatData);
    case 'float64':
      return Float64Array.from(proto.doubleData);
    case 'int64':
      return BigInt64Array.from(proto.int64Data);
    case 'uint64':
      return BigUint64Array.from(proto.uint64Data);
    case 'uint32':
      return Uint32Array.from(proto.uint64Data, Number);
    default:
      return new (arrayClass(type) as Int32ArrayConstructor)(proto.int32Data) as NumericArray;
  }
}

/** Whether a tensor's data lies in a file of its own. */
export function isExternal({ dataLocation }: TensorProto): boolean {
  return dataLocation === TensorProto_DataLocation.EXTERNAL;
}

/** Bytes of a tensor whose data lies in a file of its own. */
export type ExternalReader = (proto: TensorProto) => Uint8Array;

export function writeTensor(name: string, tensor: Tensor): TensorProto {
  const proto = create(TensorProtoSchema, {
    name,
    dims: tensor.dims.map(BigInt),
    dataType: numberOfType(tensor.type),
  });
  if (tensor.type === 'string') {
    proto.stringData = (tensor.data as readonly string[]).map((s) => new TextEncoder().encode(s));
  } else {
    const data = tensor.data as NumericArray;
    proto.rawData = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }
  return proto;
}
