/** Trained attention over vectors as a graph. */
import type { Engine } from '../../engine/index.js';
import { GraphBuilder, int64 } from '../../graph/index.js';
import { countMacs, programFor, tensor } from '../../solver/index.js';
import type { AttentionMatrices } from './fold.js';
import { standardised } from './network.js';
import type { TokenRows } from './token-rows.js';
import { type LayerTokens, tokenPlaces } from './tokens.js';

/** Attention over vectors that was fitted to a matrix of features. */
export interface FittedAttention {
  readonly layers: LayerTokens;
  readonly matrices: AttentionMatrices;
  /** What logits are divided by before the softmax. */
  readonly temperature: number;
}

/** It as a saved head: `features` of the whole matrix, and where among them each vector's values lie. */
export interface AttentionHead extends AttentionMatrices {
  /** Ascending. */
  readonly features: Int32Array;
  /** (k, D): places in `features`, or features.length for a value that is always zero. */
  readonly places: Int32Array;
  /** k. */
  readonly tokens: number;
}

/** Fitted attention as a head, calibrated. */
export function attentionHead({ layers, matrices, temperature }: FittedAttention): AttentionHead {
  return {
    features: layers.features,
    places: tokenPlaces(layers),
    tokens: layers.tokens.length,
    score: matrices.score,
    value: matrices.value,
    mix: matrices.mix.map((w) => w / temperature),
    intercept: matrices.intercept.map((w) => w / temperature),
  };
}

/**
 * Adds the head to a graph.
 * @param features its features of one example, float64 (1, p)
 * @returns logits (1, K)
 */
export function addAttentionHead(b: GraphBuilder, features: string, head: AttentionHead): string {
  const { places, tokens: k, intercept } = head;
  const [D, K] = [places.length / k, intercept.length];
  const H = head.score.length / D;
  const d = head.value.length / (H * D);
  const double = (dims: number[], data: Float64Array) => b.constant({ type: 'float64', dims, data });
  const padded = b.concat([features, double([1, 1], new Float64Array(1))], 1);
  const x = b.gather(padded, b.constant({ ...int64([...places]), dims: [k, D] }), 1);
  const norm = b.op('ReduceL2', [x, b.ints([2])], { keepdims: 1 });
  const unit = b.div(x, b.binary('Max', norm, b.scalar(1e-30, 'float64')));
  const matrices = {
    score: double([D, H], head.score),
    value: double([H, D, d], head.value),
    mix: double([H * d, K], head.mix),
    intercept: double([K], intercept),
  };
  return addAttention(b, unit, matrices).logits;
}

/**
 * Adds the head to a graph of float64 values.
 * @param x vectors of norm one or zero, (B, k, D)
 * @param m the four matrices, as values of the graph
 * @returns logits (B, K) and attention (B, H, k)
 */
export function addAttention(
  b: GraphBuilder,
  x: string,
  m: Readonly<Record<keyof AttentionMatrices, string>>,
): { logits: string; attention: string } {
  const u = standardised(b, x, 2, 'float64');
  const attention = b.softmax(b.transpose(b.matmul(u, m.score), [0, 2, 1]), 2);
  const each = b.matmul(b.transpose(b.matmul(attention, u), [1, 0, 2]), m.value);
  const joined = b.reshape(b.transpose(each, [1, 0, 2]), [0, -1]);
  return { logits: b.add(b.matmul(joined, m.mix), m.intercept), attention };
}

function headProgram() {
  const b = GraphBuilder.of('float64');
  const x = b.cast(b.input('x', 'float32'), 'float64');
  const m = { score: b.input('score'), value: b.input('value'), mix: b.input('mix'), intercept: b.input('intercept') };
  const { logits, attention } = addAttention(b, x, m);
  b.output(logits, 'logits');
  b.output(b.mean(attention, [0, 1]), 'mass');
  return b.build();
}

/** Values of a batch. */
const BATCH_VALUES = 1 << 22;

/**
 * @param x vectors of norm one or zero
 * @param rows of x
 * @returns logits (rows, K), and the attention that each vector gets, mean over rows and heads, (k)
 */
export async function applyAttention(
  engine: Engine,
  matrices: AttentionMatrices,
  x: TokenRows,
  rows: readonly number[],
): Promise<{ logits: Float64Array; mass: Float64Array }> {
  const { tokens: k, width: D } = x;
  const K = matrices.intercept.length;
  const H = matrices.score.length / D;
  const d = matrices.value.length / (H * D);
  const program = await programFor(engine, 'attention', headProgram);
  const feeds = {
    score: tensor([D, H], matrices.score),
    value: tensor([H, D, d], matrices.value),
    mix: tensor([H * d, K], matrices.mix),
    intercept: tensor([K], matrices.intercept),
  };
  const logits = new Float64Array(rows.length * K);
  const mass = new Float64Array(k);
  const most = Math.max(1, Math.floor(BATCH_VALUES / (k * D)));
  for (let from = 0; from < rows.length; from += most) {
    const own = rows.slice(from, from + most);
    const batch = new Float32Array(own.length * k * D);
    for (const [i, row] of own.entries()) x.fill(row, batch, i * k * D);
    const found = await program.run({ ...feeds, x: tensor([own.length, k, D], batch) });
    countMacs(engine, own.length * (2 * k * H * D + H * d * (D + K)));
    logits.set(found.logits?.data as Float64Array, from * K);
    const share = own.length / rows.length;
    const masses = found.mass?.data as Float64Array;
    for (let t = 0; t < k; t++) mass[t] = (mass[t] as number) + share * (masses[t] as number);
  }
  return { logits, mass };
}
