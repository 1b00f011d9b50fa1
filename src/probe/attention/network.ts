/** A small network that attends over the vectors of an example: how it is trained, and what it is once it is trained. */
import type { Engine, Program } from '../../engine/index.js';
import {
  appendOptimiser,
  chain,
  clipByGlobalNorm,
  decayByRate,
  type Graph,
  type GraphBuilder,
  gradient,
  lossNames,
  observe,
  prune,
  scaleByAdam,
  scaleByLearningRate,
  type TrainingStep,
} from '../../graph/index.js';
import type { AttentionMatrices } from './fold.js';
import { EPSILON, type Parameter, type RunningMoments, type TokenShape, type Weights } from './shape.js';

export interface AttentionNetwork extends TokenShape {
  /** H: softmaxes over the vectors. */
  readonly heads: number;
  /** Values that batch normalisation sees. */
  readonly normed: number;
  /** Multiply-adds of an example, forwards. */
  readonly macs: number;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /**
   * Loss of a batch in training, and batch_mean and batch_variance (normed): of x (batch, k, D) standardised vectors, labels
   * and example_weights (batch), and mask (batch, H, k) where attention is dropped.
   */
  graph(batch: number, dropped: boolean): Graph;
  fold(weights: Weights, moments: RunningMoments): AttentionMatrices;
}

/** Inputs of a training graph: x, and every learned array. */
export function networkInputs<Name extends string>(
  b: GraphBuilder,
  { tokens, width }: TokenShape,
  parameters: Readonly<Record<Name, Parameter>>,
  batch: number,
): { x: string; p: Record<Name, string> } {
  const x = b.input('x', 'float32', [batch, tokens, width]);
  const named = Object.entries<Parameter>(parameters);
  const p = Object.fromEntries(named.map(([name, { dims }]) => [name, b.input(name, 'float32', [...dims])]));
  return { x, p: p as Record<Name, string> };
}

/** Attention in which a step drops weights. @param softmax (batch, H, k) */
export function masked(b: GraphBuilder, softmax: string, dims: readonly [number, number, number], dropped: boolean) {
  return dropped ? b.mul(softmax, b.input('mask', 'float32', [...dims])) : softmax;
}

/** (x - mean) / sqrt(variance + eps) over an axis. */
export function standardised(
  b: GraphBuilder,
  x: string,
  axis: number,
  precision: 'float32' | 'float64' = 'float32',
): string {
  const centred = b.sub(x, b.mean(x, [axis], true));
  const variance = b.mean(b.mul(centred, centred), [axis], true);
  return b.div(centred, b.sqrt(b.add(variance, b.scalar(EPSILON, precision))));
}

/** Values less their means over a batch and over their deviations, z (batch, normed); both moments are outputs. */
export function batchNormed(b: GraphBuilder, z: string, normed: number): string {
  const mean = b.mean(z, [0], true);
  const centred = b.sub(z, mean);
  const variance = b.mean(b.mul(centred, centred), [0], true);
  b.output(b.reshape(mean, [normed]), 'batch_mean', 'float32', [normed]);
  b.output(b.reshape(variance, [normed]), 'batch_variance', 'float32', [normed]);
  return b.div(centred, b.sqrt(b.add(variance, b.scalar(EPSILON))));
}

/** Norm of the gradient above which it is clipped. */
const CLIP = 5;

export interface AttentionStep {
  readonly program: Program;
  readonly step: TrainingStep;
}

/** One step of AdamW on one batch: feeds what `graph` reads, rates and the state; gives the state, loss and both moments. */
export async function compileStep(
  engine: Engine,
  network: Pick<AttentionNetwork, 'graph' | 'parameters'>,
  batch: number,
  dropped: boolean,
): Promise<AttentionStep> {
  const graph = network.graph(batch, dropped);
  const observed = await observe(graph, engine, { [lossNames.labels]: [batch], [lossNames.weights]: [batch] });
  const parameters = Object.entries(network.parameters).map(([name, { dims }]) => ({ name, dims: [...dims] }));
  const differentiated = gradient(graph, {
    loss: lossNames.loss,
    wrt: parameters.map(({ name }) => name),
    observed,
    keep: ['batch_mean', 'batch_variance'],
  });
  const adamw = chain(clipByGlobalNorm(CLIP), decayByRate(), scaleByAdam(), scaleByLearningRate());
  const step = appendOptimiser(differentiated, parameters, adamw);
  const wanted = new Set(['batch_mean', 'batch_variance', lossNames.loss, ...step.state.map(({ output }) => output)]);
  const outputs = step.graph.outputs.filter(({ name }) => wanted.has(name));
  const pruned = prune({ ...step.graph, outputs }, { inputs: true });
  return { program: await engine.compile(pruned, { planMemory: false }), step };
}
