/** TensorProto <-> Tensor: typed or raw data, external data files, every element type of the format. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { UserError } from '../../base/index.js';
import { numberOfType, typeOfNumber } from '../element-type.js';
import { arrayClass, type DataType, type NumericArray, sizeOf, type Tensor } from '../graph.js';
import { type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from './gen/onnx_pb.js';

export function readTensor(proto: TensorProto, directory: string | undefined): Tensor {
  const type = typeOfNumber(proto.dataType);
  const dims = proto.dims.map(Number);
  if (type === 'string') {
    return { type, dims, data: proto.stringData.map((s) => new TextDecoder().decode(s)) };
  }
  const external = isExternal(proto);
  const bytes = external ? readExternal(proto, directory) : proto.rawData;
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

const externalInfo = ({ externalData }: TensorProto) => new Map(externalData.map((e) => [e.key, e.value]));

/** Where the data of an external tensor lies. @throws UserError when that is outside the model's folder */
export function externalPath(proto: TensorProto, directory: string | undefined): string {
  const location = externalInfo(proto).get('location') ?? '';
  if (directory === undefined || isAbsolute(location) || normalize(location).startsWith('..')) {
    throw new UserError(`tensor '${proto.name}' lies in external data '${location}', outside the model's folder`);
  }
  return join(directory, location);
}

function readExternal(proto: TensorProto, directory: string | undefined): Uint8Array {
  const info = externalInfo(proto);
  const path = externalPath(proto, directory);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    throw new UserError(
      `external data of tensor '${proto.name}' is missing: ${path}; put the file that was exported with the model there`,
    );
  }
  try {
    const { size } = fstatSync(file);
    const wanted = sizeOf(proto.dims.map(Number)) * arrayClass(typeOfNumber(proto.dataType)).BYTES_PER_ELEMENT;
    const offset = Number(info.get('offset') ?? 0);
    const length = Number(info.get('length') ?? wanted);
    // A folder has a size too, so that the check of the range alone would let one pass.
    if (!fstatSync(file).isFile() || !(offset >= 0 && length >= 0 && offset + length <= size)) {
      throw new UserError(
        `external data file ${path} is too short for tensor '${proto.name}' (bytes ${offset} to ${offset + length} of ${size}): copy it again`,
      );
    }
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const read = readSync(file, bytes, done, Math.min(length - done, 1 << 30), offset + done);
      if (read === 0) throw new UserError(`external data file ${path} was cut short while it was read`);
      done += read;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

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
