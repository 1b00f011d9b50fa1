/**
 * Linear centred kernel alignment of many taps with one another, over minibatches with the unbiased estimator of the
 * Hilbert-Schmidt independence criterion (Song et al., 2012; Nguyen, Raghu and Kornblith, 2021): the criterion is the mean
 * product of U-centred kernels, so that one centred kernel per tap and batch is all that is kept.
 */
import type { Matrix, Multiply } from '../../solver/index.js';
import { at } from './coordinates.js';
import { varies } from './spectrum.js';
import { take, transposed } from './transrate.js';

/** Examples of a batch. */
const BATCH = 256;

/** Lower triangles of the U-centred kernels of every batch, one after another. */
export type CentredKernels = Float32Array;

/** Examples in batches of about equal size, in the order that is given. */
export function batchesOf(order: readonly number[], size = BATCH): number[][] {
  const count = Math.max(1, Math.round(order.length / size));
  return Array.from({ length: count }, (_, b) =>
    order.slice(Math.round((b * order.length) / count), Math.round(((b + 1) * order.length) / count)),
  );
}

/** @param z (n, r) */
export async function centredKernels(
  multiply: Multiply,
  z: Matrix,
  batches: readonly (readonly number[])[],
): Promise<CentredKernels> {
  const parts: number[] = batches.map((rows) => (rows.length * (rows.length - 1)) / 2);
  const result = new Float32Array(parts.reduce((sum, size) => sum + size, 0));
  // What is left of a tap of one value is rounding, and as likely to be like another tap as not.
  if (!varies(z)) return result;
  let to = 0;
  for (const rows of batches) {
    const m = rows.length;
    const own = transposed(take(z, rows));
    const kernel = await multiply(own, own, true);
    const sums = new Float64Array(m);
    let total = 0;
    for (let e = 0; e < kernel.length; e++) {
      const [i, j] = [Math.floor(e / m), e % m];
      if (i === j) continue;
      sums[i] = at(sums, i) + at(kernel, e);
      total += at(kernel, e);
    }
    // Kernels of one tap are comparable with one another, and far from what float32 cannot hold.
    const scale = 1 / Math.sqrt((m * (m - 3)) / 2);
    const grand = total / ((m - 1) * (m - 2));
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < i; j++) {
        result[to++] = scale * (at(kernel, i * m + j) - (at(sums, i) + at(sums, j)) / (m - 2) + grand);
      }
    }
  }
  return result;
}

/** Alignment of every pair, (taps, taps); NaN where a tap has no variance beyond noise. */
export function alignments(kernels: readonly CentredKernels[]): number[][] {
  const norms = kernels.map((kernel) => inner(kernel, kernel));
  return kernels.map((a, i) =>
    kernels.map((b, j) => {
      const product = (norms[i] as number) * (norms[j] as number);
      if (!(product > 0)) return Number.NaN;
      return i === j ? 1 : inner(a, b) / Math.sqrt(product);
    }),
  );
}

function inner(a: CentredKernels, b: CentredKernels): number {
  let [s, t] = [0, 0];
  const even = a.length - (a.length % 2);
  for (let e = 0; e < even; e += 2) {
    s += (a[e] as number) * (b[e] as number);
    t += (a[e + 1] as number) * (b[e + 1] as number);
  }
  return even < a.length ? s + t + (a[even] as number) * (b[even] as number) : s + t;
}
