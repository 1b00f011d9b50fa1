/**
 * Attentive Layer Fusion (arXiv 2601.09322, ICML 2026): one learned query attends over the vectors of a network's layers.
 *
 *   q = Wq LN_q(q0),  a_h = softmax_t(q_h . Wk_h LN_k(x_t) / sqrt(d)),  z = Wo concat_h(sum_t a_ht Wv_h LN_v(x_t)) + bo
 *   logits = Wc BatchNorm(z) + bc
 *
 * with as many heads H as there are vectors (at most D), and a head of d = 2 floor(D / H). There is one query, so keys and
 * values need not be computed for every vector: q_h . Wk_h LN_k(x) is the product of x with one vector per head, and the sum
 * over t can be taken before Wv. That is the same function at k H D + A D multiply-adds an example (A = H d) for 2 k D A.
 * The shift of LN_k adds the same to every score of a head, which a softmax does not see: it is left out.
 */
import type { Engine, Program } from '../../engine/index.js';
import {
  appendOptimiser,
  buildLoss,
  chain,
  clipByGlobalNorm,
  decayByRate,
  GraphBuilder,
  gradient,
  lossNames,
  observe,
  prune,
  scaleByAdam,
  scaleByLearningRate,
  type TrainingStep,
} from '../../graph/index.js';
import { EPSILON, type FusionParameter, type FusionShape, fusionParameters, headsOf } from './shape.js';

/** Norm of the gradient above which it is clipped. */
const CLIP = 5;

/** (x - mean) / sqrt(variance + eps) over the last axis. */
function standardised(b: GraphBuilder, x: string, axis: number): string {
  const centred = b.sub(x, b.mean(x, [axis], true));
  const variance = b.mean(b.mul(centred, centred), [axis], true);
  return b.div(centred, b.sqrt(b.add(variance, b.scalar(EPSILON))));
}

export interface FusionStep {
  readonly program: Program;
  readonly step: TrainingStep;
}

/**
 * One step of AdamW on one batch: feeds x (batch, k, D) standardised vectors, labels and example_weights (batch), mask
 * (batch, H, k) where attention is dropped, and the state; gives the state, loss, batch_mean and batch_variance (D).
 */
export async function compileFusionStep(
  engine: Engine,
  shape: FusionShape & { readonly batch: number; readonly dropped: boolean },
): Promise<FusionStep> {
  const graph = lossGraph(shape);
  const shapes = { [lossNames.labels]: [shape.batch], [lossNames.weights]: [shape.batch] };
  const observed = await observe(graph, engine, shapes);
  const parameters = Object.entries(fusionParameters(shape)).map(([name, { dims }]) => ({ name, dims: [...dims] }));
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

/** Logits and loss of a batch, in training. */
export function lossGraph(shape: FusionShape & { readonly batch: number; readonly dropped: boolean }) {
  const { tokens: k, width: D, classes: K, batch: B, dropped } = shape;
  const { heads: H, size: d } = headsOf(shape);
  const b = new GraphBuilder();
  const x = b.input('x', 'float32', [B, k, D]);
  const p = Object.fromEntries(
    Object.entries(fusionParameters(shape)).map(([name, { dims }]) => [name, b.input(name, 'float32', [...dims])]),
  ) as Record<FusionParameter, string>;
  const query = b.add(b.mul(standardised(b, p.query, 1), p.query_gain), p.query_shift);
  const heads = b.reshape(b.scale(b.matmul(query, p.wq), 1 / Math.sqrt(d)), [1, H, d]);
  const read = b.mul(b.sum(b.mul(p.wk, heads), [2]), p.key_gain);
  const scores = b.reshape(b.matmul(b.reshape(x, [B * k, D]), read), [B, k, H]);
  const softmax = b.softmax(b.transpose(scores, [0, 2, 1]), 2);
  const attention = dropped ? b.mul(softmax, b.input('mask', 'float32', [B, H, k])) : softmax;
  const pooled = b.mul(b.matmul(attention, x), p.value_gain);
  const values = b.add(pooled, b.mul(b.sum(attention, [2], true), p.value_shift));
  const each = b.matmul(b.transpose(values, [1, 0, 2]), p.wv);
  const z = b.add(b.matmul(b.reshape(b.transpose(each, [1, 0, 2]), [B, H * d]), p.wo), p.bo);
  const mean = b.mean(z, [0], true);
  const centred = b.sub(z, mean);
  const variance = b.mean(b.mul(centred, centred), [0], true);
  const normed = b.div(centred, b.sqrt(b.add(variance, b.scalar(EPSILON))));
  const scaled = b.add(b.mul(normed, p.batch_gain), p.batch_shift);
  b.output(b.add(b.matmul(scaled, p.wc), p.bc), 'logits', 'float32', [B, K]);
  b.output(b.reshape(mean, [D]), 'batch_mean', 'float32', [D]);
  b.output(b.reshape(variance, [D]), 'batch_variance', 'float32', [D]);
  return buildLoss(b.build(), { logits: 'logits', classes: K, exampleWeights: true });
}
