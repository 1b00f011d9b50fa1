/**
 * NumPy's .npy format (version 1.0), little-endian floats of 16, 32 and 64 bits and integers; shape (n, p) in Fortran order keeps
 * each feature contiguous, which `np.load(mmap_mode='r')` and the solver both like.
 */
import { readSync } from 'node:fs';
import { UserError } from './errors.js';
import { fileError, withFile } from './files.js';
import { decodeFloat16 } from './half.js';

/** What a .npy file says before its numbers. */
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
  return withFile(path, (file, size) => {
    try {
      const start = Buffer.alloc(Math.min(size, longestHeader));
      return parseNpyHeader(start.subarray(0, readSync(file, start, 0, start.length, 0)), size, path);
    } catch (error) {
      throw fileError(error, path);
    }
  });
}

/** Bytes of a header at most, as NumPy has it. */
const longestHeader = 12 + 10_000;

/**
 * The header of the .npy file that begins with these bytes.
 * @param size of the whole file: no header promises more than there is
 * @param path for messages
 */
export function parseNpyHeader(start: Buffer, size: number, path: string): NpyHeader {
  if (start.length < 10 || !magic.every((byte, i) => start[i] === byte))
    throw new UserError(`${path} is not a .npy file`);
  const wide = (start[6] as number) >= 2;
  const unreadable = new UserError(`${path}: unreadable .npy header`);
  if (wide && start.length < 12) throw unreadable;
  const first = wide ? 12 : 10;
  const length = wide ? start.readUInt32LE(8) : start.readUInt16LE(8);
  const offset = first + length;
  if (offset > start.length) throw offset > size ? cutOff(path) : unreadable;
  const text = start.toString('latin1', first, offset);
  const dtype = /'descr':\s*'([^']+)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape':\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (!dtype || !order || shape === undefined) throw unreadable;
  const dims = shape.split(',').flatMap((d) => (d.trim() === '' ? [] : [Number(d.replace('L', ''))]));
  const Class = arrays[dtype as keyof typeof arrays];
  if (!Class) {
    const what = dtype.slice(0, 20).replace(/[^\w<>|=]/g, '?');
    throw new UserError(`${path} holds elements of type '${what}': save it as float32 or integers`);
  }
  if (!dims.every(Number.isSafeInteger)) throw unreadable;
  // Compared in floating point, which does not wrap around.
  if (offset + dims.reduce((a, b) => a * b, 1) * Class.BYTES_PER_ELEMENT > size) throw cutOff(path);
  return { dtype, shape: dims, fortranOrder: order === 'True', offset };
}

const cutOff = (path: string) => new UserError(`${path} is cut off: copy or compute it again`);

/** How elements lie in a file. */
const arrays = {
  '<f2': Uint16Array,
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

/** 16-bit floats as the numbers that they are, in float32. */
const valuesOf = ({ dtype }: NpyHeader, stored: NpyArray): NpyArray =>
  dtype === '<f2' ? decodeFloat16(stored as Uint16Array, new Float32Array(stored.length)) : stored;

/** Elements `start` to `end` (all by default) in storage order; 16-bit floats as float32. */
export function readNpyData(path: string, header: NpyHeader = readNpyHeader(path), start = 0, end?: number): NpyArray {
  const Class = arrays[header.dtype as keyof typeof arrays];
  const total = header.shape.reduce((a, b) => a * b, 1);
  const data = new Class((end ?? total) - start);
  readBytes(path, new Uint8Array(data.buffer), header.offset + start * Class.BYTES_PER_ELEMENT);
  return valuesOf(header, data);
}

/** Fills `into` from the file at a byte position, in pieces below the 2 GiB that one read call takes. */
export function readBytes(path: string, into: Uint8Array, position: number): void {
  withFile(path, (file) => {
    for (let done = 0; done < into.length; ) {
      const read = readSync(file, into, done, Math.min(into.length - done, 1 << 30), position + done);
      if (read === 0) throw cutOff(path);
      done += read;
    }
  });
}

/** Elements from their bytes, in storage order; 16-bit floats as float32. */
export function npyElements(header: NpyHeader, bytes: Uint8Array): NpyArray {
  const Class = arrays[header.dtype as keyof typeof arrays];
  const copy = Uint8Array.from(bytes);
  return valuesOf(header, new Class(copy.buffer, 0, copy.length / Class.BYTES_PER_ELEMENT));
}
