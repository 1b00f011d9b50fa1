import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import { GraphBuilder } from '../../src/ir/index.js';
import {
  classesProblem,
  type Design,
  fitDesign,
  labelsProblem,
  type PathProblem,
  predictLogits,
  solveProblem,
  tensor,
  valuesProblem,
} from '../../src/solver/index.js';
import { bernoulli, type Loss, multinomial, squared } from '../../src/solver/losses/index.js';
import { Certifier } from '../../src/solver/path/certificate.js';
import { dense, matrixOf, rowNorms, type Sample, sample } from './support.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});
const plain = { standardize: false };
const exactly = { tolerance: 1e-9, precision: 'float64' as const };

/** Values or labels (n, K) that some features carry. */
function truthOf({ x, n }: Sample, K: number, kind: 'values' | 'labels'): Float64Array {
  const random = new Random(3, kind);
  const truth = new Float64Array(n * K);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < K; k++) {
      const v = (x[k * n + i] as number) - 0.5 * (x[(k + 1) * n + i] as number) + 0.5 * random.normal();
      truth[i * K + k] = kind === 'values' ? v + k : v > 0.3 * k ? 1 : 0;
    }
  }
  return truth;
}

const losses: readonly [Loss, (design: Design, data: Sample) => PathProblem][] = [
  [multinomial, (design, { y }) => classesProblem(design, y)],
  [bernoulli, (design, data) => labelsProblem(design, truthOf(data, 4, 'labels'), 4)],
  [squared, (design, data) => valuesProblem(design, truthOf(data, 4, 'values'), 4)],
];

describe.each(losses)('the loss $id', (loss, problemOf) => {
  const data = sample(60, 40, 4);
  const problem = async (weights?: number[]) =>
    problemOf(await fitDesign(engine, matrixOf(data), { ...plain, weights }), data);

  /** Predictions of scores, by the loss's own graph. */
  async function predictions(z: Float64Array, K: number): Promise<Float64Array> {
    const g = GraphBuilder.of('float64');
    g.output(loss.predict(g, g.input('z')), 'p');
    const program = await engine.compile(g.build());
    const { p } = await program.run({ z: tensor([z.length / K, K], z) });
    return p?.data as Float64Array;
  }

  test('has the gradient share times prediction less target', async () => {
    const own = await problem();
    const random = new Random(1, 'scores');
    const z = Float64Array.from({ length: own.n * 4 }, () => 2 * random.normal());
    const p = await predictions(z, 4);
    for (const at of [0, 5, 17, 50, 239]) {
      const moved = (h: number) => loss.value(z.with(at, (z[at] as number) + h), own);
      const slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
      const expected = (own.shares[Math.floor(at / 4)] as number) * ((p[at] as number) - (own.targets[at] as number));
      expect(slope).toBeCloseTo(expected, 8);
    }
  });

  test('finds the intercept at which totals are those of the targets, and a dual below the loss', async () => {
    const weights = Array.from({ length: data.n }, (_, i) => 0.5 + (i % 3));
    for (const own of [await problem(), await problem(weights)]) {
      const random = new Random(2, 'scores');
      const z = Float64Array.from({ length: own.n * 4 }, () => 3 * random.normal());
      const fitted = await new Certifier(engine, own).fit(z, own.nullIntercept);
      expect(fitted.exact).toBe(true);
      for (let k = 0; k < 4; k++) {
        const total = fitted.residual.reduce((sum, r, at) => sum + (at % 4 === k ? r : 0), 0);
        expect(Math.abs(total)).toBeLessThan(1e-9);
      }
      const shifted = z.map((v, at) => v + (fitted.intercept[at % 4] as number));
      expect(fitted.loss).toBeCloseTo(loss.value(shifted, own), 10);
      // At a = 1 by either road, and never above the loss of any model: a dual bounds from below.
      const whole = fitted.duals.reduce((sum, d, i) => sum + d * (own.shares[i] as number), 0);
      expect(loss.dual(fitted, 1, own)).toBeCloseTo(whole, 10);
      for (const a of [1, 0.9, 0.5, 0.1]) expect(loss.dual(fitted, a, own)).toBeLessThan(own.nullLoss + 1e-12);
    }
  });

  test('meets the optimality conditions of the group lasso at every lambda', async () => {
    for (const weights of [undefined, Array.from({ length: data.n }, (_, i) => 0.5 + (i % 3))]) {
      const own = await problem(weights);
      const path = await solveProblem(engine, own, { ...exactly, count: 6 });
      expect(path.converged).toBe(true);
      for (const [i, { lambda, gap }] of path.points.entries()) {
        const model = path.model(i);
        const p = await predictions(await predictLogits(engine, model, own.design.matrix), 4);
        const w = dense(model);
        const norms = rowNorms(w, 4);
        // The intercept is exact to 1e-10.
        expect(gap).toBeGreaterThan(-1e-9);
        for (let j = 0; j < data.p; j++) {
          const c = [0, 0, 0, 0];
          for (let at = 0; at < p.length; at++) {
            const row = Math.floor(at / 4);
            const residual = (own.targets[at] as number) - (p[at] as number);
            (c[at % 4] as number) += (own.shares[row] as number) * residual * (data.x[j * data.n + row] as number);
          }
          if (norms[j] === 0) expect(Math.hypot(...c)).toBeLessThanOrEqual(lambda * (1 + 1e-5));
          else {
            for (let k = 0; k < 4; k++) {
              const expected = (lambda * (w[j * 4 + k] as number)) / (norms[j] as number);
              expect(Math.abs((c[k] as number) - expected)).toBeLessThan(3e-3 * lambda);
            }
          }
        }
      }
    }
  });

  test('certifies float32 solutions truly, and leaves no feature out that an optimum has', async () => {
    const own = await problem();
    const best = await solveProblem(engine, own, { ...exactly, count: 8 });
    const quick = await solveProblem(engine, own, { tolerance: 1e-3, count: 8 });
    for (const [i, point] of quick.points.entries()) {
      const true_ = best.points[i] as typeof point;
      expect(point.gap).toBeLessThanOrEqual(1e-3);
      expect(point.gap).toBeGreaterThanOrEqual((point.objective - true_.objective) / own.nullLoss - 1e-6);
      expect(1 - point.inactiveShare).toBeGreaterThanOrEqual(true_.nonzero / data.p - 1e-12);
    }
  });

  test('takes the residual of the features that have no weight from the path', async () => {
    const own = await problem();
    const path = await solveProblem(engine, own, { ...exactly, count: 4 });
    const p = await predictions(await predictLogits(engine, path.model(2), own.design.matrix), 4);
    const expected = p.map((v, at) => (own.shares[Math.floor(at / 4)] as number) * ((own.targets[at] as number) - v));
    for (const [at, r] of (await path.residual(2)).entries()) expect(r).toBeCloseTo(expected[at] as number, 9);
  });
});

