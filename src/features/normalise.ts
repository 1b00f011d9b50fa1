/**
 * Normalisation of pooled features, applied when they are read; the store keeps raw values.
 * Blocks are feature-major: feature j of example i stands at j * n + i.
 */

/**
 * Euclidean norm of every example over the features of one tap, in double precision: (n).
 * Head2Toe divides each tap's features by it; examples of norm zero stay zero.
 */
export function rowNorms(block: Float32Array, n: number): Float64Array {
  const sums = new Float64Array(n);
  for (let start = 0; start < block.length; start += n) {
    for (let i = 0; i < n; i++) {
      const v = block[start + i] as number;
      sums[i] = (sums[i] as number) + v * v;
    }
  }
  return sums.map(Math.sqrt);
}

/** Divides every example by its norm over the tap, in place. Zero rows stay zero. */
export function unitNorm(block: Float32Array, n: number, norms = rowNorms(block, n)): Float32Array {
  const scale = norms.map((norm) => (norm > 0 ? 1 / norm : 0));
  for (let start = 0; start < block.length; start += n) {
    for (let i = 0; i < n; i++) block[start + i] = (block[start + i] as number) * (scale[i] as number);
  }
  return block;
}

export interface Standardisation {
  /** Mean of each feature over the rows it was fitted on. */
  readonly mean: Float64Array;
  /** 1 / standard deviation (divisor n); 0 for features that are constant there. */
  readonly scale: Float64Array;
}

/** Per-feature standardisation fitted on `rows` only: the training rows. */
export function fitStandardisation(block: Float32Array, n: number, rows: ArrayLike<number>): Standardisation {
  const features = block.length / n;
  const mean = new Float64Array(features);
  const scale = new Float64Array(features);
  for (let j = 0; j < features; j++) {
    let sum = 0;
    for (let r = 0; r < rows.length; r++) sum += block[j * n + (rows[r] as number)] as number;
    const m = sum / rows.length;
    let squares = 0;
    for (let r = 0; r < rows.length; r++) {
      const d = (block[j * n + (rows[r] as number)] as number) - m;
      squares += d * d;
    }
    const deviation = Math.sqrt(squares / rows.length);
    mean[j] = m;
    scale[j] = deviation > 1e-7 * Math.abs(m) ? 1 / deviation : 0;
  }
  return { mean, scale };
}

/** Applies a fitted standardisation in place. */
export function standardise(block: Float32Array, n: number, { mean, scale }: Standardisation): Float32Array {
  for (let j = 0; j < mean.length; j++) {
    const [m, s] = [mean[j] as number, scale[j] as number];
    for (let i = 0; i < n; i++) block[j * n + i] = ((block[j * n + i] as number) - m) * s;
  }
  return block;
}
