/**
 * One weight per tap, learned with the penalty: gradient descent on the cross-entropy of left-out scores.
 *
 *   minimise over w, c, T   sum_i v_i CE_i(scores of K(w) = sum_t w_t K_t at c, i's fold left out, over T) / n
 *                           + strength * sum_t (log w_t)^2 / 2 / taps
 *
 * (of values in place of labels: the squared error as a share of their variance in place of CE, without T)
 *
 * Banded ridge regression (Dupre la Tour et al., NeuroImage 2022) has the same model and searches at random; here the
 * gradient is exact (see fold-ridge.ts). The prior holds the weights near equal traces, from where they start.
 */
import type { Engine } from '../../engine/index.js';
import { giveBuffers } from '../buffers.js';
import { products } from '../products.js';
import { crossEntropy, probabilities } from '../softmax.js';
import {
  type FoldLabels,
  type FoldRidgeFit,
  fitInPlace,
  giveUp,
  kernelGradient,
  type LeftOut,
  leaveOut,
  scoresOf,
} from './fold-ridge.js';
import type { KernelBlocks, TapKernels } from './tap-kernels.js';

/** Learned weights of taps. */
export interface TapWeights {
  /** w, (taps); they sum to one. */
  readonly weights: Float64Array;
  /** c for the sum of kernels with these weights. */
  readonly penalty: number;
  readonly temperature: number;
  /** What the fit with these weights gives to other examples, (others, K), where they were asked for and rounding allows. */
  readonly scores?: Float64Array | undefined;
}

/** How weights of taps are learned. */
export interface TapWeightsOptions {
  /** Of the prior. */
  readonly strength: number;
  /** Of Adam, in log units. */
  readonly rate: number;
  /** Where penalty and temperature start. */
  readonly penalty: number;
  readonly temperature: number;
}

/** What weights are learned on. */
export interface TapExamples {
  readonly kernels: TapKernels;
  readonly examples: FoldLabels;
  /** Kernels between other examples, which are to be scored after every stop, and those that weights are learned on. */
  readonly others?: KernelBlocks | undefined;
}

const BETAS = [0.9, 0.999] as const;

/** Gradient descent on weights, penalty and temperature, which stops where it is asked to and goes on from there. */
export class TapDescent {
  readonly #engine: Engine;
  readonly #options: TapWeightsOptions;
  /** log w, log c, log T; and before the last step. */
  readonly #at: Float64Array;
  readonly #before: Float64Array;
  /** Means of the gradient and of its squares. */
  readonly #first: Float64Array;
  readonly #second: Float64Array;
  #steps = 0;
  /** Whether rounding has made the kernel indefinite. */
  #ended = false;
  /** Where the descent is, if it was fitted there. */
  #fit: FoldRidgeFit | undefined;

  /** @param count of taps */
  constructor(engine: Engine, count: number, options: TapWeightsOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#at = new Float64Array(count + 2);
    this.#at.fill(-Math.log(count), 0, count);
    this.#at[count] = Math.log(options.penalty);
    this.#at[count + 1] = Math.log(options.temperature);
    this.#before = this.#at.slice();
    this.#first = new Float64Array(count + 2);
    this.#second = new Float64Array(count + 2);
  }

  /**
   * The weights after so many steps in all. Where rounding makes the kernel indefinite the descent ends, and the last ones stay.
   * @param stops rising; few steps hold the weights near equal ones as a strong prior does
   */
  async to(stops: readonly number[], on: TapExamples): Promise<TapWeights[]> {
    const found: TapWeights[] = [];
    for (const stop of stops) {
      while (!this.#ended && this.#steps < stop) await this.#step(on);
      found.push(await this.#weights(on));
    }
    this.#leave();
    return found;
  }

  #leave(): void {
    if (this.#fit) giveUp(this.#fit);
    this.#fit = undefined;
  }

  async #step(on: TapExamples): Promise<void> {
    this.#fit ??= await fitAt(this.#engine, on, this.#at);
    const slope = this.#fit && (await slopeAt(this.#engine, on, { at: this.#at, fit: this.#fit }));
    this.#leave();
    if (slope) {
      this.#before.set(this.#at);
      this.#move(slope.gradient);
    } else {
      this.#ended = true;
      this.#at.set(this.#before);
    }
  }

  #move(gradient: Float64Array): void {
    const { strength, rate } = this.#options;
    const at = this.#at;
    const count = at.length - 2;
    const centre = -Math.log(count);
    this.#steps++;
    for (let t = 0; t < count; t++) gradient[t] += (strength * (at[t] - centre)) / count;
    for (let i = 0; i < at.length; i++) {
      this.#first[i] = BETAS[0] * this.#first[i] + (1 - BETAS[0]) * gradient[i];
      this.#second[i] = BETAS[1] * this.#second[i] + (1 - BETAS[1]) * gradient[i] ** 2;
      const m = this.#first[i] / (1 - BETAS[0] ** this.#steps);
      const v = this.#second[i] / (1 - BETAS[1] ** this.#steps);
      at[i] -= (rate * m) / (Math.sqrt(v) + 1e-12);
    }
  }

  async #weights(on: TapExamples): Promise<TapWeights> {
    const weights = weightsAt(this.#at);
    if (!on.others) return weights;
    this.#fit ??= await fitAt(this.#engine, on, this.#at);
    return this.#fit ? { ...weights, scores: await scoresAt(this.#engine, this.#fit, on.others, this.#at) } : weights;
  }
}

