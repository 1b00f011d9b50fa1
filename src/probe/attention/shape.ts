/** Sizes and arrays of networks that attend over vectors (network.ts). */

/** Of all normalisations. */
export const EPSILON = 1e-5;

/** Sizes of what a network reads and says. */
export interface TokenShape {
  /** k: vectors of an example. */
  readonly tokens: number;
  /** D: values of a vector. */
  readonly width: number;
  readonly classes: number;
}

/** A learned array: how it is shaped, and what it starts from. */
export interface Parameter {
  readonly dims: readonly number[];
  readonly start: { readonly fill: number } | { readonly normal: number } | { readonly uniform: number };
}

/** Learned arrays by name. */
export type Weights = Readonly<Record<string, Float32Array>>;

/** What batch normalisation knows of all batches, (normed) each. */
export interface RunningMoments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}
