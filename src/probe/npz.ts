/** NumPy's .npz as np.savez writes it: an uncompressed zip archive of .npy files. */
import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { fileError, UserError } from '../base/index.js';
import { parseNpyHeader } from '../features/index.js';

export function encodeNpz(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(entries)) {
    const file = Buffer.from(`${name}.npy`, 'utf8');
    const sum = crc32(data);
    // Version 2.0, stored; the date is 1980-01-01, so that equal content gives equal bytes.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(sum, 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(file.length, 22);
    parts.push(
      Buffer.from('PK\x03\x04', 'latin1'),
      common,
      file,
      Buffer.from(data.buffer, data.byteOffset, data.length),
    );
    const central = Buffer.alloc(16);
    central.writeUInt32LE(offset, 12);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, central.subarray(2), file);
    offset += 30 + file.length + data.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  const count = Object.keys(entries).length;
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** One array of a .npz file. */
export interface NpzArray {
  readonly shape: readonly number[];
  readonly data: Float64Array | Int32Array;
}

/**
 * Reads an archive that encodeNpz wrote: float64 and int32 arrays in C order. Their checksums are compared.
 * @throws UserError for any other file
 */
export async function readNpz(path: string): Promise<Record<string, NpzArray>> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(error, path);
  }
  const damaged = new UserError(`${path} is not a whole archive of weights: run probe -o again`);
  const arrays: Record<string, NpzArray> = {};
  let at = 0;
  while (at + 30 <= bytes.length && bytes.readUInt32LE(at) === 0x04034b50) {
    const [sum, size] = [bytes.readUInt32LE(at + 14), bytes.readUInt32LE(at + 18)];
    const [nameLength, extra] = [bytes.readUInt16LE(at + 26), bytes.readUInt16LE(at + 28)];
    const name = bytes.toString('utf8', at + 30, at + 30 + nameLength).replace(/\.npy$/, '');
    const start = at + 30 + nameLength + extra;
    const entry = bytes.subarray(start, start + size);
    if (entry.length < size || crc32(entry) !== sum) throw damaged;
    const { dtype, shape, fortranOrder, offset } = parseNpyHeader(entry, entry.length, `${path} (${name})`);
    if (fortranOrder || (dtype !== '<f8' && dtype !== '<i4')) throw damaged;
    const Class = dtype === '<f8' ? Float64Array : Int32Array;
    const length = shape.reduce((a, b) => a * b, 1);
    const values = Uint8Array.from(entry.subarray(offset, offset + length * Class.BYTES_PER_ELEMENT));
    arrays[name] = { shape, data: new Class(values.buffer) };
    at = start + size;
  }
  // The list of what is in the archive follows: a cut between two arrays would lose the rest.
  const listed = bytes.length >= 22 ? bytes.readUInt16LE(bytes.length - 12) : 0;
  if (listed === 0 || listed !== Object.keys(arrays).length) throw damaged;
  return arrays;
}
