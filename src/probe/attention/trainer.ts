/**
 * Trains attention over vectors as attentive layer fusion is published: AdamW on all parameters, a half cosine from the learning
 * rate to 1e-6, batches of 2,048 made smaller so that an epoch has five and a step fits in memory, 40 epochs and never fewer than
 * 1,000 steps, gradients clipped at norm 5; noise on half of the examples (see `jitter`). The rest of an epoch that fills no batch
 * is left out, in another order every epoch.
 */
import { Random } from '../../base/index.js';
import type { Engine, Tensors } from '../../engine/index.js';
import { float32, int64, lossNames, type Rates, sizeOf, type Tensor } from '../../graph/index.js';
import { countMacs } from '../../solver/index.js';
import { type AttentionNetwork, type AttentionStep, compileStep } from './network.js';
import { EPSILON, type RunningMoments, type Weights } from './shape.js';
import type { TokenRows } from './token-rows.js';

export interface AttentionSettings {
  readonly learningRate: number;
  /** Decoupled, on every parameter. */
  readonly weightDecay: number;
  /** Share of attention weights that a step drops. */
  readonly dropout: number;
}

/** What all settings have in common. */
export interface AttentionRecipe {
  /** Passes over the examples, and the fewest steps. */
  readonly epochs: number;
  readonly steps: number;
  /** Standard deviation of the noise that half of the examples of a step get on every value; 0: none. */
  readonly jitter: number;
}
export const attentionRecipe: AttentionRecipe = { epochs: 40, steps: 1000, jitter: 0.05 };

/** What is learned from. */
export interface AttentionData {
  readonly x: TokenRows;
  readonly labels: ArrayLike<number>;
  /** Of every example in the loss, (n). */
  readonly weights: ArrayLike<number>;
}

export interface TrainedAttention {
  readonly weights: Weights;
  readonly moments: RunningMoments;
  /** Loss of every step. */
  readonly losses: Float64Array;
}

/** Values of the vectors of a batch, of which a step holds several arrays. */
const MOST_VALUES = 2 ** 27;

/** Examples of a batch, and steps of a run. @param values of the vectors of an example */
export function planOf(
  n: number,
  { epochs, steps }: Pick<AttentionRecipe, 'epochs' | 'steps'>,
  values = 1,
): { batch: number; total: number; perEpoch: number } {
  const most = Math.min(2048, Math.floor(MOST_VALUES / values));
  const batch = Math.min(n, Math.max(2, Math.min(most, Math.floor(n / 5))));
  const perEpoch = Math.max(1, Math.floor(n / batch));
  return { batch, perEpoch, total: Math.max(steps, epochs * perEpoch) };
}

/** What PyTorch starts from: linear maps uniform within 1 / sqrt(inputs), norms one and zero; the query normal, .02 wide. */
export function startOf({ parameters }: Pick<AttentionNetwork, 'parameters'>, random: Random): Weights {
  const drawn = Object.entries(parameters).map(([name, { dims, start }]) => {
    const draw = () => {
      if ('fill' in start) return start.fill;
      return 'normal' in start ? start.normal * random.normal() : start.uniform * (2 * random.uniform() - 1);
    };
    return [name, Float32Array.from({ length: sizeOf(dims) }, draw)];
  });
  return Object.fromEntries(drawn);
}

/** Numbers of a table of noise: each example of a step reads a run of them from a random place, with a random sign. */
const NOISE = 1 << 20;
/** Share of the examples of a step that get noise. */
const NOISY = 0.5;
const FETCHED = [lossNames.loss, 'batch_mean', 'batch_variance'];
const LEAST_RATE = 1e-6;
/** Of a batch's moments in the running ones. */
const MOMENTUM = 0.1;

/** Trains one network; steps of one batch size are compiled once. Dispose of it when done. */
export class AttentionTrainer {
  readonly #steps = new Map<string, Promise<AttentionStep>>();

  constructor(
    readonly engine: Engine,
    readonly network: AttentionNetwork,
  ) {}

