/** Inverses of c S + 2 lambda for one penalty after another, S the centred X X' of a table with many features. */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder } from '../../ir/index.js';
import { inverseFactor } from '../inverse-factor.js';
import { countMacs } from '../macs.js';
import { type Matrix, products, transpose } from '../products.js';
import { type Floats, floats, precisionOf, programFor, tensor } from '../programs.js';
import { largestSize, scaled } from '../vectors.js';
import { ROUNDING } from './preconditioner.js';

/** The inverse times coefficients (p, K). */
export type Inverse = (r: Float64Array) => Promise<Float64Array>;

/** Preconditioners of one penalty after another. */
export interface Factors {
  /**
   * Approximates (c S + 2 lambda)^-1.
   * @param curvature c where this penalty is first asked for: along one penalty it hardly moves
   * @param lambda as S is, divided by the sum of the weights
   */
  at(lambda: number, curvature: number): Promise<Inverse>;
}

/** Features from which factors are kept in float32: they precondition, and need not be exact. */
const LARGE = 256;
/** Bytes of factors that are kept; the last one always is. */
const KEPT = 2 ** 28;

/**
 * Views of a table (the folds of cross-validation) differ in a share of their examples. One factor per penalty, of all examples,
 * preconditions each of them as well as its own does, for a fifth of the time.
 */
export class DenseFactors implements Factors {
  readonly #engine: Engine;
  readonly #gram: () => Promise<Matrix>;
  readonly #kept: number;
  #matrix: Promise<Matrix> | undefined;
  readonly #held = new Map<number, Promise<Inverse>>();

  /**
   * @param gram S, divided by the sum of its examples' weights, (p, p)
   * @param kept bytes of factors that are kept
   */
  constructor(engine: Engine, gram: () => Promise<Matrix>, kept = KEPT) {
    this.#engine = engine;
    this.#gram = gram;
    this.#kept = kept;
  }

  at(lambda: number, curvature: number): Promise<Inverse> {
    const inverse = this.#held.get(lambda) ?? this.#make(lambda, curvature);
    this.#held.set(lambda, inverse);
    return inverse;
  }

  async #make(lambda: number, curvature: number): Promise<Inverse> {
    this.#matrix ??= this.#gram();
    const { rows: p, data } = await this.#matrix;
    for (const key of this.#held.keys()) {
      if (this.#held.size * 2 * p * p * Float32Array.BYTES_PER_ELEMENT <= this.#kept) break;
      // Every step of Newton's method at this penalty asks for it.
      if (key !== lambda) this.#held.delete(key);
    }
    const multiply = await products(this.#engine);
    let trace = 0;
    for (let j = 0; j < p; j++) trace += curvature * data[j * p + j];
    let factor: Matrix | undefined;
    for (let floor = ROUNDING; !factor; floor *= 100) {
      const block = data.map((v) => curvature * v);
      for (let j = 0; j < p; j++) block[j * p + j] += 2 * lambda + floor * trace;
      factor = await inverseFactor(multiply, block, p);
    }
    return applied(this.#engine, p > LARGE ? Float32Array.from(factor.data) : factor.data, p);
  }
}

/** V' V r. @param v (p, p) */
async function applied(engine: Engine, v: Floats, p: number): Promise<Inverse> {
  const precision = precisionOf(v);
  const program = await programFor(engine, `factor applied ${precision}`, () => {
    const g = GraphBuilder.of(precision);
    g.output(g.matmul(g.input('vt'), g.matmul(g.input('v'), g.input('r'))), 'x');
    return g.build();
  });
  // Held both ways: a product that has to turn its matrix first takes four times as long.
  const vt = floats(precision, v.length);
  await transpose(engine, { rows: p, columns: p, data: v }, vt);
  const fixed = { v: tensor([p, p], v), vt: tensor([p, p], vt) };
  return async (r) => {
    const K = r.length / p;
    // Residuals of a late lambda are tiny beside float32's smallest numbers squared.
    const scale = largestSize(r) || 1;
    const shrunk = scaled(r, 1 / scale, floats(precision, r.length));
    countMacs(engine, 2 * p * p * K);
    const { x } = await program.run({ ...fixed, r: tensor([p, K], shrunk) });
    return scaled(x.data as Floats, scale, new Float64Array(r.length));
  };
}
