/** Sizes and arrays of a fusion of layers (network.ts). */

/** Of both normalisations. */
export const EPSILON = 1e-5;

/** Sizes of a network. */
export interface FusionShape {
  /** k: vectors of an example. */
  readonly tokens: number;
  /** D: values of a vector. */
  readonly width: number;
  readonly classes: number;
}

/** H and d. */
export function headsOf({ tokens, width }: FusionShape): { heads: number; size: number } {
  const heads = Math.min(tokens, width);
  return { heads, size: 2 * Math.floor(width / heads) };
}

/** Every learned array, by name: how it is shaped, and what it starts from. */
export function fusionParameters(shape: FusionShape) {
  const { width: D, classes: K } = shape;
  const { heads: H, size: d } = headsOf(shape);
  const A = H * d;
  const uniform = (fanIn: number) => ({ uniform: 1 / Math.sqrt(fanIn) });
  return {
    query: { dims: [1, D], start: { normal: 0.02 } },
    query_gain: { dims: [1, D], start: { fill: 1 } },
    query_shift: { dims: [1, D], start: { fill: 0 } },
    key_gain: { dims: [D, 1], start: { fill: 1 } },
    value_gain: { dims: [D], start: { fill: 1 } },
    value_shift: { dims: [D], start: { fill: 0 } },
    wq: { dims: [D, A], start: uniform(D) },
    wk: { dims: [D, H, d], start: uniform(D) },
    wv: { dims: [H, D, d], start: uniform(D) },
    wo: { dims: [A, D], start: uniform(A) },
    bo: { dims: [D], start: uniform(A) },
    batch_gain: { dims: [D], start: { fill: 1 } },
    batch_shift: { dims: [D], start: { fill: 0 } },
    wc: { dims: [D, K], start: uniform(D) },
    bc: { dims: [K], start: uniform(D) },
  } as const;
}
export type FusionParameter = keyof ReturnType<typeof fusionParameters>;
export type FusionWeights = Readonly<Record<FusionParameter, Float32Array>>;
