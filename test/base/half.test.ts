/** 16-bit floats against NumPy's. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeFloat16, encodeFloat16, readNpyData, readNpyHeader } from '../../src/base/index.js';

const fixtures = join(import.meta.dirname, '../fixtures/base');

test('all 65,536 come back from float32 as they were', () => {
  const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
  const values = decodeFloat16(bits, new Float32Array(bits.length));
  const isNan = (b: number) => (b & 0x7fff) > 0x7c00;
  const back = encodeFloat16(values);
  expect([...bits].filter((b) => !isNan(b) && back[b] !== b)).toEqual([]);
  expect(
    [...bits].filter((b) => Number.isNaN(values[b]) !== isNan(b) || isNan(back[b] as number) !== isNan(b)),
  ).toEqual([]);
});

test('float32 is rounded to the nearest, ties to even, subnormal and too large ones too, as by NumPy', () => {
  const { float32, float16 } = JSON.parse(readFileSync(join(fixtures, 'halves.json'), 'utf8'));
  const values = new Float32Array(Uint32Array.from(float32).buffer);
  expect([...encodeFloat16(values)]).toEqual(float16);
});

test('are read where they are decoded to: the upper half of the same memory', () => {
  const values = Float32Array.from({ length: 1000 }, (_, i) => (i - 500) / 8);
  const room = new Float32Array(1000);
  const bits = new Uint16Array(room.buffer, 2000);
  encodeFloat16(values, bits);
  expect([...decodeFloat16(bits, room)]).toEqual([...values]);
});

test('a file that NumPy wrote of them is read as float32', () => {
  const path = join(fixtures, 'halves.npy');
  const header = readNpyHeader(path);
  expect(header).toMatchObject({ dtype: '<f2', shape: [2, 3], fortranOrder: true });
  const tenth = Math.fround(0.0999755859375);
  expect([...readNpyData(path, header)]).toEqual([1, 2 ** -24, -2.5, tenth, 65504, Number.POSITIVE_INFINITY]);
});
