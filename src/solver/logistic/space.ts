/**
 * Where the weights of l2 logistic regression live: on the features (primal), or on the examples through their Gram
 * matrix G (dual, W = X' A), whichever is smaller. A Gram matrix of little rank is as good as the few features that its
 * eigenvectors are. Newton's method is the same in all but for the inner product, which is that of the weights W.
 */
import type { Preconditioner } from './preconditioner.js';

export interface Space {
  /** Number of coefficients per class. */
  readonly size: number;
  /** Logits of coefficients (size, K), without intercept, (n, K). */
  forward(a: Float64Array): Promise<Float64Array>;
  /** Coefficients (size, K) of the gradient for a gradient with respect to the logits, (n, K). */
  adjoint(d: Float64Array): Promise<Float64Array>;
  /** What inner products with these coefficients need: their logits where coefficients are the examples', else nothing. */
  image(a: Float64Array): Promise<Float64Array>;
  /** Logits of coefficients with this image. */
  logits(a: Float64Array, image: Float64Array): Promise<Float64Array>;
  /** Whether logits() are those of images that were carried along, in which rounding gathers. */
  readonly gathersRounding: boolean;
  /** Inner product of the weights that two sets of coefficients stand for; `image` is that of b, or its logits. */
  dot(a: Float64Array, b: Float64Array, image: Float64Array): number;
  /**
   * The losses' Hessian at probabilities (n, K) of examples of these weights (n).
   * @param exactly in float64, where float32 would do for most problems
   */
  hessian(probabilities: Float64Array, weights: Float64Array, exactly: boolean): Promise<HessianProduct>;
  /**
   * Approximate inverse of the Hessian X C X' + 2 lambda.
   * @param curvature c of the losses with respect to each logit by itself, (n, K)
   * @param close whether a better one is worth more time, where there is one
   */
  preconditioner(curvature: Float64Array, lambda: number, close: boolean): Promise<Preconditioner>;
}

/** A Hessian times a change of coefficients (size, K), their image, and a change of the intercept (K). */
export type HessianProduct = (change: {
  readonly a: Float64Array;
  readonly image: Float64Array;
  readonly b: Float64Array;
}) => Promise<{ a: Float64Array; b: Float64Array }>;
