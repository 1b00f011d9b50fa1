/**
 * Eigenvalues of a symmetric matrix, and what other matrices are in its eigenvectors: Householder's reduction to a
 * tridiagonal matrix and implicit QL steps (Golub and Van Loan, chapter 8), the reflections and rotations applied to the rows
 * that are asked for alone. A few rows cost a fifth of all eigenvectors.
 */

export interface Spectrum {
  /** Eigenvalues, largest first, (size). */
  readonly values: Float64Array;
  /** Each row in the eigenvectors, row-major (rows, size): rows V. */
  readonly rows: Float64Array;
}

/** QL steps for one eigenvalue, of which there are two on average. */
const MOST_STEPS = 60;

/**
 * The eigenvalues of a symmetric matrix, with what products with its eigenvectors need.
 * @param a row-major (size, size), symmetric; it is overwritten
 * @param rows row-major (count, size), to be written in the eigenvectors; the identity gives the eigenvectors
 */
export function spectrumOf(a: Float64Array, size: number, rows: Float64Array): Spectrum {
  const count = rows.length / size;
  // Columns of `rows` side by side in memory: reflections and rotations combine them.
  const columns = transposed(rows, count, size);
  const { diagonal, off } = tridiagonalise(a, size, columns, count);
  rotate(diagonal, off, columns, count);
  const order = Array.from(diagonal, (_, e) => e).sort((e, f) => diagonal[f] - diagonal[e]);
  const result = new Float64Array(rows.length);
  for (const [to, from] of order.entries()) {
    for (let i = 0; i < count; i++) result[i * size + to] = columns[from * count + i];
  }
  return { values: Float64Array.from(order, (e) => diagonal[e]), rows: result };
}

function transposed(rows: Float64Array, count: number, size: number): Float64Array {
  const columns = new Float64Array(rows.length);
  for (let i = 0; i < count; i++) for (let j = 0; j < size; j++) columns[j * count + i] = rows[i * size + j];
  return columns;
}

/** H' a H tridiagonal by reflections H = H_0 H_1 ..., which `columns` (size, count) become the columns of rows H by. */
function tridiagonalise(a: Float64Array, size: number, columns: Float64Array, count: number) {
  const [diagonal, off] = [new Float64Array(size), new Float64Array(size)];
  const [v, w] = [new Float64Array(size), new Float64Array(size)];
  const sums = new Float64Array(count);
  for (let k = 0; k < size - 2; k++) {
    let norm = 0;
    for (let i = k + 1; i < size; i++) norm += a[i * size + k] ** 2;
    norm = Math.sqrt(norm);
    diagonal[k] = a[k * size + k];
    const first = a[(k + 1) * size + k];
    off[k] = first > 0 ? -norm : norm;
    if (norm === 0) continue;
    for (let i = k + 1; i < size; i++) v[i] = a[i * size + k];
    v[k + 1] -= off[k];
    // H = I - v v' / half, half = v'v / 2
    const half = norm * (norm + Math.abs(first));
    // w = a v / half - v (v'a v) / (2 half^2); a -= v w' + w v'
    let inner = 0;
    for (let i = k + 1; i < size; i++) {
      const row = i * size;
      let sum = 0;
      for (let j = k + 1; j < size; j++) sum += a[row + j] * v[j];
      w[i] = sum / half;
      inner += w[i] * v[i];
    }
    const shift = inner / (2 * half);
    for (let i = k + 1; i < size; i++) w[i] -= shift * v[i];
    for (let i = k + 1; i < size; i++) {
      const row = i * size;
      const [vi, wi] = [v[i], w[i]];
      for (let j = k + 1; j < size; j++) a[row + j] -= vi * w[j] + wi * v[j];
    }
    sums.fill(0);
    for (let i = k + 1; i < size; i++) {
      const at = i * count;
      for (let r = 0; r < count; r++) sums[r] += v[i] * columns[at + r];
    }
    for (let i = k + 1; i < size; i++) {
      const at = i * count;
      const factor = v[i] / half;
      for (let r = 0; r < count; r++) columns[at + r] -= factor * sums[r];
    }
  }
  for (let k = Math.max(0, size - 2); k < size; k++) diagonal[k] = a[k * size + k];
  if (size > 1) off[size - 2] = a[(size - 1) * size + size - 2];
  return { diagonal, off };
}

/** QL with implicit shifts: `diagonal` becomes the eigenvalues; each rotation is applied to `columns` (size, count). */
function rotate(diagonal: Float64Array, off: Float64Array, columns: Float64Array, count: number): void {
  const size = diagonal.length;
  for (let l = 0; l < size; l++) {
    for (let step = 0; step < MOST_STEPS; step++) {
      let m = l;
      for (; m < size - 1; m++) {
        const scale = Math.abs(diagonal[m]) + Math.abs(diagonal[m + 1]);
        if (Math.abs(off[m]) <= Number.EPSILON * scale) break;
      }
      if (m === l) break;
      const lead = (diagonal[l + 1] - diagonal[l]) / (2 * off[l]);
      const root = Math.hypot(lead, 1);
      let g = diagonal[m] - diagonal[l] + off[l] / (lead + (lead >= 0 ? root : -root));
      let [s, c, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * off[i];
        const b = c * off[i];
        const r = Math.hypot(f, g);
        off[i + 1] = r;
        if (r === 0) {
          diagonal[i + 1] -= p;
          off[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        const back = diagonal[i + 1] - p;
        const turn = (diagonal[i] - back) * s + 2 * c * b;
        p = s * turn;
        diagonal[i + 1] = back + p;
        g = c * turn - b;
        const [lower, upper] = [i * count, (i + 1) * count];
        for (let row = 0; row < count; row++) {
          const [x, y] = [columns[lower + row], columns[upper + row]];
          columns[upper + row] = s * x + c * y;
          columns[lower + row] = c * x - s * y;
        }
      }
      if (i >= l) continue;
      diagonal[l] -= p;
      off[l] = g;
      off[m] = 0;
    }
  }
}
