/** How much the solvers have asked of an engine. */
import type { Engine } from '../engine/index.js';

/**
 * Multiply-adds of matrix products with features, kernels and examples. Not counted: what is done element by element, and
 * the means and scales of features, once or twice over the features where a Gram matrix takes n times.
 */
export interface MacCounter {
  done: number;
}

const counters = new WeakMap<Engine, MacCounter>();

/** The counter of an engine: read it before and after. */
export function macsOf(engine: Engine): MacCounter {
  const counter = counters.get(engine) ?? { done: 0 };
  counters.set(engine, counter);
  return counter;
}

/** Counts the multiply-adds of a piece of work. */
export function countMacs(engine: Engine, macs: number): void {
  macsOf(engine).done += macs;
}
