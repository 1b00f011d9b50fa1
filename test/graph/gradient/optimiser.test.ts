/** Optimisers against PyTorch's, and that their transforms compose. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/index.js';
import {
  adam,
  adamw,
  addDecayedWeights,
  appendOptimiser,
  buildLoss,
  chain,
  clipByGlobalNorm,
  decayWeights,
  gradient,
  type OptimiserParameter,
  scaleByAdam,
  scaleByLearningRate,
  scaleByMomentum,
  sgd,
  type TrainingStep,
  type Transform,
  withAverages,
} from '../../../src/graph/gradient/index.js';
import { float32, type Graph, GraphBuilder, int64, observe, type Tensor, toNumbers } from '../../../src/graph/index.js';
import { runOnce, testEngine } from '../../support/run.js';

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/gradient/training.json', import.meta.url), 'utf8')) as {
  optimisers: Record<string, number[][]>;
};

/** A gradient graph by hand: w^2 - shift. */
function quadratic(): Graph {
  const b = new GraphBuilder();
  const w = b.input('w', 'float32', [3]);
  const shift = b.input('shift', 'float32', []);
  b.output(b.sub(b.mul(w, w), shift), 'gradient/w', 'float32', [3]);
  return b.build();
}
const start = [1, -0.5, 2];
const stepOf = (optimiser: Transform, parameter: Partial<OptimiserParameter> = {}) =>
  appendOptimiser(quadratic(), [{ name: 'w', dims: [3], ...parameter }], optimiser);

/** All outputs of each of `steps` steps at rate .1, the shift growing by .2. */
async function run(step: TrainingStep, steps: number): Promise<Record<string, Tensor>[]> {
  const state = new Map<string, Tensor>();
  for (const { input, kind } of step.state) state.set(input, float32([3], kind === 'moment' ? [0, 0, 0] : start));
  const results: Record<string, Tensor>[] = [];
  for (let i = 1; i <= steps; i++) {
    const rates = { learning_rate: 0.1, step: i, weight_decay: 0 };
    const scalars = step.scalars.map((name) => [name, float32([], [rates[name]])] as const);
    const feeds = { ...Object.fromEntries([...state, ...scalars]), shift: float32([], [i / 5]) };
    const outputs = await runOnce(step.graph, feeds);
    results.push(outputs);
    for (const { input, output } of step.state) state.set(input, outputs[output] as Tensor);
  }
  return results;
}
const weights = async (step: TrainingStep, steps = 1) =>
  (await run(step, steps)).map((outputs) => toNumbers(outputs['next/w'] as Tensor));

describe('optimisers take the steps that PyTorch takes', () => {
  const cases: Record<string, Transform> = {
    sgd: sgd(),
    momentum: sgd({ momentum: 0.9, weightDecay: 0.05 }),
    nesterov: sgd({ momentum: 0.9, nesterov: true }),
    adam: adam({ weightDecay: 0.05 }),
    adamw: adamw({ weightDecay: 0.05 }),
    clipped: chain(clipByGlobalNorm(0.5), scaleByMomentum(0.9), scaleByLearningRate()),
  };
  test.each(Object.entries(cases))('%s', async (name, optimiser) => {
    const expected = fixture.optimisers[name] as number[][];
    const ours = await weights(stepOf(optimiser), expected.length);
    for (const [i, row] of expected.entries()) {
      for (const [k, value] of row.entries()) expect(ours[i]?.[k]).toBeCloseTo(value, 4);
    }
  });
});