describe('paths as scikit-learn finds them', () => {
  const fixture = JSON.parse(readFileSync(new URL('../fixtures/solver/losses.json', import.meta.url), 'utf8')) as {
    n: number;
    p: number;
    q: number;
    x: number[];
    y: number[];
    label: number[];
    lasso: { lambda: number; objective: number; fitted: number[] }[];
    logistic: { lambda: number; objective: number; scores: number[] }[];
  };
  const matrix = () => matrixOf({ ...fixture, x: Float32Array.from(fixture.x) });

  async function compare(problem: PathProblem, known: readonly { lambda: number; objective: number; z: number[] }[]) {
    const path = await solveProblem(engine, problem, { ...exactly, lambdas: known.map(({ lambda }) => lambda) });
    for (const [i, { objective, z }] of known.entries()) {
      expect(path.points[i]?.objective).toBeCloseTo(objective, 6);
      const own = await predictLogits(engine, path.model(i), problem.design.matrix);
      for (const [at, v] of z.entries()) expect(Math.abs((own[at] as number) - v)).toBeLessThan(2e-3);
    }
  }

  test('the multi-task lasso, on columns that repeat, vary not or lie far from zero', async () => {
    const design = await fitDesign(engine, matrix(), plain);
    await compare(
      valuesProblem(design, Float64Array.from(fixture.y), fixture.q),
      fixture.lasso.map(({ fitted, ...rest }) => ({ ...rest, z: fitted })),
    );
  });

  test('the l1 logistic regression of one label', async () => {
    const design = await fitDesign(engine, matrix(), plain);
    await compare(
      labelsProblem(design, Float64Array.from(fixture.label), 1),
      fixture.logistic.map(({ scores, ...rest }) => ({ ...rest, z: scores })),
    );
  });
});

describe('targets that have nothing to learn', () => {
  const data = sample(10, 4, 2);
  test.each([
    ['values that are the same', valuesProblem, new Float64Array(10).fill(3), 1, 'the values are the same'],
    ['a label of all', labelsProblem, new Float64Array(10).fill(1), 1, 'label 0 is true of all'],
    [
      'a label of none',
      labelsProblem,
      Float64Array.from({ length: 20 }, (_, e) => (e % 4 === 0 ? 1 : 0)),
      2,
      'label 1 is true of none',
    ],
    ['a label of 2', labelsProblem, Float64Array.from({ length: 10 }, (_, i) => i % 3), 1, 'label 0 is 2'],
    ['too few values', valuesProblem, new Float64Array(7), 1, '7 values for 10 rows'],
  ] as const)('%s: a sentence', async (_, make, truth, outputs, words) => {
    const design = await fitDesign(engine, matrixOf(data), plain);
    expect(() => make(design, truth, outputs)).toThrow(words);
  });
});
