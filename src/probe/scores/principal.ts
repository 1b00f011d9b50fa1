/** Principal components that hold a share of the variance. */
import { Random } from '../../base/index.js';
import { choleskyFactor, type Matrix, type Multiply, spectrumOf } from '../../solver/index.js';
import { at, squareOf } from './coordinates.js';
import { traceOf } from './scatter.js';

/** Up to this size the whole spectrum is computed; beyond it as many directions as are needed, by subspace iteration. */
const WHOLE = 256;
const ITERATIONS = 8;

/**
 * Centred rows in their first principal components, (n, d): as few as hold `share` of the variance.
 * @param z centred, (n, r)
 */
export async function principalComponents(multiply: Multiply, z: Matrix, share: number): Promise<Matrix> {
  const r = z.columns;
  const scatter = await squareOf(multiply, z);
  const total = traceOf(scatter, r);
  for (let size = Math.min(r, WHOLE / 2); ; size = Math.min(r, 2 * size)) {
    const whole = r <= WHOLE || size >= r;
    const { values, vectors } = whole ? allOf(scatter, r) : await leading(multiply, scatter, r, size);
    let held = 0;
    const count = values.findIndex((v) => {
      held += v;
      return held >= share * total;
    });
    if (count < 0 && !whole) continue;
    const d = count < 0 ? values.length : count + 1;
    const chosen = new Float64Array(r * d);
    for (let i = 0; i < r; i++) for (let k = 0; k < d; k++) chosen[i * d + k] = at(vectors, i * values.length + k);
    return { rows: z.rows, columns: d, data: await multiply(z, { rows: r, columns: d, data: chosen }) };
  }
}

/** Eigenvalues, and eigenvectors as columns, (r, r). */
function allOf(scatter: Float64Array, r: number) {
  const identity = new Float64Array(r * r);
  for (let j = 0; j < r; j++) identity[j * (r + 1)] = 1;
  const { values, rows } = spectrumOf(scatter.slice(), r, identity);
  return { values, vectors: rows };
}

/** The largest eigenvalues and their eigenvectors, (r, size): orthogonal iteration with Rayleigh and Ritz's rotation. */
async function leading(multiply: Multiply, scatter: Float64Array, r: number, size: number) {
  const random = new Random(0, 'subspace', r, size);
  const whole: Matrix = { rows: r, columns: r, data: scatter };
  let basis: Matrix = { rows: r, columns: size, data: Float64Array.from({ length: r * size }, () => random.normal()) };
  for (let step = 0; step < ITERATIONS; step++) {
    basis = await orthonormal(multiply, await orthonormal(multiply, { ...basis, data: await multiply(whole, basis) }));
  }
  const image = { ...basis, data: await multiply(whole, basis) };
  const small = await multiply(basis, image, true);
  const { values, vectors } = allOf(small, size);
  return { values, vectors: await multiply(basis, { rows: size, columns: size, data: vectors }) };
}

/** Columns made orthonormal by the Cholesky factor of their Gram; columns that depend on others become zero. */
async function orthonormal(multiply: Multiply, basis: Matrix): Promise<Matrix> {
  const size = basis.columns;
  const gram = await squareOf(multiply, basis);
  choleskyFactor(gram, size);
  const data = basis.data.slice();
  for (let i = 0; i < basis.rows; i++) {
    const row = i * size;
    for (let j = 0; j < size; j++) {
      let value = at(data, row + j);
      for (let k = 0; k < j; k++) value -= at(gram, j * size + k) * at(data, row + k);
      const pivot = at(gram, j * (size + 1));
      data[row + j] = pivot > 1e-140 ? value / pivot : 0;
    }
  }
  return { ...basis, data };
}
