/** A pass over every feature, in memory or from disk: its correlations with one residual. */
import type { Engine } from '../../engine/index.js';
import type { Tensor } from '../../ir/index.js';
import { type Design, FAR, storedMean } from '../design.js';
import { countMacs } from '../macs.js';
import type { Chunk } from '../matrix.js';
import { type Floats, floats, precisionOf, programFor, tensor } from '../programs.js';
import { correlationGraph } from './graphs.js';
import type { PathProblem } from './problem.js';

/** Features per product: small enough for the results to stay in cache. */
const CHUNK_BYTES = 1 << 24;

/**
 * Correlations of every feature with the residuals, in one pass over the matrix.
 * @param residual (n, K) over the training rows, with sums of zero over the examples, so that centring changes nothing
 * @param into (p, K) correlations of every normalised feature with every class's residual, in its precision
 */
export async function correlateAll(
  engine: Engine,
  { design, classes: K }: Pick<PathProblem, 'design' | 'classes'>,
  residual: Float64Array,
  into: Floats,
): Promise<void> {
  const { matrix, scale } = design;
  const precision = precisionOf(into);
  const compile = (centred: boolean) =>
    programFor(engine, `pass ${precision} ${centred} ${K}`, () =>
      correlationGraph({ stored: 'float32', precision, norm: 'none', classes: K, centred }),
    );
  const mean = storedMean(design, matrix);
  const n = matrix.rows;
  const scaled = floats(precision, n * K);
  const unscaled = floats(precision, n * K);
  spread(residual, new Float32Array(n).fill(1), design, unscaled);
  let held: Float32Array | undefined;
  for await (const chunk of matrix.chunks(CHUNK_BYTES)) {
    const { block, first, count, data } = chunk;
    const s = await matrix.rowScale(block);
    if (s !== held) spread(residual, s, design, scaled);
    held = s;
    const centred = precision === 'float32' && isFar(chunk, design, mean);
    const of = <T extends Floats>(values: Float64Array, column: T): T => {
      column.set(values.subarray(first, first + count));
      return column;
    };
    const x = tensor([count, n], data);
    const factors = tensor([count, 1], of(scale, floats(precision, count)));
    const feeds: Record<string, Tensor> = centred
      ? {
          x,
          r: tensor([n, K], unscaled),
          scale: factors,
          s: tensor([1, n], s),
          mean: tensor([count, 1], of(mean, new Float32Array(count))),
        }
      : { x, r: tensor([n, K], scaled), scale: factors };
    const values = into.subarray(first * K, (first + count) * K);
    await (await compile(centred)).run(feeds, undefined, { c: tensor([count, 1, K], values) });
    countMacs(engine, count * n * K);
  }
}

/** A residual over all rows of the matrix, multiplied by their scaling; zero outside the training rows. */
function spread(residual: Float64Array, s: Float32Array, { rows }: Design, r: Floats): void {
  const K = residual.length / rows.length;
  for (let i = 0, at = 0; i < rows.length; i++) {
    for (let k = 0; k < K; k++, at++) r[rows[i] * K + k] = s[rows[i]] * residual[at];
  }
}

/** Whether a feature's mean is so large beside its deviation that float32 sums lose what varies. */
function isFar({ first, count }: Chunk, { scale, power }: Design, mean: Float64Array): boolean {
  for (let j = first; j < first + count; j++) {
    // The deviation is sqrt(power) / scale.
    if (mean[j] * mean[j] * scale[j] * scale[j] > FAR * FAR * power[j]) return true;
  }
  return false;
}
