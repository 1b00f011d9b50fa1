/**
 * Ridge regression on many examples, by the features (p, p) in place of the examples (n, n): the same problem as
 * kernel-ridge/fold-ridge.ts,
 *
 *   minimise sum_i v_i |y_i - W' D z_i - b|^2 + c |W|^2,   D the root of each feature's tap weight, intercept b free
 *
 * with one set of examples held out. The products of features are made once (see feature-products.ts); a penalty and weights of
 * taps cost a factor of them, and no more passes. Solutions for all examples are refined until the gradient on the features
 * themselves, in float64, vanishes.
 */
import type { Engine } from '../../engine/index.js';
import { allFeatures, type Design } from '../design.js';
import { primalWeights } from '../gram-exact.js';
import { addTarget, type FoldLabels } from '../kernel-ridge/fold-ridge.js';
import { byFeature, tapScales } from '../kernel-ridge/tap-kernels.js';
import type { FeatureMatrix } from '../matrix.js';
import { type LinearModel, linearModel, predictLogits } from '../model.js';
import { SymmetricTiles, TiledFactor, TileProducts } from '../tiles.js';
import { inner, plus } from '../vectors.js';
import { type FeatureProducts, featureProducts, type ProductsOptions } from './feature-products.js';

/** Norm of the gradient, as a share of the one at zero weights, at which a solution counts as one. */
const TOLERANCE = 1e-6;
/** Refinements until it is given up. */
const ROUNDS = 8;

/** What ridge regression on features is asked. */
export interface FeatureRidgeOptions {
  /** w of each tap; 0 leaves it out. */
  readonly weights: ArrayLike<number>;
  /** c. */
  readonly penalty: number;
}

/** A fit to all examples. */
export interface FeatureRidgeFit {
  readonly model: LinearModel;
  /** Norm of the gradient as a share of the one at zero weights. */
  readonly residual: number;
}

/** A problem, with the products of its features. */
export class FeatureRidge {
  /** The normal equations of whoever asks, and their factor: as large as the products of features. */
  #equations: SymmetricTiles | undefined;
  /** The examples that are held out. */
  #held: FeatureMatrix | undefined;

  private constructor(
    private readonly products: TileProducts,
    private readonly design: Design,
    private readonly examples: FoldLabels,
    /** Of the examples that are not held out, and of those that are. */
    private readonly parts: readonly [FeatureProducts, FeatureProducts],
  ) {}

  /**
   * Reads the features; what is held out are the examples of the one fold.
   * @param examples of the design's matrix, all of its rows
   */
  static async of(
    engine: Engine,
    design: Design,
    examples: FoldLabels,
    options: ProductsOptions = {},
  ): Promise<FeatureRidge> {
    const [held = []] = examples.folds;
    const out = new Set(held);
    const rest = Array.from(examples.labels, (_, i) => i).filter((i) => !out.has(i));
    const products = new TileProducts(engine);
    const parts = await featureProducts(products, design, examples, [rest, held], options);
    return new FeatureRidge(products, design, examples, parts as [FeatureProducts, FeatureProducts]);
  }

