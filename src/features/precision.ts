/** How features are stored: as the pass gives them, in 32 bits, or in half of the bytes, rounded to 16-bit floats. */
import { decodeFloat16, encodeFloat16, LARGEST_FLOAT16, readBytes, WorkError } from '../base/index.js';
import { type EncodedImage, imageName } from '../data/index.js';
import { featureCount } from './pass.js';
import type { PooledTap } from './tapped.js';

/** Precisions that features are stored in. */
export const precisions = ['float32', 'float16'] as const;
/** Precision that features are stored in. */
export type Precision = (typeof precisions)[number];

/** Stored numbers, in a typed array as wide as they are. */
export type StoredValues = Float32Array | Uint16Array;

interface Storage {
  /** NumPy's name of the type. */
  readonly dtype: '<f4' | '<f2';
  /** Bytes of a number. */
  readonly bytes: number;
  array(length: number): StoredValues;
  encode(values: Float32Array): StoredValues;
  /** Fills `into` from a file at a byte position. */
  read(path: string, into: Float32Array, position: number): void;
}

/** What each precision is on disk. */
export const storages: Readonly<Record<Precision, Storage>> = {
  float32: {
    dtype: '<f4',
    bytes: 4,
    array: (length) => new Float32Array(length),
    encode: (values) => values,
    read: (path, into, position) =>
      readBytes(path, new Uint8Array(into.buffer, into.byteOffset, into.byteLength), position),
  },
  float16: {
    dtype: '<f2',
    bytes: 2,
    array: (length) => new Uint16Array(length),
    encode: (values) => encodeFloat16(values),
    // Into the upper half of the room for the values, which fill it from below: never faster than what lies there is read.
    read: (path, into, position) => {
      const bits = new Uint16Array(into.buffer, into.byteOffset + 2 * into.length, into.length);
      readBytes(path, new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength), position);
      decodeFloat16(bits, into);
    },
  },
};

/** Whether all stored numbers are one; zeros of both signs are. */
export function isConstant(values: StoredValues): boolean {
  const [first = 0] = values;
  if (values instanceof Float32Array) return values.every((v) => v === first);
  return values.every((v) => v === first || ((v | first) & 0x7fff) === 0);
}

/**
 * @param rows pooled values, row by row
 * @throws OutOfReach for a value that 16-bit floats do not reach: names tap, image and value
 */
export function checkReach(rows: Float32Array, taps: readonly PooledTap[], images: readonly EncodedImage[]): void {
  for (let i = 0; i < rows.length; i++) {
    const value = rows[i] as number;
    if (value > LARGEST_FLOAT16 || value < -LARGEST_FLOAT16) throw outOfReach(i, value, taps, images);
  }
}

/** A value is larger than the store's precision reaches. */
export class OutOfReach extends WorkError {}

function outOfReach(
  at: number,
  value: number,
  taps: readonly PooledTap[],
  images: readonly EncodedImage[],
): OutOfReach {
  const features = featureCount(taps);
  let end = 0;
  const tap = taps.find((t) => {
    end += t.features;
    return at % features < end;
  }) as PooledTap;
  return new OutOfReach(
    `tap '${tap.alias}' (${tap.name}) has the value ${value} for ${imageName(images[Math.floor(at / features)] ?? '')}, and float16 ends at ${LARGEST_FLOAT16}: extract with --store float32, or leave the tap out`,
  );
}