/** The weights after each of the stops. */
export const learnTapWeights = (
  engine: Engine,
  on: TapExamples,
  { stops, ...options }: TapWeightsOptions & { readonly stops: readonly number[] },
): Promise<TapWeights[]> => new TapDescent(engine, on.kernels.count, options).to(stops, on);

/** @param at log w, log c, log T */
function weightsAt(at: Float64Array): TapWeights {
  const count = at.length - 2;
  const weights = at.slice(0, count).map(Math.exp);
  const total = weights.reduce((sum, w) => sum + w, 0);
  return {
    weights: weights.map((w) => w / total),
    penalty: Math.exp(at[count]) / total,
    temperature: Math.exp(at[count + 1]),
  };
}

/** Ridge regression on the sum of kernels with these weights. */
const fitAt = async (
  engine: Engine,
  { kernels, examples }: TapExamples,
  at: Float64Array,
): Promise<FoldRidgeFit | undefined> =>
  fitInPlace(engine, await kernels.sum(exponentials(at, kernels)), examples, Math.exp(at[kernels.count]));

const exponentials = (at: Float64Array, { count }: Pick<TapKernels, 'count'>): Float64Array =>
  at.slice(0, count).map(Math.exp);

/** Scores of other examples. */
async function scoresAt(
  engine: Engine,
  { coefficients, intercept }: FoldRidgeFit,
  others: KernelBlocks,
  at: Float64Array,
): Promise<Float64Array> {
  const K = intercept.length;
  const columns = coefficients.length / K;
  const multiply = await products(engine);
  const data = await others.sum(exponentials(at, { count: at.length - 2 }));
  const scores = await multiply(
    { rows: data.length / columns, columns, data },
    { rows: columns, columns: K, data: coefficients },
  );
  return scores.map((v, i) => v + intercept[i % K]);
}

/** Cross-entropy and its gradient with respect to log w, log c, log T; undefined where the kernel is indefinite. */
export async function objectiveAt(
  engine: Engine,
  on: TapExamples,
  at: Float64Array,
): Promise<{ objective: number; gradient: Float64Array } | undefined> {
  const fit = await fitAt(engine, on, at);
  return fit && slopeAt(engine, on, { at, fit });
}

async function slopeAt(
  engine: Engine,
  { kernels, examples }: TapExamples,
  { at, fit }: { readonly at: Float64Array; readonly fit: FoldRidgeFit },
): Promise<{ objective: number; gradient: Float64Array } | undefined> {
  const { count, n } = kernels;
  const { classes: K, weights: v } = examples;
  const weights = exponentials(at, kernels);
  const [penalty, temperature] = [Math.exp(at[count]), Math.exp(at[count + 1])];
  const left = await leaveOut(engine, fit, examples);
  if (!left) return undefined;
  const { objective, slopes, slope } = lossOf(left, examples, temperature);
  const matrix = await kernelGradient(engine, fit, left, slopes, K);
  const gradient = new Float64Array(count + 2);
  const parts = await kernels.inner(matrix);
  for (let t = 0; t < count; t++) gradient[t] = weights[t] * parts[t];
  for (let i = 0; i < n; i++) gradient[count] += (penalty * matrix[i * n + i]) / v[i];
  gradient[count + 1] = slope;
  giveBuffers(matrix, ...left.map(({ inverse }) => inverse.data));
  return { objective, gradient };
}

/** Cross-entropy of left-out scores over a temperature, and its slopes: in each score, and in the temperature's logarithm. */
function lossOf(left: readonly LeftOut[], examples: FoldLabels, temperature: number) {
  if (examples.values) return squaredLossOf(left, examples, examples.values);
  const { labels, classes: K, weights: v } = examples;
  let tested = 0;
  for (const { rows } of left) for (const row of rows) tested += v[row];
  let [objective, slope] = [0, 0];
  const slopes = left.map((fold) => {
    const scores = scoresOf(fold, examples);
    const scaled = scores.map((s) => s / temperature);
    const p = probabilities(scaled, K);
    for (let i = 0; i < fold.rows.length; i++) {
      const row = fold.rows[i];
      const share = v[row] / tested;
      objective += share * crossEntropy(scaled, i * K, K, labels[row]);
      for (let k = 0, e = i * K; k < K; k++, e++) {
        p[e] = (share * (p[e] - (labels[row] === k ? 1 : 0))) / temperature;
        slope -= p[e] * scores[e];
      }
    }
    return p;
  });
  return { objective, slopes, slope };
}

/** Mean over columns of the squared error of left-out scores as a share of the column's variance, and its slope in each score. */
function squaredLossOf(left: readonly LeftOut[], { classes: K, weights: v }: FoldLabels, values: Float64Array) {
  const rows = left.flatMap((fold) => Array.from(fold.rows));
  const tested = rows.reduce((sum, row) => sum + v[row], 0);
  const [means, variances] = [new Float64Array(K), new Float64Array(K)];
  for (const row of rows) for (let k = 0; k < K; k++) means[k] += (v[row] * values[row * K + k]) / tested;
  for (const row of rows) {
    for (let k = 0; k < K; k++) variances[k] += (v[row] * (values[row * K + k] - means[k]) ** 2) / tested;
  }
  let objective = 0;
  const slopes = left.map((fold) =>
    fold.residuals.map((residual, e) => {
      const [row, k] = [fold.rows[Math.floor(e / K)], e % K];
      const share = variances[k] > 0 ? v[row] / tested / variances[k] / K : 0;
      objective += share * residual ** 2;
      return -2 * share * residual;
    }),
  );
  return { objective, slopes, slope: 0 };
}