  /** Scores (held, K) of the examples held out by a fit to the others; undefined where rounding has made it indefinite. */
  async heldOut(options: FeatureRidgeOptions): Promise<Float64Array | undefined> {
    const { products, design, examples, parts } = this;
    const problem = problemOf([parts[0]], design, options);
    const factor = await this.#factor(problem);
    if (!factor) return undefined;
    const weights = await factor.solve(problem.right, examples.classes);
    this.#held ??= design.matrix.take(examples.folds[0] ?? []);
    return predictLogits(products.engine, this.#model(problem, weights), this.#held);
  }

  /** The fit to all examples; undefined where rounding has made it indefinite. */
  async fit(options: FeatureRidgeOptions): Promise<FeatureRidgeFit | undefined> {
    const problem = problemOf(this.parts, this.design, options);
    const K = this.examples.classes;
    const factor = await this.#factor(problem);
    if (!factor) return undefined;
    let weights = new Float64Array(await factor.solve(problem.right, K));
    let best: FeatureRidgeFit | undefined;
    const whole = normOf(problem.right);
    for (let round = 0; ; round++) {
      const model = this.#model(problem, weights);
      const slope = await this.#slope(problem, model, weights, options.penalty);
      const residual = whole > 0 ? normOf(slope) / whole : 0;
      if (best && residual >= best.residual) return best;
      best = { model, residual };
      if (residual <= TOLERANCE || round === ROUNDS) return best;
      const step = await factor.solve(slope, K);
      weights = weights.map((w, at) => w + step[at]);
    }
  }

  #factor({ squares, value }: Problem): Promise<TiledFactor | undefined> {
    const { size, edge } = this.parts[0].squares;
    this.#equations ??= new SymmetricTiles(size, edge);
    return TiledFactor.of(this.products, this.#equations.setFrom(squares, value));
  }

  /** The linear model on the design's features. */
  #model({ factors, sums, targetSums, total }: Problem, weights: ArrayLike<number>): LinearModel {
    const { design } = this;
    const { classes } = this.examples;
    const indices = allFeatures(design.matrix).filter((j) => factors.features[j] > 0);
    const own = new Float64Array(indices.length * classes);
    const intercept = targetSums.map((y) => y / total);
    for (const [at, j] of indices.entries()) {
      for (let k = 0; k < classes; k++) {
        const w = weights[j * classes + k];
        own[at * classes + k] = factors.features[j] * w;
        intercept[k] -= (factors.taps[j] * w * sums[j]) / total;
      }
    }
    return linearModel(design, { classes, indices, weights: own, intercept });
  }

  /** What is left of the normal equations, (p, K): D Z' V (y - scores) - c W, in float64 from the features themselves. */
  async #slope(
    { factors }: Problem,
    model: LinearModel,
    weights: Float64Array,
    penalty: number,
  ): Promise<Float64Array> {
    const { design, examples, products } = this;
    const { weights: v, classes: K } = examples;
    const scores = await predictLogits(products.engine, model, design.matrix);
    const residuals = scores.map((score, at) => -v[Math.floor(at / K)] * score);
    for (let i = 0; i < v.length; i++) addTarget(examples, i, v[i], residuals, i * K);
    const slope = await primalWeights(products.engine, design, residuals, K);
    for (let at = 0; at < slope.length; at++) {
      slope[at] = factors.features[Math.floor(at / K)] * slope[at] - penalty * weights[at];
    }
    return slope;
  }
}

/** The normal equations of weights of taps and a penalty. */
interface Problem {
  /** D (S - s s' / n) D + c, number by number from the sum of those of S's parts. */
  readonly squares: readonly SymmetricTiles[];
  readonly value: (row: number, column: number, sum: number) => number;
  /** D (T - s t' / n), (p, K). */
  readonly right: Float64Array;
  /** Multipliers of features that count alike, and of the design's, (p). */
  readonly factors: { readonly taps: Float64Array; readonly features: Float64Array };
  readonly sums: Float64Array;
  readonly targetSums: Float64Array;
  readonly total: number;
}

function problemOf(
  parts: readonly FeatureProducts[],
  design: Design,
  { weights, penalty }: FeatureRidgeOptions,
): Problem {
  const total = parts.reduce((sum, part) => sum + part.total, 0);
  const sums = added(parts.map((part) => part.sums));
  const targetSums = added(parts.map((part) => part.targetSums));
  const targets = added(parts.map((part) => part.targets));
  const roots = Float64Array.from(weights, Math.sqrt);
  const taps = byFeature(design, roots);
  const features = byFeature(
    design,
    tapScales(design).map((s, t) => s * roots[t]),
  );
  const value = (i: number, j: number, sum: number) =>
    taps[i] * taps[j] * (sum - (sums[i] * sums[j]) / total) + (i === j ? penalty : 0);
  const K = targetSums.length;
  const right = targets.map((value, at) => {
    const j = Math.floor(at / K);
    return taps[j] * (value - (sums[j] * targetSums[at % K]) / total);
  });
  return {
    squares: parts.map(({ squares }) => squares),
    value,
    right,
    factors: { taps, features },
    sums,
    targetSums,
    total,
  };
}

const added = (arrays: readonly Float64Array[]): Float64Array => arrays.reduce((total, array) => plus(total, 1, array));

const normOf = (values: Float64Array): number => Math.sqrt(inner(values, values));
