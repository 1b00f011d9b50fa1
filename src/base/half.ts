/** 16-bit floats and the numbers that they stand for. */

/** The largest finite value of a 16-bit float (IEEE 754 binary16). */
export const LARGEST_FLOAT16 = 65504;

/** Value of an IEEE 754 binary16 number. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let values: Float32Array | undefined;

/** The values of all 65,536: a quarter of a megabyte, which stays in the caches. */
function table(): Float32Array {
  values ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => fromFloat16(bits));
  return values;
}

/** Values of many binary16 numbers, written to `into`. */
export function decodeFloat16<T extends ArrayBufferLike>(bits: Uint16Array, into: Float32Array<T>): Float32Array<T> {
  const known = table();
  for (let i = 0; i < bits.length; i++) into[i] = known[bits[i] as number] as number;
  return into;
}

/** The float32 bits of the least normal binary16, of 1/32 of its range's end, and of infinity. */
const [leastNormal, beyond, infinity] = [0x38800000, 0x47800000, 0x7f800000];

/** Binary16 numbers nearest to many values, ties to even; infinite from 65,520 on, as IEEE 754 has it. */
export function encodeFloat16(numbers: Float32Array, into = new Uint16Array(numbers.length)): Uint16Array {
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length);
  for (let i = 0; i < words.length; i++) {
    const x = words[i] as number;
    const sign = (x >>> 16) & 0x8000;
    const size = x & 0x7fffffff;
    // Another bias of the exponent; 13 bits less of the fraction, half of their unit added, less by one where that is a tie to odd.
    if (size >= leastNormal && size < beyond) into[i] = sign | ((size - 0x38000000 + 0xfff + ((size >> 13) & 1)) >> 13);
    // A double of 2^52 and more has no fraction: whole multiples of the least subnormal.
    else if (size < leastNormal) into[i] = sign | (Math.abs(numbers[i] as number) * 2 ** 24 + 2 ** 52 - 2 ** 52);
    else into[i] = sign | (size > infinity ? 0x7e00 : 0x7c00);
  }
  return into;
}

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

/** Value of a bfloat16 number: the upper half of a float32. */
export function fromBfloat16(bits: number): number {
  word[0] = bits << 16;
  return single[0] as number;
}
