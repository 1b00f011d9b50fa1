/** The bounds that spare passes over all features: never below the truth, tight where they can be. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/base/index.js';
import { createOnnxRuntime } from '../../src/engine/index.js';
import { fitDesign } from '../../src/solver/index.js';
import { CorrelationBounds } from '../../src/solver/path/bounds.js';
import { criticalLambdas } from '../../src/solver/path/dual-norm.js';
import { correlateAll } from '../../src/solver/path/full-pass.js';
import { classesProblem } from '../../src/solver/path/problem.js';
import type { Floats } from '../../src/solver/programs.js';
import { matrixOf, sample } from './support.js';

const engine = await createOnnxRuntime({ threads: 1 });

describe.each([
  ['group lasso', 0],
  ['element-wise l1', 1],
  ['both', 0.4],
])('bounds on critical lambdas: %s', (_, mix) => {
  for (const weighted of [false, true]) {
    it(`hold at every residual near those kept${weighted ? ', with example weights' : ''}`, async () => {
      const s = sample(40, 60, 3);
      const weights = weighted ? s.y.map((c) => 1 + c) : undefined;
      const design = await fitDesign(engine, matrixOf(s), { weights });
      const problem = classesProblem(design, s.y);
      const bounds = new CorrelationBounds(engine, problem, mix, 'float32');
      const random = new Random(3, 'bounds');
      const exactAt = async (residual: Float64Array, c: Floats = new Float32Array(s.p * s.classes)) => {
        await correlateAll(engine, problem, residual, c);
        return criticalLambdas(c, s.classes, mix, new Float64Array(s.p));
      };
      const residual = () =>
        centred(
          new Float64Array(s.n * s.classes).map(() => random.normal() / s.n),
          s.classes,
        );
      const base = residual();
      const second = residual();
      for (const r of [base, second]) {
        const buffer = bounds.buffer();
        await exactAt(r, buffer);
        bounds.add(r, buffer);
      }
      for (const size of [0, 1e-4, 0.01, 0.1, 1]) {
        const noise = residual();
        const r = base.map((v, e) => 0.7 * v + 0.4 * (second[e] as number) + size * (noise[e] as number));
        const exact = await exactAt(r);
        const { upper, critical } = await bounds.at(r);
        for (const [g, value] of exact.entries()) {
          expect(upper[g]).toBeGreaterThanOrEqual(value * (1 - 1e-6));
          if (size === 0) expect(upper[g]).toBeLessThan(value * (1 + 1e-3) + 1e-6);
          expect(upper[g]).toBeGreaterThanOrEqual(critical[g] as number);
        }
      }
    });
  }
});

/** Rows and columns of zero sum, as the residuals of a model with intercepts have them. */
function centred(r: Float64Array, K: number): Float64Array {
  const n = r.length / K;
  for (let k = 0; k < K; k++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += (r[i * K + k] as number) / n;
    for (let i = 0; i < n; i++) r[i * K + k] = (r[i * K + k] as number) - mean;
  }
  return r;
}
