/** Initial weights of layers that start anew. */
import type { Random } from '../base/index.js';
import { float32, sizeOf, type Tensor } from '../graph/index.js';

export const initialisations = ['he', 'glorot', 'orthogonal', 'caffe'] as const;
/**
 * - `he`: normal, variance 2 / fan-in (He et al., 2015).
 * - `glorot`: uniform within sqrt(6 / (fan-in + fan-out)) (Glorot and Bengio, 2010).
 * - `orthogonal`: orthonormal rows or columns times sqrt(2) (Saxe et al., 2014).
 * - `caffe`: normal of deviation .01, and .005 in hidden fully connected layers (CaffeNet, used by Yosinski et al., 2014).
 */
export type Initialisation = (typeof initialisations)[number];

export interface WeightShape {
  /** Shape of the tensor: (out, in / groups, kernel...) of a convolution, a matrix else. */
  readonly dims: readonly number[];
  /** Which axis of a matrix holds the outputs: 0 as in Gemm with transB, 1 as in MatMul. Convolutions: 0. */
  readonly outputAxis: 0 | 1;
  /** A fully connected layer below the last one. */
  readonly hidden: boolean;
}

/** A freshly drawn weight. The same stream of `random` gives the same weight. */
export function initialWeight(kind: Initialisation, shape: WeightShape, random: Random): Tensor {
  const { dims, outputAxis, hidden } = shape;
  const size = sizeOf(dims);
  const receptive = sizeOf(dims.slice(2));
  const [outputs, inputs] = [dims[outputAxis] ?? 1, dims[1 - outputAxis] ?? 1];
  const [fanIn, fanOut] = [inputs * receptive, outputs * receptive];
  const data = new Float32Array(size);
  switch (kind) {
    case 'he':
      fillNormal(data, Math.sqrt(2 / fanIn), random);
      break;
    case 'caffe':
      fillNormal(data, hidden ? 0.005 : 0.01, random);
      break;
    case 'glorot': {
      const bound = Math.sqrt(6 / (fanIn + fanOut));
      for (let i = 0; i < size; i++) data[i] = bound * (2 * random.uniform() - 1);
      break;
    }
    case 'orthogonal':
      data.set(orthogonal(dims[0] ?? 1, size / (dims[0] ?? 1), random));
      for (let i = 0; i < size; i++) data[i] = Math.SQRT2 * (data[i] as number);
  }
  return float32(dims, data);
}

function fillNormal(data: Float32Array, deviation: number, random: Random): void {
  for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
}

/** A matrix (rows, columns), row-major, whose rows (or columns, if fewer) are orthonormal: Gram and Schmidt, twice. */
function orthogonal(rows: number, columns: number, random: Random): Float64Array {
  const transposed = rows > columns;
  const [count, length] = transposed ? [columns, rows] : [rows, columns];
  const vectors = Array.from({ length: count }, () => Float64Array.from({ length }, () => random.normal()));
  vectors.forEach((v, i) => {
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const u = vectors[j] as Float64Array;
        let dot = 0;
        for (let k = 0; k < length; k++) dot += (u[k] as number) * (v[k] as number);
        for (let k = 0; k < length; k++) v[k] = (v[k] as number) - dot * (u[k] as number);
      }
      const norm = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
      for (let k = 0; k < length; k++) v[k] = (v[k] as number) / norm;
    }
  });
  const result = new Float64Array(rows * columns);
  vectors.forEach((v, i) => {
    v.forEach((x, k) => {
      result[transposed ? k * columns + i : i * columns + k] = x;
    });
  });
  return result;
}
