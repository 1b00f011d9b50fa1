/**
 * What a penalised path needs of a loss of linear scores z (n, K) whose intercepts are free. Every loss here is one of an
 * exponential family in its natural parameter: with targets y (n, K) and predictions p = p(z) the gradient of an example's
 * loss is p - y, and its dual at q = y - a (y - p), a point between targets and predictions, bounds the optimum from below
 * as soon as a shrinks every correlation of a (y - p) to its limit.
 */
import type { GraphBuilder } from '../../ir/index.js';
import type { Floats } from '../programs.js';

/** Examples that a loss is taken of. */
export interface Targets {
  /** (n, K): one-hot classes, labels that are 0 or 1, or real values. */
  readonly targets: Float64Array;
  /** K. */
  readonly classes: number;
  /** Weight of each example in the mean loss, (n); they sum to one. */
  readonly shares: Float64Array;
}

/** Values of a graph, (n, K) each. */
export interface Scored {
  readonly z: string;
  /** Predictions. */
  readonly p: string;
  readonly y: string;
  /** y - p. */
  readonly e: string;
}

/** A model's state on the examples, with the intercept that is optimal for its scores. */
export interface Fitted {
  /** Exact intercept, (K). */
  readonly intercept: Float64Array;
  /** Mean loss. */
  readonly loss: number;
  /** v (y - p), (n, K): minus the gradient of the loss with respect to the scores. */
  readonly residual: Float64Array;
  /** Loss of each example, and its dual value at its own prediction, (n). */
  readonly losses: Float64Array;
  readonly duals: Float64Array;
  /** Whether the intercept's own equations were solved. */
  readonly exact: boolean;
}

/** Sums over the examples, which the intercept's equations consist of. */
export interface Totals {
  /** Sum of v p, (K). */
  readonly totals: Float64Array;
  /** What `moments` of the loss gives. */
  readonly moments: Float64Array;
}

/** A convex loss; the shared tests hold for each. */
export interface Loss {
  /** Part of the names of compiled graphs. */
  readonly id: 'multinomial' | 'bernoulli' | 'squared';
  /** Least curvature of an example's dual along residuals' changes: how far the dual optimum may be, given the gap. */
  readonly dualConvexity: number;

  /** Intercept (K) and mean loss of the model without features. @param frequencies weighted means of the targets, (K) */
  empty(frequencies: Float64Array, examples: Targets): { readonly intercept: Float64Array; readonly loss: number };
  /** Weighted mean loss of scores (n, K), intercept included. */
  value(z: Floats, examples: Targets): number;

  /** Predictions of scores. */
  predict(g: GraphBuilder, z: string): string;
  /** Twice the second-order change of each example's loss when its scores change by `change`, (n, 1). */
  curvature(g: GraphBuilder, p: string, change: string): string;
  /** Loss of each example, (n, 1), as precise as `estimate` needs. */
  losses(g: GraphBuilder, at: Scored): string;
  /** Dual of each example at y - a e, (n, 1). @param a (1, 1) */
  duals(g: GraphBuilder, at: Scored, a: string): string;

  /** In float64: predictions, and of each example loss and dual at its prediction, (n, 1). */
  precisely(
    g: GraphBuilder,
    z: string,
    y: string,
  ): { readonly p: string; readonly losses: string; readonly duals: string };
  /** Second moments of predictions that the intercept's curvature is made of. @param weighted v p */
  moments(g: GraphBuilder, p: string, weighted: string): string;
  /** The intercept's Newton step. */
  interceptStep(at: Totals, gradient: Float64Array): Float64Array;
  /** Weighted mean dual at y - a (y - p), in float64. */
  dual(fitted: Fitted, a: number, examples: Targets): number;
}
