/**
 * NumPy's .npy format (version 1.0), little-endian float32, float64 and integers; shape (n, p) in Fortran order keeps
 * each feature contiguous, which `np.load(mmap_mode='r')` and the solver both like.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { fileError, UserError } from '../base/index.js';

export interface NpyHeader {
  /** NumPy's dtype string, e.g. '<f4'. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly fortranOrder: boolean;
  /** Byte at which the data starts. */
  readonly offset: number;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Header bytes; padded so that the data starts at a multiple of 64. */
export function npyHeader(dtype: string, shape: readonly number[], fortranOrder: boolean): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${dtype}', 'fortran_order': ${fortranOrder ? 'True' : 'False'}, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length).fill(0x20);
  bytes.set([...magic, 1, 0, (length - 10) & 0xff, (length - 10) >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[length - 1] = 0x0a;
  return bytes;
}

/** A whole .npy file of small data (labels, weights). */
export function encodeNpy(
  dtype: '<f4' | '<f8' | '<i4' | '<i8',
  shape: readonly number[],
  data: ArrayBufferView,
  fortranOrder = false,
): Uint8Array {
  const header = npyHeader(dtype, shape, fortranOrder);
  const bytes = new Uint8Array(header.length + data.byteLength);
  bytes.set(header);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return bytes;
}

/** @throws UserError when the file is missing, not .npy, or shorter than its header says. */
export function readNpyHeader(path: string): NpyHeader {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw fileError(error, path);
  }
  try {
    const start = Buffer.alloc(12);
    readSync(file, start, 0, 12, 0);
    if (!magic.every((byte, i) => start[i] === byte)) throw new UserError(`${path} is not a .npy file`);
    const wide = (start[6] as number) >= 2;
    const length = wide ? start.readUInt32LE(8) : start.readUInt16LE(8);
    const offset = (wide ? 12 : 10) + length;
    const buffer = Buffer.alloc(length);
    readSync(file, buffer, 0, length, wide ? 12 : 10);
    const text = buffer.toString('latin1');
    const dtype = /'descr':\s*'([^']+)'/.exec(text)?.[1];
    const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
    const shape = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
    if (!dtype || !order || shape === undefined) throw new UserError(`${path}: unreadable .npy header`);
    const dims = shape.split(',').flatMap((d) => (d.trim() === '' ? [] : [Number(d)]));
    const width = Number(dtype.slice(2));
    const expected = offset + dims.reduce((a, b) => a * b, 1) * width;
    if (statSync(path).size < expected) throw new UserError(`${path} is cut off: copy or compute it again`);
    return { dtype, shape: dims, fortranOrder: order === 'True', offset };
  } finally {
    closeSync(file);
  }
}

const arrays = {
  '<f4': Float32Array,
  '<f8': Float64Array,
  '<i4': Int32Array,
  '<i8': BigInt64Array,
  '|u1': Uint8Array,
  '|i1': Int8Array,
  '<i2': Int16Array,
  '<u2': Uint16Array,
  '<u4': Uint32Array,
  '<u8': BigUint64Array,
  '|b1': Uint8Array,
} as const;

export type NpyArray = InstanceType<(typeof arrays)[keyof typeof arrays]>;

/** Elements `start` to `end` (all by default) in storage order. @throws UserError for element types that are not numbers. */
export function readNpyData(path: string, header: NpyHeader = readNpyHeader(path), start = 0, end?: number): NpyArray {
  const Class = arrays[header.dtype as keyof typeof arrays];
  if (!Class) throw new UserError(`${path} holds elements of type '${header.dtype}': save it as float32 or integers`);
  const total = header.shape.reduce((a, b) => a * b, 1);
  const data = new Class((end ?? total) - start);
  readBytes(path, new Uint8Array(data.buffer), header.offset + start * Class.BYTES_PER_ELEMENT);
  return data;
}

/** Fills `into` from the file at a byte position, in pieces below the 2 GiB that one read call takes. */
export function readBytes(path: string, into: Uint8Array, position: number): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw fileError(error, path);
  }
  try {
    for (let done = 0; done < into.length; ) {
      const read = readSync(file, into, done, Math.min(into.length - done, 1 << 30), position + done);
      if (read === 0) throw new UserError(`${path} is cut off: copy or compute it again`);
      done += read;
    }
  } finally {
    closeSync(file);
  }
}
