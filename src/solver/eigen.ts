/** Eigendecomposition of a symmetric matrix of up to about a thousand rows. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** Eigenvalues with their vectors. */
export interface Eigen {
  /** Eigenvalues, largest first. */
  readonly values: Float64Array;
  /** Orthonormal eigenvectors as columns, row-major (size, values.length). */
  readonly vectors: Float64Array;
}

/**
 * Eigenvalues and eigenvectors of a symmetric matrix.
 * @param a row-major (size, size); of its two triangles the mean is taken
 */
export function symmetricEigen(a: Float64Array, size: number): Eigen {
  const rows = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => 0.5 * (a[i * size + j] + a[j * size + i])),
  );
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(new Matrix(rows), {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, e) => e).sort((e, f) => realEigenvalues[f] - realEigenvalues[e]);
  const vectors = new Float64Array(size * size);
  for (const [to, from] of order.entries()) {
    for (let i = 0; i < size; i++) vectors[i * size + to] = eigenvectorMatrix.get(i, from);
  }
  return { values: Float64Array.from(order, (e) => realEigenvalues[e]), vectors };
}
