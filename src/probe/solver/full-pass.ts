/** A pass over every feature, in memory or from disk: the critical lambda of each group for one or more residuals. */
import type { Engine } from '../../engine/index.js';
import type { Penalty } from '../penalty.js';
import { type Floats, floats, type Precision, programFor, tensor } from '../programs.js';
import { correlationNorm, criticalLambda } from './dual-norm.js';
import { correlationGraph } from './graphs.js';
import type { Problem } from './problem.js';

/** Features per product: small enough for the results to stay in cache. */
const CHUNK_BYTES = 1 << 24;

export class FullPass {
  readonly #engine: Engine;
  readonly #problem: Problem;
  readonly #penalty: Penalty;
  readonly #precision: Precision;
  /** How many residuals are worth taking along in one pass. */
  readonly columns: number;

  constructor(engine: Engine, problem: Problem, penalty: Penalty, precision: Precision) {
    this.#engine = engine;
    this.#problem = problem;
    this.#penalty = penalty;
    this.#precision = precision;
    const { matrix } = problem.design;
    const streamed = matrix.features * matrix.rows * 4 > matrix.options.memory;
    const width = streamed ? 128 : 32;
    this.columns =
      correlationNorm(penalty) === 'none' ? 1 : Math.max(1, Math.min(10, Math.floor(width / problem.classes)));
  }

  /** @param residuals each (n, K) over the training rows. @returns per residual the critical lambda of every group */
  async run(residuals: readonly Float64Array[]): Promise<Floats[]> {
    const { design, classes: K } = this.#problem;
    const { matrix, rows, scale } = design;
    const norm = correlationNorm(this.#penalty);
    const width = norm === 'none' ? K : 1;
    const columns = residuals.length * K;
    const program = await programFor(this.#engine, `pass ${this.#precision} ${norm} ${K}`, () =>
      correlationGraph('float32', this.#precision, norm, K),
    );
    const perFeature = residuals.map(() => floats(this.#precision, matrix.features * width));
    let block = -1;
    const r = floats(this.#precision, matrix.rows * columns);
    for await (const chunk of matrix.chunks(CHUNK_BYTES)) {
      if (chunk.block !== block) {
        const s = await matrix.rowScale(chunk.block);
        if (block < 0 || s) {
          for (const [i, row] of rows.entries()) {
            const factor = s ? (s[row] as number) : 1;
            for (const [m, residual] of residuals.entries()) {
              const target = row * columns + m * K;
              for (let k = 0; k < K; k++) r[target + k] = factor * (residual[i * K + k] as number);
            }
          }
        }
        block = chunk.block;
      }
      const factors = floats(this.#precision, chunk.count);
      factors.set(scale.subarray(chunk.first, chunk.first + chunk.count));
      const { c } = await program.run({
        x: tensor([chunk.count, matrix.rows], chunk.data),
        r: tensor([matrix.rows, columns], r),
        scale: tensor([chunk.count, 1], factors),
      });
      const values = c?.data as Floats;
      const M = residuals.length;
      for (let m = 0; m < M; m++) {
        const target = perFeature[m] as Floats;
        for (let j = 0; j < chunk.count; j++) {
          for (let k = 0; k < width; k++) {
            target[(chunk.first + j) * width + k] = values[(j * M + m) * width + k] as number;
          }
        }
      }
    }
    return perFeature.map((values) => this.#byGroup(values, width));
  }

  #byGroup(values: Floats, width: number): Floats {
    const { starts, members, weights, mix, count } = this.#penalty;
    if (width === 1 && !starts) {
      for (let j = 0; j < count; j++) values[j] = (values[j] as number) / (weights[j] as number);
      return values;
    }
    const result = floats(this.#precision, count);
    for (let g = 0; g < count; g++) {
      const at =
        starts && members ? Array.from(members.subarray(starts[g], starts[g + 1]), (j) => j * width) : [g * width];
      result[g] = criticalLambda(values, at, width, weights[g] as number, mix);
    }
    return result;
  }
}