describe('transforms', () => {
  const slope = (v: number) => v * v - 0.2;
  const expectStep = async (step: TrainingStep, next: (v: number) => number) => {
    const [w] = await weights(step);
    start.forEach((v, k) => {
      expect(w?.[k]).toBeCloseTo(next(v), 5);
    });
  };

  test('sgd, adam and adamw are chains of them', () => {
    const pairs: [Transform, Transform][] = [
      [sgd({ weightDecay: 0.1 }), chain(addDecayedWeights(0.1), scaleByLearningRate())],
      [adam(), chain(scaleByAdam(), scaleByLearningRate())],
      [
        adamw({ weightDecay: 0.1, beta1: 0.8 }),
        chain(decayWeights(0.1), scaleByAdam({ beta1: 0.8 }), scaleByLearningRate()),
      ],
    ];
    for (const [whole, parts] of pairs) expect(stepOf(whole)).toEqual(stepOf(parts));
  });

  test('ask for the state and the scalars that they need', () => {
    const needs = (t: Transform) => {
      const { state, scalars } = stepOf(t);
      return [state.map((s) => s.input), scalars];
    };
    expect(needs(sgd())).toEqual([['w'], ['learning_rate']]);
    expect(needs(sgd({ momentum: 0.9 }))).toEqual([['momentum/w', 'w'], ['learning_rate']]);
    expect(needs(adam())).toEqual([
      ['first_moment/w', 'second_moment/w', 'w'],
      ['step', 'learning_rate'],
    ]);
    expect(needs(chain())).toEqual([['w'], []]);
  });

  test('a setting of zero adds nothing', () => {
    const idle = chain(clipByGlobalNorm(0), addDecayedWeights(0), decayWeights(0), scaleByMomentum(0));
    expect(stepOf(idle)).toEqual(stepOf(chain()));
  });

  test('learning rates and decay by parameter', async () => {
    await expectStep(stepOf(sgd(), { lrScale: 0.5 }), (v) => v - 0.1 * 0.5 * slope(v));
    await expectStep(stepOf(sgd({ weightDecay: 0.05 })), (v) => v - 0.1 * (slope(v) + 0.05 * v));
    await expectStep(stepOf(sgd({ weightDecay: 0.05 }), { decay: false }), (v) => v - 0.1 * slope(v));
    const decoupled = chain(decayWeights(0.05), scaleByLearningRate());
    await expectStep(stepOf(decoupled, { lrScale: 2 }), (v) => v * (1 - 0.2 * 0.05) - 0.2 * slope(v));
    await expectStep(stepOf(decoupled, { decay: false }), (v) => v - 0.1 * slope(v));
  });

  test("Adam's epsilon is added after the correction of sqrt(v), or before it", async () => {
    const epsilon = 0.5;
    // In the first step the corrected moments are the gradient and its square.
    const step = (e: number) => (v: number) => v - (0.1 * slope(v)) / (Math.abs(slope(v)) + e);
    await expectStep(stepOf(adam({ epsilon })), step(epsilon));
    await expectStep(stepOf(adam({ epsilon, epsilonHat: true })), step(epsilon / Math.sqrt(1 - 0.999)));
  });

  test('apply in their order: decay before clipping is clipped too', async () => {
    const limit = 0.5;
    const step = (v: number) => slope(v) + 3 * v;
    const norm = (of: (v: number) => number) => Math.hypot(...start.map(of));
    const before = stepOf(chain(addDecayedWeights(3), clipByGlobalNorm(limit), scaleByLearningRate()));
    await expectStep(before, (v) => v - (0.1 * step(v) * limit) / norm(step));
    const after = stepOf(chain(clipByGlobalNorm(limit), addDecayedWeights(3), scaleByLearningRate()));
    await expectStep(after, (v) => v - 0.1 * ((slope(v) * limit) / norm(slope) + 3 * v));
  });

  test('the norm that is clipped comes out', async () => {
    const [outputs] = await run(stepOf(chain(clipByGlobalNorm(0.5), scaleByLearningRate())), 1);
    expect(outputs?.gradient_norm?.data[0]).toBeCloseTo(Math.hypot(...start.map(slope)), 5);
  });
});

test('averages of the weights follow them', async () => {
  const results = await run(withAverages(stepOf(sgd()), 0.75), 3);
  let average = start;
  for (const outputs of results) {
    const w = toNumbers(outputs['next/w'] as Tensor);
    average = average.map((a, k) => 0.75 * a + 0.25 * (w[k] as number));
    toNumbers(outputs['next/average/w'] as Tensor).forEach((v, k) => {
      expect(v).toBeCloseTo(average[k] as number, 5);
    });
  }
});

