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
import { buildLoss, type Graph, GraphBuilder } from '../../graph/index.js';
import { foldLayerFusion } from './fold.js';
import { type AttentionNetwork, batchNormed, masked, networkInputs, standardised } from './network.js';
import type { TokenShape } from './shape.js';

/** The network for vectors of these sizes. */
export function layerFusion(shape: TokenShape): AttentionNetwork {
  const { tokens: k, width: D, classes: K } = shape;
  const { heads, size } = headsOf(shape);
  return {
    ...shape,
    heads,
    normed: D,
    macs: 2 * k * heads * D + 2 * D * heads * size + D * K,
    parameters: parametersOf(shape),
    graph: (batch, dropped) => graph(shape, batch, dropped),
    fold: (weights, moments) => foldLayerFusion({ width: D, classes: K, heads, size }, weights, moments),
  };
}

/** H and d. */
function headsOf({ tokens, width }: TokenShape): { heads: number; size: number } {
  const heads = Math.min(tokens, width);
  return { heads, size: 2 * Math.floor(width / heads) };
}

function parametersOf(shape: TokenShape) {
  const { width: D, classes: K } = shape;
  const { heads: H, size: d } = headsOf(shape);
  const A = H * d;
  const uniform = (fanIn: number) => ({ uniform: 1 / Math.sqrt(fanIn) });
  return {
    query: { dims: [1, D], start: { normal: 0.02 } },
    query_gain: { dims: [1, D], start: { fill: 1 } },
    query_shift: { dims: [1, D], start: { fill: 0 } },
    key_gain: { dims: [D, 1], start: { fill: 1 } },
    value_gain: { dims: [D], start: { fill: 1 } },
    value_shift: { dims: [D], start: { fill: 0 } },
    wq: { dims: [D, A], start: uniform(D) },
    wk: { dims: [D, H, d], start: uniform(D) },
    wv: { dims: [H, D, d], start: uniform(D) },
    wo: { dims: [A, D], start: uniform(A) },
    bo: { dims: [D], start: uniform(A) },
    batch_gain: { dims: [D], start: { fill: 1 } },
    batch_shift: { dims: [D], start: { fill: 0 } },
    wc: { dims: [D, K], start: uniform(D) },
    bc: { dims: [K], start: uniform(D) },
  } as const;
}
function graph(shape: TokenShape, B: number, dropped: boolean): Graph {
  const { tokens: k, width: D, classes: K } = shape;
  const { heads: H, size: d } = headsOf(shape);
  const b = new GraphBuilder();
  const { x, p } = networkInputs(b, shape, parametersOf(shape), B);
  const query = b.add(b.mul(standardised(b, p.query, 1), p.query_gain), p.query_shift);
  const heads = b.reshape(b.scale(b.matmul(query, p.wq), 1 / Math.sqrt(d)), [1, H, d]);
  const read = b.mul(b.sum(b.mul(p.wk, heads), [2]), p.key_gain);
  const scores = b.reshape(b.matmul(b.reshape(x, [B * k, D]), read), [B, k, H]);
  const softmax = b.softmax(b.transpose(scores, [0, 2, 1]), 2);
  const attention = masked(b, softmax, [B, H, k], dropped);
  const pooled = b.mul(b.matmul(attention, x), p.value_gain);
  const values = b.add(pooled, b.mul(b.sum(attention, [2], true), p.value_shift));
  const each = b.matmul(b.transpose(values, [1, 0, 2]), p.wv);
  const z = b.add(b.matmul(b.reshape(b.transpose(each, [1, 0, 2]), [B, H * d]), p.wo), p.bo);
  const scaled = b.add(b.mul(batchNormed(b, z, D), p.batch_gain), p.batch_shift);
  b.output(b.add(b.matmul(scaled, p.wc), p.bc), 'logits', 'float32', [B, K]);
  return buildLoss(b.build(), { logits: 'logits', classes: K, exampleWeights: true });
}
