/**
 * Optimisers as chains of small transforms of the step, as in Optax: each adds its nodes and its state. A step starts as
 * the gradient; what comes out of the chain is subtracted from the weight. A transform whose setting is zero adds nothing.
 *
 * @example
 * const clipped = chain(clipByGlobalNorm(1), addDecayedWeights(1e-4), scaleByAdam(), scaleByLearningRate());
 * const step = appendOptimiser(gradientGraph, parameters, clipped);
 */
import type { StepBuilder, Update } from './step-builder.js';

/** A function of updates; an optimiser is a chain of them. */
export type Transform = (b: StepBuilder, updates: readonly Update[]) => readonly Update[];

/** Transforms one after the other. */
export function chain(...transforms: readonly Transform[]): Transform {
  return (b, updates) => transforms.reduce((u, transform) => transform(b, u), updates);
}

const unchanged: Transform = (_, updates) => updates;

/** The same for every parameter: the step that `next` writes. */
function eachStep(next: (b: StepBuilder, update: Update) => string): Transform {
  return (b, updates) => updates.map((u) => ({ ...u, step: next(b, u) }));
}

/** times the parameter's learning rate. Last in nearly every chain. */
export function scaleByLearningRate(): Transform {
  return eachStep((b, { step, parameter }) => b.mul(step, b.learningRate(parameter)));
}

/** Weight decay coupled to the gradient: step + decay * weight, for the parameters that decay. */
export function addDecayedWeights(decay: number): Transform {
  if (decay === 0) return unchanged;
  return eachStep((b, { step, parameter }) =>
    parameter.decay === false ? step : b.add(step, b.mul(parameter.name, b.scalar(decay))),
  );
}

/** The same with a decay that is fed in every step: one step serves a grid of decays. */
export function addGivenDecay(): Transform {
  return eachStep((b, { step, parameter }) =>
    parameter.decay === false ? step : b.add(step, b.mul(parameter.name, b.rate('weight_decay'))),
  );
}

/** Weight decay of its own, decoupled from the step: weight * (1 - rate * decay), as PyTorch's AdamW orders it. */
export function decayWeights(decay: number): Transform {
  if (decay === 0) return unchanged;
  return (b, updates) =>
    updates.map((u) => {
      if (u.parameter.decay === false) return u;
      const kept = b.sub(b.scalar(1), b.mul(b.learningRate(u.parameter), b.scalar(decay)));
      return { ...u, weight: b.mul(u.weight, kept) };
    });
}

/** The same with a decay that is fed in every step: one step serves a grid of decays. */
export function decayByRate(): Transform {
  return (b, updates) => {
    const decay = b.rate('weight_decay');
    return updates.map((u) => {
      if (u.parameter.decay === false) return u;
      return { ...u, weight: b.mul(u.weight, b.sub(b.scalar(1), b.mul(b.learningRate(u.parameter), decay))) };
    });
  };
}

/** All steps times min(1, limit / (norm + 1e-6)), PyTorch's; declares the output `gradient_norm`. */
export function clipByGlobalNorm(limit: number): Transform {
  if (limit === 0) return unchanged;
  return (b, updates) => {
    const squares = updates.map(({ step }) => b.op('ReduceSumSquare', [step], { keepdims: 0 }));
    const norm = b.sqrt(squares.length > 1 ? b.op('Sum', squares) : (squares[0] as string));
    b.output(norm, 'gradient_norm', 'float32', []);
    const ratio = b.div(b.scalar(limit), b.add(norm, b.scalar(1e-6)));
    const factor = b.binary('Min', ratio, b.scalar(1));
    return updates.map((u) => ({ ...u, step: b.mul(u.step, factor) }));
  };
}

/** v <- momentum * v + step (PyTorch's form, the learning rate outside); Nesterov's looks one step ahead. */
export function scaleByMomentum(momentum: number, { nesterov = false } = {}): Transform {
  if (momentum === 0) return unchanged;
  return eachStep((b, { step, parameter }) => {
    const v = b.moment('momentum', parameter, (before) => b.add(b.scale(before, momentum), step));
    return nesterov ? b.add(step, b.scale(v, momentum)) : v;
  });
}

/** Constants of Adam (Kingma and Ba, 2015). */
export interface AdamOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Epsilon is added to sqrt(v) before that is corrected: TensorFlow's Adam, the paper's "epsilon hat". */
  readonly epsilonHat?: boolean;
}
/** The published constants. */
export const adamDefaults: AdamOptions = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/**
 * The moments' ratio (Kingma and Ba, 2015), m / c1 / (sqrt(v) / sqrt(c2) + eps) with c = 1 - beta^t, in PyTorch's order;
 * with `epsilonHat` m / c1 / ((sqrt(v) + eps) / sqrt(c2)).
 */
export function scaleByAdam(options: Partial<AdamOptions> = {}): Transform {
  const { beta1, beta2, epsilon, epsilonHat = false } = { ...adamDefaults, ...options };
  return (b, updates) => {
    const t = b.rate('step');
    const correction = (beta: number) => b.sub(b.scalar(1), b.binary('Pow', b.scalar(beta), t));
    const c1 = correction(beta1);
    const root2 = b.sqrt(correction(beta2));
    const mix = (old: string, next: string, beta: number) => b.add(b.scale(old, beta), b.scale(next, 1 - beta));
    return updates.map(({ step, parameter, ...u }) => {
      const m = b.moment('first_moment', parameter, (before) => mix(before, step, beta1));
      const v = b.moment('second_moment', parameter, (before) => mix(before, b.mul(step, step), beta2));
      const denominator = epsilonHat
        ? b.div(b.add(b.sqrt(v), b.scalar(epsilon)), root2)
        : b.add(b.div(b.sqrt(v), root2), b.scalar(epsilon));
      return { ...u, parameter, step: b.div(b.div(m, c1), denominator) };
    });
  };
}

/** Constants of gradient descent with momentum. */
export interface SgdOptions {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

/** Stochastic gradient descent, as in PyTorch. */
export function sgd({ momentum = 0, nesterov = false, weightDecay = 0 }: Partial<SgdOptions> = {}): Transform {
  return chain(addDecayedWeights(weightDecay), scaleByMomentum(momentum, { nesterov }), scaleByLearningRate());
}

/** Adam, with decay coupled as in PyTorch's. */
export function adam({ weightDecay = 0, ...options }: Partial<AdamOptions & { weightDecay: number }> = {}): Transform {
  return chain(addDecayedWeights(weightDecay), scaleByAdam(options), scaleByLearningRate());
}

/** Adam with decoupled decay (Loshchilov and Hutter, 2019). */
export function adamw({ weightDecay = 0, ...options }: Partial<AdamOptions & { weightDecay: number }> = {}): Transform {
  return chain(decayWeights(weightDecay), scaleByAdam(options), scaleByLearningRate());
}
