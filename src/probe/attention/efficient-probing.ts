/**
 * Efficient probing (arXiv 2506.10178): learned queries attend over the positions of one layer, each reads its own slice of
 * the values.
 *
 *   a_j = softmax_t(q_j . u_t / sqrt(D)),  z = concat_j (sum_t a_jt u_t) V_j,  logits = BatchNorm(z) Wc + bc
 *
 * with Q queries and slices of d = floor(D / Q); batch normalisation has no gain or shift. With one query it is attentive
 * pooling. As published, but that u is standardised position by position, so that one learning rate serves layers of any scale.
 */
import { buildLoss, type Graph, GraphBuilder } from '../../graph/index.js';
import { foldEfficientProbing } from './fold.js';
import { type AttentionNetwork, batchNormed, masked, networkInputs } from './network.js';
import type { TokenShape } from './shape.js';

/** @param queries Q, at most D */
export function efficientProbing(shape: TokenShape, queries: number): AttentionNetwork {
  const { tokens: k, width: D, classes: K } = shape;
  const Q = Math.min(queries, D);
  const size = Math.floor(D / Q);
  return {
    ...shape,
    heads: Q,
    normed: Q * size,
    macs: 2 * k * Q * D + Q * size * (D + K),
    parameters: parametersOf(shape, Q, size),
    graph: (batch, dropped) => graph(shape, [Q, size], batch, dropped),
    fold: (weights, moments) => foldEfficientProbing({ width: D, classes: K }, weights, moments),
  };
}

function parametersOf({ width: D, classes: K }: TokenShape, Q: number, d: number) {
  const uniform = (fanIn: number) => ({ uniform: 1 / Math.sqrt(fanIn) });
  return {
    query: { dims: [D, Q], start: { normal: 0.02 } },
    wv: { dims: [Q, D, d], start: uniform(D) },
    wc: { dims: [Q * d, K], start: uniform(Q * d) },
    bc: { dims: [K], start: uniform(Q * d) },
  } as const;
}

function graph(shape: TokenShape, [Q, d]: readonly [number, number], B: number, dropped: boolean): Graph {
  const { tokens: k, width: D, classes: K } = shape;
  const b = new GraphBuilder();
  const { x, p } = networkInputs(b, shape, parametersOf(shape, Q, d), B);
  const scores = b.reshape(b.matmul(b.reshape(x, [B * k, D]), b.scale(p.query, 1 / Math.sqrt(D))), [B, k, Q]);
  const softmax = b.softmax(b.transpose(scores, [0, 2, 1]), 2);
  const pooled = b.matmul(masked(b, softmax, [B, Q, k], dropped), x);
  const each = b.matmul(b.transpose(pooled, [1, 0, 2]), p.wv);
  const z = b.reshape(b.transpose(each, [1, 0, 2]), [B, Q * d]);
  b.output(b.add(b.matmul(batchNormed(b, z, Q * d), p.wc), p.bc), 'logits', 'float32', [B, K]);
  return buildLoss(b.build(), { logits: 'logits', classes: K, exampleWeights: true });
}
