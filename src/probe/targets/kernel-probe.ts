/** Probes with an l2 penalty by the products of examples: ridge regression of values, logistic regression of each label. */
import type { Engine } from '../../engine/index.js';
import type { ValuedKind } from '../../record/index.js';
import { fitFoldRidge, type Kernel, KernelLogistic, products } from '../../solver/index.js';
import { penalties } from '../fitting/kernel-ridge.js';

/** A fit in the span of the training examples. */
export interface KernelProbeFit {
  /** (n, q): weights are those of the features' products with it. */
  readonly coefficients: Float64Array;
  readonly intercept: Float64Array;
  /** Values, or log odds of labels, of the kernel's other rows, (m, q). */
  readonly scores: Float64Array;
  readonly converged: boolean;
}

export interface KernelProbe {
  /** Of the penalty, in what its grid is in; undefined where rounding has made the kernel indefinite. */
  fit(penalty: number): Promise<KernelProbeFit | undefined>;
}

/** What is tried, strongest first, and the few by which selections of features are compared. */
export interface PenaltyGrid {
  readonly name: 'penalty' | 'l2';
  readonly all: readonly number[];
  readonly few: readonly number[];
}

/** @param l2 penalties of logistic regression */
export function penaltyGrid(kind: ValuedKind, l2: readonly number[]): PenaltyGrid {
  const name = kind === 'regression' ? 'penalty' : 'l2';
  const all = kind === 'regression' ? penalties : [...l2].sort((a, b) => b - a);
  // A strong one and a weak one, of which the better counts: a single one would compare how strongly it binds.
  const few = [...new Set([0.4, 0.65].map((share) => all[Math.round(share * (all.length - 1))] as number))];
  return { name, all, few };
}

interface Examples {
  /** (n, q). */
  readonly truth: Float64Array;
  readonly outputs: number;
}

/** @param exactly to the tolerance of what is reported, not of what is compared */
export function kernelProbe(
  engine: Engine,
  kind: ValuedKind,
  kernel: Kernel,
  examples: Examples,
  exactly = false,
): KernelProbe {
  return kind === 'regression' ? ridgeOn(engine, kernel, examples) : logisticOn(engine, kernel, examples, exactly);
}

function ridgeOn(engine: Engine, { train, n, others, m }: Kernel, { truth, outputs: q }: Examples): KernelProbe {
  const kernel = Float64Array.from(train);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += kernel[i * n + i] as number;
  const labels = {
    labels: new Int32Array(n),
    classes: q,
    values: truth,
    weights: new Float64Array(n).fill(1),
    folds: [],
  };
  return {
    async fit(penalty) {
      const fit = await fitFoldRidge(engine, kernel, labels, (penalty * trace) / n);
      if (!fit) return undefined;
      const { coefficients, intercept } = fit;
      const multiply = await products(engine);
      const scores =
        m === 0
          ? new Float64Array(0)
          : await multiply(
              { rows: m, columns: n, data: Float64Array.from(others) },
              { rows: n, columns: q, data: coefficients },
            );
      for (let at = 0; at < scores.length; at++) scores[at] = (scores[at] as number) + (intercept[at % q] as number);
      return { coefficients, intercept, scores, converged: true };
    },
  };
}

/** Relative gradient norm of what is reported. */
const REPORTED = { tolerance: 1e-4, maxIterations: 3000 };

function logisticOn(engine: Engine, kernel: Kernel, { truth, outputs }: Examples, exactly: boolean): KernelProbe {
  const solver = new KernelLogistic(engine, kernel, { truth, classes: outputs }, exactly ? REPORTED : {});
  return {
    async fit(l2) {
      const fit = await solver.fit(l2);
      const scores = kernel.m === 0 ? new Float64Array(0) : await solver.predict(fit);
      return { coefficients: fit.coefficients, intercept: fit.intercept, scores, converged: fit.converged };
    },
  };
}
