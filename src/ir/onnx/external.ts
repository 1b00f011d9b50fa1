/** Tensors whose data lies in files of their own beside the model. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import { UserError } from '../../base/index.js';
import { typeOfNumber } from '../element-type.js';
import { arrayClass, sizeOf } from '../graph.js';
import type { TensorProto } from './gen/onnx_pb.js';

const externalInfo = ({ externalData }: TensorProto) => new Map(externalData.map((e) => [e.key, e.value]));

/** Where the data of an external tensor lies. @throws UserError when that is outside the model's folder */
export function externalPath(proto: TensorProto, directory: string | undefined): string {
  const location = externalInfo(proto).get('location') ?? '';
  if (directory === undefined || isAbsolute(location) || normalize(location).startsWith('..')) {
    throw new UserError(`tensor '${proto.name}' lies in external data '${location}', outside the model's folder`);
  }
  return join(directory, location);
}

export function readExternal(proto: TensorProto, directory: string | undefined): Uint8Array {
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
