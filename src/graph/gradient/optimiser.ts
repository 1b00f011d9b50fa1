/** The optimiser's update as nodes, so that one engine call is one step: state in, state out. */
import { UserError } from '../../base/index.js';
import { type Graph, GraphBuilder } from '../../ir/index.js';
import { gradientName } from './names.js';

export interface OptimiserParameter {
  /** The weight: an input of the gradient graph. */
  name: string;
  dims: readonly number[];
  /** Factor on the learning rate (layer-wise decay, a slower backbone). */
  lrScale?: number;
  /** Whether weight decay applies; biases and norms are often left out. Default true. */
  decay?: boolean;
}

export interface OptimiserSpec {
  method: 'sgd' | 'adam';
  /** SGD: v <- momentum * v + g (PyTorch's form, the learning rate outside). */
  momentum: number;
  nesterov: boolean;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /**
   * `coupled`: g <- g + decay * w. `decoupled`: w <- w * (1 - lr * decay), AdamW's.
   * `kornblith`: coupled with decay / lr0, where lr0 is the schedule's peak, fed as `peak_learning_rate`
   * (Kornblith et al. 2019 search the product of the two).
   */
  decayMode: 'coupled' | 'decoupled' | 'kornblith';
  /** Gradients are scaled so that their global norm is at most this; 0 leaves them. */
  clipNorm: number;
}

export const optimiserDefaults: OptimiserSpec = {
  method: 'sgd',
  momentum: 0.9,
  nesterov: false,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  decayMode: 'coupled',
  clipNorm: 0,
};

/** A tensor carried from step to step: feed it as `input`, take it back from `output`. */
export interface StateSlot {
  input: string;
  output: string;
  dims: readonly number[];
  /** Weights start from the model, moments from zero. */
  kind: 'weight' | 'moment';
}

export interface TrainingStep {
  /**
   * Feeds: the gradient graph's inputs, every slot's `input`, and scalars `learning_rate`, `step` (counted from 1;
   * Adam only) and `peak_learning_rate` (`kornblith` only). Outputs: those of the gradient graph except gradients,
   * every slot's `output`, and `gradient_norm` when clipping.
   */
  graph: Graph;
  state: StateSlot[];
  /** The scalar float32 feeds that this optimiser wants. */
  scalars: string[];
}

/**
 * Replaces the gradients among the outputs of `graph` (made by `gradient`) by updated weights and moments.
 * @throws UserError when a parameter has no gradient there.
 */
export function appendOptimiser(
  graph: Graph,
  parameters: readonly OptimiserParameter[],
  options: Partial<OptimiserSpec> = {},
): TrainingStep {
  const spec = { ...optimiserDefaults, ...options };
  const b = new GraphBuilder(graph, 'opt');
  const gradients = new Set(parameters.map((p) => gradientName(p.name)));
  for (const { name } of parameters) {
    if (!graph.outputs.some((o) => o.name === gradientName(name))) {
      throw new UserError(`parameter '${name}' has no gradient: list it in \`wrt\` and let the loss depend on it`);
    }
  }
  const kept = graph.outputs.filter((o) => !gradients.has(o.name));
  b.clearOutputs();
  for (const o of kept) b.output(o.name, o.name, o.type, o.shape);
  const scalars: string[] = [];
  const scalarInput = (name: string) => {
    scalars.push(name);
    return b.input(name, 'float32', []);
  };
  const mul = (x: string, y: string) => b.op('Mul', [x, y]);
  const add = (x: string, y: string) => b.op('Add', [x, y]);
  const scaled = (x: string, factor: number) => (factor === 1 ? x : mul(x, b.scalar(factor)));

  const lr = scalarInput('learning_rate');
  const rates = new Map<number, string>([[1, lr]]);
  const rateOf = (scale: number) => {
    if (!rates.has(scale)) rates.set(scale, scaled(lr, scale));
    return rates.get(scale) as string;
  };
  let decay: string | undefined;
  if (spec.weightDecay > 0) {
    decay = b.scalar(spec.weightDecay);
    if (spec.decayMode === 'kornblith') decay = b.op('Div', [decay, scalarInput('peak_learning_rate')]);
  }
  const clip = spec.clipNorm > 0 ? clipFactor(b, [...gradients], spec.clipNorm) : undefined;

  // Bias corrections of Adam: 1 - beta^t.
  let corrected: { c1: string; root2: string } | undefined;
  if (spec.method === 'adam') {
    const t = scalarInput('step');
    const correction = (beta: number) => b.op('Sub', [b.scalar(1), b.op('Pow', [b.scalar(beta), t])]);
    corrected = { c1: correction(spec.beta1), root2: b.op('Sqrt', [correction(spec.beta2)]) };
  }

  const state: StateSlot[] = [];
  const slot = (input: string, value: string, dims: readonly number[], kind: StateSlot['kind']) => {
    const output = b.output(value, `next/${input}`, 'float32', dims);
    state.push({ input, output, dims, kind });
  };
  for (const { name, dims, lrScale = 1, decay: decays = true } of parameters) {
    const rate = rateOf(lrScale);
    let g = gradientName(name);
    if (clip) g = mul(g, clip);
    if (decay && decays && spec.decayMode !== 'decoupled') g = add(g, mul(name, decay));
    let w = name;
    if (decay && decays && spec.decayMode === 'decoupled') {
      w = mul(name, b.op('Sub', [b.scalar(1), mul(rate, decay)]));
    }
    let direction = g;
    if (corrected) {
      const m0 = b.input(`first_moment/${name}`, 'float32', dims);
      const v0 = b.input(`second_moment/${name}`, 'float32', dims);
      const m = add(scaled(m0, spec.beta1), scaled(g, 1 - spec.beta1));
      const v = add(scaled(v0, spec.beta2), scaled(mul(g, g), 1 - spec.beta2));
      // m / c1 / (sqrt(v / c2) + eps), as PyTorch orders it: sqrt(v) / sqrt(c2).
      const denominator = add(b.op('Div', [b.op('Sqrt', [v]), corrected.root2]), b.scalar(spec.epsilon));
      direction = b.op('Div', [b.op('Div', [m, corrected.c1]), denominator]);
      slot(m0, m, dims, 'moment');
      slot(v0, v, dims, 'moment');
    } else if (spec.momentum > 0) {
      const v0 = b.input(`momentum/${name}`, 'float32', dims);
      const v = add(scaled(v0, spec.momentum), g);
      direction = spec.nesterov ? add(g, scaled(v, spec.momentum)) : v;
      slot(v0, v, dims, 'moment');
    }
    slot(name, b.op('Sub', [w, mul(direction, rate)]), dims, 'weight');
  }
  return { graph: b.build(), state, scalars };
}

/** min(1, limit / (norm + 1e-6)), PyTorch's; also declares the output `gradient_norm`. */
function clipFactor(b: GraphBuilder, gradients: readonly string[], limit: number): string {
  const squares = gradients.map((g) => b.op('ReduceSumSquare', [g], { keepdims: 0 }));
  const norm = b.op('Sqrt', [squares.length > 1 ? b.op('Sum', squares) : (squares[0] as string)]);
  b.output(norm, 'gradient_norm', 'float32', []);
  const ratio = b.op('Div', [b.scalar(limit), b.op('Add', [norm, b.scalar(1e-6)])]);
  return b.op('Min', [ratio, b.scalar(1)]);
}
