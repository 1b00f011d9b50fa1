/** A pass over every feature, in memory or from disk: its correlations with one residual. */
import type { Engine } from '../../engine/index.js';
import type { Problem } from '../problem.js';
import { type Floats, floats, type Precision, programFor, tensor } from '../programs.js';
import { correlationGraph } from './graphs.js';

/** Features per product: small enough for the results to stay in cache. */
const CHUNK_BYTES = 1 << 24;

/**
 * @param residual (n, K) over the training rows
 * @param into (p, K) correlations of every normalised feature with every class's residual
 */
export async function correlateAll(
  engine: Engine,
  problem: Problem,
  precision: Precision,
  residual: Float64Array,
  into: Floats,
): Promise<void> {
  const { design, classes: K } = problem;
  const { matrix, rows, scale } = design;
  const program = await programFor(engine, `pass ${precision} ${K}`, () =>
    correlationGraph('float32', precision, 'none', K),
  );
  let block = -1;
  const r = floats(precision, matrix.rows * K);
  for await (const chunk of matrix.chunks(CHUNK_BYTES)) {
    if (chunk.block !== block) {
      const s = await matrix.rowScale(chunk.block);
      if (block < 0 || s) {
        for (const [i, row] of rows.entries()) {
          const factor = s ? s[row] : 1;
          for (let k = 0; k < K; k++) r[row * K + k] = factor * residual[i * K + k];
        }
      }
      block = chunk.block;
    }
    const factors = floats(precision, chunk.count);
    factors.set(scale.subarray(chunk.first, chunk.first + chunk.count));
    const values = into.subarray(chunk.first * K, (chunk.first + chunk.count) * K);
    await program.run(
      {
        x: tensor([chunk.count, matrix.rows], chunk.data),
        r: tensor([matrix.rows, K], r),
        scale: tensor([chunk.count, 1], factors),
      },
      undefined,
      { c: tensor([chunk.count, 1, K], values) },
    );
  }
}
