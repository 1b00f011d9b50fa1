/** Initial weights of layers. */
import { type Random, UserError } from '../base/index.js';
import { float32, sizeOf, type Tensor } from '../ir/index.js';

/**
 * he: normal, variance 2 / fan-in (He et al. 2015). glorot: uniform, variance 2 / (fan-in + fan-out) (Glorot and
 * Bengio 2010). orthogonal: orthonormal rows or columns times sqrt(2) (Saxe et al. 2014). gaussian: normal of a fixed
 * deviation, as Caffe's networks have it. truncated: normal of deviation .02 cut at two deviations, as vision
 * transformers have it.
 */
export const initialisations = ['he', 'glorot', 'orthogonal', 'gaussian', 'truncated'] as const;
/** The name of a rule for first weights. */
export type Initialisation = (typeof initialisations)[number];

/** Which axes of a weight are its outputs and inputs. */
export interface WeightLayout {
  /** Axis of the outputs: 0 for convolutions and transposed Gemm, 1 for MatMul. */
  readonly outAxis: 0 | 1;
  readonly groups: number;
  /** Deviation for `gaussian`. */
  readonly deviation: number;
}
const layoutDefaults: WeightLayout = { outAxis: 0, groups: 1, deviation: 0.01 };

/** A weight of the given dims, drawn from `random`. */
export function initialWeight(
  init: Initialisation,
  dims: readonly number[],
  random: Random,
  layout: Partial<WeightLayout> = {},
): Tensor {
  const { outAxis, groups, deviation } = { ...layoutDefaults, ...layout };
  const size = sizeOf(dims);
  const out = dims[outAxis] ?? 1;
  const fanIn = size / out;
  const fanOut = size / (dims[1 - outAxis] ?? 1) / groups;
  const fill = (draw: () => number) => {
    const data = new Float32Array(size);
    for (let i = 0; i < size; i++) data[i] = draw();
    return float32(dims, data);
  };
  switch (init) {
    case 'he': {
      const std = Math.sqrt(2 / fanIn);
      return fill(() => std * random.normal());
    }
    case 'glorot': {
      const bound = Math.sqrt(6 / (fanIn + fanOut));
      return fill(() => bound * (2 * random.uniform() - 1));
    }
    case 'gaussian':
      return fill(() => deviation * random.normal());
    case 'truncated':
      return fill(() => 0.02 * truncatedNormal(random));
    case 'orthogonal':
      return float32(dims, orthogonal(out, fanIn, outAxis === 1, random));
    default:
      throw new UserError(`there is no initialisation '${init}'; choose one of ${initialisations.join(', ')}`);
  }
}

function truncatedNormal(random: Random): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) <= 2) return value;
  }
}

/** Gain for layers that rectifiers follow. */
const gain = Math.SQRT2;

/**
 * Orthonormal vectors (the outputs', or the inputs' when there are more outputs) by Gram-Schmidt, done twice for
 * accuracy; row-major with the outputs first unless `transposed`. Time grows with the square of the smaller side.
 */
function orthogonal(out: number, fanIn: number, transposed: boolean, random: Random): Float32Array {
  const count = Math.min(out, fanIn);
  const length = Math.max(out, fanIn);
  const vectors: Float64Array[] = [];
  while (vectors.length < count) {
    const v = Float64Array.from({ length }, () => random.normal());
    for (let pass = 0; pass < 2; pass++) for (const u of vectors) subtractProjection(v, u);
    const norm = Math.sqrt(dot(v, v));
    vectors.push(v.map((x) => x / norm));
  }
  const outputsAreVectors = out <= fanIn;
  const data = new Float32Array(out * fanIn);
  vectors.forEach((v, i) => {
    v.forEach((x, j) => {
      const [o, k] = outputsAreVectors ? [i, j] : [j, i];
      data[transposed ? k * out + o : o * fanIn + k] = gain * x;
    });
  });
  return data;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function subtractProjection(v: Float64Array, unit: Float64Array): void {
  const factor = dot(v, unit);
  for (let i = 0; i < v.length; i++) v[i] = (v[i] as number) - factor * (unit[i] as number);
}
