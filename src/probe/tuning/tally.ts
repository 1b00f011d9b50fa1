/** What candidates of a grid say of the validation rows. */
import { crossEntropy } from '../../solver/index.js';
import { fitTemperature, topClasses } from '../../stats/index.js';
import type { ProbeOptions } from '../options.js';

/** Scores of one candidate over validation rows. */
export interface Figures {
  readonly accuracy: number;
  /** Mean over classes of each one's accuracy. */
  readonly balanced: number;
  /**
   * Mean -ln P(true class), nats; over classes of each one's mean. Where logits were kept, at the temperature that suits
   * these answers best: what a probe knows is compared, not how sure it is, which its temperature sets right.
   */
  readonly logLoss: number;
  readonly balancedLoss: number;
}

/** What a candidate said of every validation row (those of the first fold, then the second ...). */
export interface Answers {
  /** (n). */
  readonly labels: Int32Array;
  /** 1 where the most probable class is the true one, (n). */
  readonly right: Uint8Array;
  /** -ln P(true class), (n), at `temperature` where there is one. */
  readonly losses: Float64Array;
  /** (n, K), where they were kept. */
  readonly logits?: Float32Array | undefined;
  /** That makes the logits as sure as they are right. */
  readonly temperature?: number;
}

/** One candidate of a tuning grid with its validation figures. */
export interface TuningRow extends Figures {
  readonly settings: Readonly<Record<string, number>>;
  /** Pooling of the features, where several are tried. */
  readonly pool?: string;
  /** Accuracy in each fold; the other figures are over all validation rows together. */
  readonly folds: readonly number[];
  readonly answers: Answers;
  /** Whether the solver reached its tolerance in every fold. */
  readonly converged: boolean;
}

/** Validation answers of one candidate gathered over folds. */
export class Tally {
  readonly #folds: number[] = [];
  readonly #labels: number[] = [];
  readonly #right: number[] = [];
  readonly #losses: number[] = [];
  readonly #logits: Float32Array[] = [];
  readonly #kept: Pick<ProbeOptions, 'classWeight'> | undefined;
  #classes = 0;
  #converged = true;

  /** @param kept keeps the logits, and fits a temperature to them in which classes count as they do in the probe */
  constructor(kept?: Pick<ProbeOptions, 'classWeight'>) {
    this.#kept = kept;
  }

  /** @param logits of one fold's validation rows, (labels.length, classes) */
  add(logits: Float64Array, labels: readonly number[] | Int32Array, classes: number, converged = true): void {
    this.#classes = classes;
    this.#converged &&= converged;
    const top = topClasses(logits, classes);
    let right = 0;
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i] as number;
      const own = top[i] === label ? 1 : 0;
      right += own;
      this.#labels.push(label);
      this.#right.push(own);
      this.#losses.push(crossEntropy(logits, i * classes, classes, label));
    }
    this.#folds.push(right / labels.length);
    if (this.#kept) this.#logits.push(Float32Array.from(logits));
  }

  row(settings: Record<string, number>): TuningRow {
    const labels = Int32Array.from(this.#labels);
    const right = Uint8Array.from(this.#right);
    const losses = Float64Array.from(this.#losses);
    const answers: Answers = this.#kept
      ? { labels, right, ...this.#calibrated(labels, this.#kept) }
      : { labels, right, losses };
    return { settings, folds: this.#folds, ...figuresOf(answers), answers, converged: this.#converged };
  }

  #calibrated(labels: Int32Array, { classWeight }: Pick<ProbeOptions, 'classWeight'>) {
    const K = this.#classes;
    const logits = new Float32Array(labels.length * K);
    let at = 0;
    for (const part of this.#logits) {
      logits.set(part, at);
      at += part.length;
    }
    const weights = classWeight === 'balanced' ? classShares(labels).map((w) => w * labels.length) : undefined;
    const temperature = fitTemperature(logits, labels, K, weights);
    const scaled = Float64Array.from(logits, (z) => z / temperature);
    const losses = Float64Array.from(labels, (c, i) => crossEntropy(scaled, i * K, K, c));
    return { losses, logits, temperature };
  }
}

function figuresOf({ labels, right, losses }: Answers): Figures {
  const weights = classShares(labels);
  const n = labels.length;
  let [accuracy, balanced, logLoss, balancedLoss] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [own, loss, weight] = [right[i] as number, losses[i] as number, weights[i] as number];
    accuracy += own;
    balanced += weight * own;
    logLoss += loss;
    balancedLoss += weight * loss;
  }
  return { accuracy: accuracy / n, balanced: Math.min(1, balanced), logLoss: logLoss / n, balancedLoss };
}

/** The weight of each example in a mean over classes, (n); they sum to one. */
export function classShares(labels: Int32Array): Float64Array {
  const sizes = new Map<number, number>();
  for (const c of labels) sizes.set(c, (sizes.get(c) ?? 0) + 1);
  return Float64Array.from(labels, (c) => 1 / (sizes.size * (sizes.get(c) as number)));
}