/**
 * One step of Adam on a softmax head with a group penalty, of which only the loss is written:
 * mean cross-entropy + penalty * sum of the norms of W's rows.
 */
describe('a step is a loss, its gradient and a chain', () => {
  const [n, p, K] = [6, 4, 3];
  const tiny = 1e-24;

  async function headStep(): Promise<TrainingStep> {
    const b = new GraphBuilder();
    const [x, rows] = [b.input('x', 'float32', [n, p]), b.input('rows', 'int64', [2])];
    const [w, bias] = [b.input('w', 'float32', [p, K]), b.input('b', 'float32', [1, K])];
    b.output(b.add(b.matmul(b.gather(x, rows, 0), w), bias), 'logits', 'float32', [2, K]);
    const l = new GraphBuilder(buildLoss(b.build(), { logits: 'logits', classes: K }), 'penalty');
    // A row of zeros has the slope zero, not 0 / 0.
    const norms = l.sqrt(l.binary('Max', l.sum(l.mul(w, w), [1]), l.scalar(tiny)));
    const total = l.add('loss', l.mul(l.input('penalty', 'float32', []), l.sum(norms, [0])));
    l.output(total, 'total', 'float32', []);
    const graph = l.build();
    const observed = await observe(graph, await testEngine(), { labels: [2] });
    const differentiated = gradient(graph, { loss: 'total', wrt: ['w', 'b'], observed, keep: [] });
    const parameters = [
      { name: 'w', dims: [p, K] },
      { name: 'b', dims: [1, K] },
    ];
    return appendOptimiser(differentiated, parameters, chain(scaleByAdam({ epsilon: 1e-7 }), scaleByLearningRate()));
  }

  test('as if its gradient were written by hand', async () => {
    const step = await headStep();
    const random = new Random(3, 'head');
    const numbers = (count: number) => Array.from({ length: count }, () => random.normal());
    const [x, w] = [numbers(n * p), numbers(p * K)];
    w.fill(0, K, 2 * K);
    const [rows, labels, penalty] = [[4, 1], [2, 0], 0.3];
    const zeros = (dims: number[]) => float32(dims, new Float32Array(dims.reduce((a, d) => a * d, 1)));
    const feeds: Record<string, Tensor> = { x: float32([n, p], x), rows: int64(rows), labels: int64(labels) };
    for (const { input, dims } of step.state) feeds[input] = zeros([...dims]);
    Object.assign(feeds, { w: float32([p, K], w), penalty: float32([], [penalty]) });
    Object.assign(feeds, { learning_rate: float32([], [0.1]), step: float32([], [1]) });
    const next = toNumbers((await runOnce(step.graph, feeds))['next/w'] as Tensor);

    const g = new Float64Array(p * K);
    rows.forEach((row, i) => {
      const own = x.slice(row * p, (row + 1) * p);
      const logits = Array.from({ length: K }, (_, k) => own.reduce((s, v, j) => s + v * (w[j * K + k] as number), 0));
      const total = logits.reduce((s, v) => s + Math.exp(v), 0);
      logits.forEach((v, k) => {
        const d = (Math.exp(v) / total - Number(labels[i] === k)) / rows.length;
        own.forEach((xj, j) => {
          g[j * K + k] = (g[j * K + k] as number) + d * xj;
        });
      });
    });
    for (let j = 0; j < p; j++) {
      const norm = Math.hypot(...w.slice(j * K, (j + 1) * K));
      for (let k = 0; k < K; k++) {
        const at = j * K + k;
        const slope = (g[at] as number) + (norm > 0 ? (penalty * (w[at] as number)) / norm : 0);
        // In its first step Adam moves by the rate along the sign of the slope, but for its epsilon.
        expect(next[at]).toBeCloseTo((w[at] as number) - (0.1 * slope) / (Math.abs(slope) + 1e-7), 4);
      }
    }
  });
});
