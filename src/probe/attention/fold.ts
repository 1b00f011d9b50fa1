/** Attention over vectors as it answers: everything that is linear folded into three matrices. */
import { EPSILON, type RunningMoments, type Weights } from './shape.js';

/**
 * With u the standardised vectors of an example and a = softmax_t(u_t . S_h):
 * logits = concat_h((sum_t a_ht u_t) V_h) C + c.
 */
export interface AttentionMatrices {
  /** (D, H). */
  readonly score: Float64Array;
  /** (H, D, d). */
  readonly value: Float64Array;
  /** (H d, K). */
  readonly mix: Float64Array;
  /** (K). */
  readonly intercept: Float64Array;
}

/** Attentive layer fusion (see layer-fusion.ts). */
export function foldLayerFusion(
  { width: D, classes: K, heads: H, size: d }: Readonly<Record<'width' | 'classes' | 'heads' | 'size', number>>,
  p: Weights,
  { mean, variance }: RunningMoments,
): AttentionMatrices {
  const A = H * d;
  const query = new Float64Array(D);
  const average = p.query.reduce((sum, v) => sum + v / D, 0);
  const spread = Math.sqrt(p.query.reduce((sum, v) => sum + (v - average) ** 2 / D, 0) + EPSILON);
  for (let j = 0; j < D; j++) query[j] = ((p.query[j] - average) / spread) * p.query_gain[j] + p.query_shift[j];
  const q = new Float64Array(A);
  for (let j = 0; j < D; j++) for (let e = 0; e < A; e++) q[e] += (query[j] * p.wq[j * A + e]) / Math.sqrt(d);
  const score = new Float64Array(D * H);
  for (let j = 0; j < D; j++) {
    for (let h = 0; h < H; h++) {
      let sum = 0;
      for (let e = 0; e < d; e++) sum += p.wk[(j * H + h) * d + e] * q[h * d + e];
      score[j * H + h] = sum * p.key_gain[j];
    }
  }
  // Batch normalisation and classifier: (D, K), and what they add.
  const last = new Float64Array(D * K);
  const intercept = Float64Array.from(p.bc);
  for (let j = 0; j < D; j++) {
    const gain = p.batch_gain[j] / Math.sqrt(variance[j] + EPSILON);
    const shift = p.batch_shift[j] + (p.bo[j] - mean[j]) * gain;
    for (let c = 0; c < K; c++) {
      last[j * K + c] = gain * p.wc[j * K + c];
      intercept[c] += shift * p.wc[j * K + c];
    }
  }
  const mix = new Float64Array(A * K);
  for (let e = 0; e < A; e++) {
    for (let j = 0; j < D; j++) {
      const w = p.wo[e * D + j];
      for (let c = 0; c < K; c++) mix[e * K + c] += w * last[j * K + c];
    }
  }
  const value = new Float64Array(H * D * d);
  for (let h = 0; h < H; h++) {
    for (let j = 0; j < D; j++) {
      for (let e = 0; e < d; e++) {
        const w = p.wv[(h * D + j) * d + e];
        value[(h * D + j) * d + e] = w * p.value_gain[j];
        // A head's attention adds up to one.
        const constant = w * p.value_shift[j];
        if (constant !== 0) for (let c = 0; c < K; c++) intercept[c] += constant * mix[(h * d + e) * K + c];
      }
    }
  }
  return { score, value, mix, intercept };
}

/** Efficient probing (see efficient-probing.ts). */
export function foldEfficientProbing(
  { width: D, classes: K }: Readonly<Record<'width' | 'classes', number>>,
  { query, wv, wc, bc }: Weights,
  { mean, variance }: RunningMoments,
): AttentionMatrices {
  const mix = new Float64Array(wc.length);
  const intercept = Float64Array.from(bc);
  for (let e = 0, at = 0; at < mix.length; e++) {
    const gain = 1 / Math.sqrt(variance[e] + EPSILON);
    for (let c = 0; c < K; c++, at++) {
      mix[at] = gain * wc[at];
      intercept[c] -= mean[e] * mix[at];
    }
  }
  return { score: Float64Array.from(query, (v) => v / Math.sqrt(D)), value: Float64Array.from(wv), mix, intercept };
}
