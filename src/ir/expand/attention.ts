/** Attention (Vaswani et al. 2017) and rotary position embeddings (Su et al. 2021), of operator sets 23 and 24. */

import type { Emitter } from '../emitter.js';
import { floatAttribute, intAttribute, type Tensor } from '../graph.js';
import type { Expansion, ExpansionContext } from './expansion.js';

/** softmax(q k' scale + mask) v, on (batch, heads, tokens, width) or (batch, tokens, heads x width). */
export const attention: Expansion = (c) => {
  const { e, node } = c;
  if (c.has(6)) c.unsupported('nonpad_kv_seqlen');
  if (c.wants(3)) c.unsupported('its output of scores');
  const heads = { q: intAttribute(node, 'q_num_heads', 0), kv: intAttribute(node, 'kv_num_heads', 0) };
  const isFlat = c.dims().length === 3;
  const q = isFlat ? splitHeads(e, c.x(0), heads.q) : c.x(0);
  const [ownKeys, ownValues] = [1, 2].map((i) => (isFlat ? splitHeads(e, c.x(i), heads.kv) : c.x(i)));
  const past = c.has(4) ? (e.dims(c.x(4))[2] as number) : 0;
  const keys = c.has(4) ? e.concat([c.x(4), ownKeys as string], 2) : (ownKeys as string);
  const values = c.has(5) ? e.concat([c.x(5), ownValues as string], 2) : (ownValues as string);
  c.put(1, keys);
  c.put(2, values);

  const [, queryHeads, , width] = e.dims(q) as [number, number, number, number];
  const [k, v] = [keys, values].map((x) => repeatHeads(e, x, queryHeads)) as [string, string];
  const scale = floatAttribute(node, 'scale', 1 / Math.sqrt(width));
  let scores = e.scale(e.matmul(q, e.transposeLast(k)), scale);
  const softcap = floatAttribute(node, 'softcap', 0);
  if (softcap > 0) scores = e.scale(e.unary('Tanh', e.scale(scores, 1 / softcap)), softcap);
  const result = e.matmul(softmaxOf(c, scores, past), v);
  if (!isFlat) return c.put(0, result);
  const [batch, h, tokens, each] = e.dims(result) as [number, number, number, number];
  c.put(0, e.reshape(e.transpose(result, [0, 2, 1, 3]), [batch, tokens, h * each]));
};

/** (batch, tokens, heads x width) -> (batch, heads, tokens, width). */
function splitHeads(e: Emitter, x: string, heads: number): string {
  const [batch, tokens, size] = e.dims(x) as [number, number, number];
  return e.transpose(e.reshape(x, [batch, tokens, heads, size / heads]), [0, 2, 1, 3]);
}

/** Each of fewer heads of keys for as many heads of queries in a row. */
function repeatHeads(e: Emitter, x: string, heads: number): string {
  const [batch, own, tokens, width] = e.dims(x) as [number, number, number, number];
  if (own === heads) return x;
  const each = e.expand(e.reshape(x, [batch, own, 1, tokens, width]), [batch, own, heads / own, tokens, width]);
  return e.reshape(each, [batch, heads, tokens, width]);
}

/** Softmax over the keys that a query may see; a query that sees none gets zeros. */
function softmaxOf(c: ExpansionContext, scores: string, past: number): string {
  const { e, node } = c;
  const [queries, keys] = e.dims(scores).slice(-2) as [number, number];
  const hidden = e.scalar(-3e38);
  let masked = scores;
  if (intAttribute(node, 'is_causal', 0) === 1) {
    masked = e.where(e.constant(causal(queries, keys, past)), masked, hidden);
  }
  if (!c.has(3)) return e.softmax(masked, -1);
  if ((c.dims(3).at(-1) as number) !== keys) c.unsupported('a mask that is shorter than the keys');
  if (!c.isBoolean(3)) return e.softmax(e.add(masked, c.x(3)), -1);
  const seen = e.reduce('ReduceMax', e.toFloat(c.x(3)), [c.dims(3).length - 1], true);
  return e.mul(e.softmax(e.where(c.x(3), masked, hidden), -1), seen);
}

/** Which keys each query sees: those up to its own position. */
function causal(queries: number, keys: number, past: number): Tensor {
  const data = new Uint8Array(queries * keys);
  for (let i = 0; i < queries; i++) data.fill(1, i * keys, i * keys + Math.min(keys, i + past + 1));
  return { type: 'bool', dims: [queries, keys], data };
}

/** Turns pairs of each head's first elements by the angle of the token's position. */
export const rotaryEmbedding: Expansion = (c) => {
  const { e, node } = c;
  const isFlat = c.dims().length === 3;
  const declared = intAttribute(node, 'num_heads', 0);
  // (batch, heads, tokens, width).
  const x = isFlat ? splitHeads(e, c.x(), declared) : c.x();
  const [batch, heads, tokens, width] = e.dims(x) as [number, number, number, number];
  const turned = intAttribute(node, 'rotary_embedding_dim', 0) || width;
  const half = turned / 2;
  const [cos, sin] = [1, 2].map((i) => {
    const table = c.has(3) ? e.gather(c.x(i), c.x(3), 0) : c.x(i);
    return e.reshape(table, [e.dims(table)[0] as number, 1, tokens, half]);
  }) as [string, string];
  const isInterleaved = intAttribute(node, 'interleaved', 0) === 1;
  const [a, b] = isInterleaved
    ? [e.slice(x, 3, 0, turned - 1, 2), e.slice(x, 3, 1, turned, 2)]
    : [e.slice(x, 3, 0, half), e.slice(x, 3, half, turned)];
  const real = e.sub(e.mul(cos, a), e.mul(sin, b));
  const imaginary = e.add(e.mul(sin, a), e.mul(cos, b));
  const column = (v: string) => e.reshape(v, [batch, heads, tokens, half, 1]);
  const pairs = isInterleaved
    ? e.reshape(e.concat([column(real), column(imaginary)], 4), [batch, heads, tokens, turned])
    : e.concat([real, imaginary], 3);
  const result = turned === width ? pairs : e.concat([pairs, e.slice(x, 3, turned, width)], 3);
  c.put(0, isFlat ? e.reshape(e.transpose(result, [0, 2, 1, 3]), [batch, tokens, heads * width]) : result);
};