  /**
   * The network after the last step.
   * @param rows of `data` to learn from
   * @param seed of start, order, noise and dropout, with its keys
   */
  async train(
    data: AttentionData,
    rows: readonly number[],
    settings: AttentionSettings,
    recipe: AttentionRecipe,
    [seed, ...keys]: readonly [number, ...(string | number)[]],
    progress: (step: number, of: number) => void = () => undefined,
  ): Promise<TrainedAttention> {
    const { tokens: k, width: D, heads: H, normed, parameters } = this.network;
    const stream = (what: string) => new Random(seed, 'fusion', what, ...keys);
    const start = startOf(this.network, stream('start'));
    const [order, noisy, dropping] = [stream('order'), stream('noise'), stream('dropout')];
    const { batch, perEpoch, total } = planOf(rows.length, recipe, k * D);
    const { dropout } = settings;
    const { program, step } = await this.#step(batch, dropout > 0);
    const table = recipe.jitter > 0 ? noiseTable(stream('table'), Math.max(NOISE, 2 * k * D)) : undefined;
    const blanks = () => Object.fromEntries(step.state.map(({ input, dims }) => [input, blank(dims)]));
    const weights = Object.entries(parameters).map(([name, { dims }]) => {
      return [name, float32([...dims], (start[name] as Float32Array).slice())];
    });
    let now: Record<string, Tensor> = { ...blanks(), ...Object.fromEntries(weights) };
    let next: Record<string, Tensor> = blanks();
    const x = new Float32Array(batch * k * D);
    const mask = new Float32Array(batch * H * k);
    const moments = { mean: new Float64Array(normed), variance: new Float64Array(normed).fill(1) };
    const losses = new Float64Array(total);
    let epoch = [...rows];
    for (let t = 0; t < total; t++) {
      const place = t % perEpoch;
      if (place === 0) epoch = order.shuffle([...rows]);
      const own = epoch.slice(place * batch, (place + 1) * batch);
      for (const [i, row] of own.entries()) {
        const shaken = table && noisy.uniform() < NOISY;
        const from = shaken ? noisy.integer(table.length - k * D) : 0;
        const scale = shaken ? recipe.jitter * (noisy.uniform() < 0.5 ? -1 : 1) : 0;
        data.x.fill(row, x, i * k * D);
        standardise(x, { at: i * k * D, k, D, noise: table, from, scale });
      }
      const feeds: Record<string, Tensor> = {
        x: float32([batch, k, D], x),
        [lossNames.labels]: int64(own.map((row) => data.labels[row] as number)),
        [lossNames.weights]: float32(
          [batch],
          own.map((row) => data.weights[row] as number),
        ),
      };
      if (dropout > 0) {
        for (let at = 0; at < mask.length; at++) mask[at] = dropping.uniform() < dropout ? 0 : 1 / (1 - dropout);
        feeds.mask = float32([batch, H, k], mask);
      }
      const cosine = 0.5 * (1 + Math.cos((Math.PI * t) / total));
      const rates: Rates = {
        learning_rate: LEAST_RATE + (settings.learningRate - LEAST_RATE) * cosine,
        step: t + 1,
        weight_decay: settings.weightDecay,
      };
      const given = Object.fromEntries(step.scalars.map((name) => [name, float32([], [rates[name] ?? 0])]));
      const into = Object.fromEntries(step.state.map(({ input, output }) => [output, next[input] as Tensor]));
      countMacs(this.engine, 3 * batch * this.network.macs);
      const found = await program.run({ ...feeds, ...given, ...now }, FETCHED, into);
      [now, next] = [next, now];
      losses[t] = Number(found[lossNames.loss]?.data[0]);
      addMoments(moments, found, batch);
      progress(t + 1, total);
    }
    const learned = Object.keys(parameters).map((name) => [name, now[name]?.data]);
    return { weights: Object.fromEntries(learned) as Weights, moments, losses };
  }

  async dispose(): Promise<void> {
    const steps = await Promise.all(this.#steps.values());
    this.#steps.clear();
    for (const { program } of steps) await program.dispose();
  }

  #step(batch: number, dropped: boolean): Promise<AttentionStep> {
    const key = `${batch} ${dropped}`;
    const step = this.#steps.get(key) ?? compileStep(this.engine, this.network, batch, dropped);
    this.#steps.set(key, step);
    return step;
  }
}

function noiseTable(random: Random, length: number): Float32Array {
  return Float32Array.from({ length }, () => random.normal());
}

interface Filled {
  readonly at: number;
  readonly k: number;
  readonly D: number;
  readonly noise: Float32Array | undefined;
  readonly from: number;
  /** Of the noise; 0 for none. */
  readonly scale: number;
}

/** Adds noise to the vectors of an example; each becomes itself less its mean and over its standard deviation. */
function standardise(x: Float32Array, { at, k, D, noise, from, scale }: Filled): void {
  for (let t = 0; t < k; t++) {
    const first = at + t * D;
    let [sum, squares] = [0, 0];
    for (let j = 0; j < D; j++) {
      const v = (x[first + j] as number) + (noise && scale !== 0 ? scale * (noise[from + t * D + j] as number) : 0);
      x[first + j] = v;
      sum += v;
      squares += v * v;
    }
    const mean = sum / D;
    const rate = 1 / Math.sqrt(Math.max(0, squares / D - mean * mean) + EPSILON);
    for (let j = 0; j < D; j++) x[first + j] = ((x[first + j] as number) - mean) * rate;
  }
}

/** PyTorch's: the running variance takes the unbiased one of a batch. */
function addMoments(
  { mean, variance }: { mean: Float64Array; variance: Float64Array },
  found: Tensors,
  n: number,
): void {
  const [m, v] = [found.batch_mean?.data, found.batch_variance?.data];
  for (let j = 0; j < mean.length; j++) {
    mean[j] = (1 - MOMENTUM) * (mean[j] as number) + MOMENTUM * Number(m?.[j]);
    variance[j] = (1 - MOMENTUM) * (variance[j] as number) + MOMENTUM * Number(v?.[j]) * (n / Math.max(1, n - 1));
  }
}

const blank = (dims: readonly number[]) => float32(dims, new Float32Array(sizeOf(dims)));
