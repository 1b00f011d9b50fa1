/** Eigenvalues, and rows written in the eigenvectors: what defines them, on matrices full, of low rank and with equal eigenvalues. */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { spectrumOf } from '../../src/solver/index.js';

const size = 40;
const identity = Float64Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0));

/** b'b, b of so many rows. */
function squareOf(rank: number): Float64Array {
  const random = new Random(3, 'matrix', rank);
  const b = Array.from({ length: rank }, () => Array.from({ length: size }, () => random.normal()));
  return Float64Array.from({ length: size * size }, (_, at) =>
    b.reduce((sum, row) => sum + (row[Math.floor(at / size)] as number) * (row[at % size] as number), 0),
  );
}

const product = (a: Float64Array, b: Float64Array, transposeB = false) =>
  Float64Array.from({ length: size * size }, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let k = 0; k < size; k++)
      sum += (a[i * size + k] as number) * (b[transposeB ? j * size + k : k * size + j] as number);
    return sum;
  });

const largest = (a: Float64Array, b: Float64Array) =>
  a.reduce((worst, v, at) => Math.max(worst, Math.abs(v - (b[at] as number))), 0);

test.each([
  ['full', squareOf(60)],
  ['of rank 7', squareOf(7)],
  ['the identity', identity],
  ['zero', new Float64Array(size * size)],
])('a = V diag(values) V, V orthonormal, of a matrix that is %s', (_, a) => {
  const { values, rows } = spectrumOf(a.slice(), size, identity);
  const scaled = rows.map((v, at) => v * (values[at % size] as number));
  expect(largest(product(scaled, rows, true), a)).toBeLessThan(1e-11);
  expect(largest(product(rows, rows, true), identity)).toBeLessThan(1e-12);
  expect([...values]).toEqual([...values].sort((x, y) => y - x));
});

test('a few rows are those of all, up to the signs of the eigenvectors', () => {
  const a = squareOf(60);
  const few = identity.slice(0, 2 * size);
  const all = spectrumOf(a.slice(), size, identity).rows.subarray(0, 2 * size);
  expect(largest(spectrumOf(a.slice(), size, few).rows.map(Math.abs), all.map(Math.abs))).toBeLessThan(1e-12);
});
