/** Losses of values and of labels: their numbers and gradients in closed form, in double precision. */
import { expect, test } from 'vitest';
import { buildValuedLoss, gradient, gradientName, type ValuedLoss } from '../../../src/graph/gradient/index.js';
import { float32, type Graph, GraphBuilder, observe, type Tensor, toNumbers } from '../../../src/graph/index.js';
import { runOnce, testEngine } from '../../support/run.js';

const [n, q] = [3, 2];
/** Scores far out too: e^90 is no float32. */
const scores = [0.5, -2, 90, -90, 0, 3];
const targets = { squared: [1, -2.5, 88, -89, 0.25, 2], sigmoid: [1, 0, 1, 1, 0, 1] };

/** Scores (n, q) that are a constant added to an input, so that the gradient by it is that by the scores. */
function network(): Graph {
  const b = new GraphBuilder();
  b.input('x', 'float32', [n, q]);
  b.output(b.op('Add', ['x', b.constant(float32([n, q], scores), 'w')], {}, 'scores'), 'scores', 'float32', [n, q]);
  return b.build();
}

/** Loss and its derivative by a score, for one score and target. */
const closed: Record<ValuedLoss, (s: number, t: number) => [number, number]> = {
  squared: (s, t) => [(s - t) ** 2, 2 * (s - t)],
  sigmoid: (s, t) => [Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s))) - t * s, 1 / (1 + Math.exp(-s)) - t],
};

test.each(['squared', 'sigmoid'] as const)('%s', async (kind) => {
  const graph = buildValuedLoss(network(), kind, 'scores');
  const shapes = await observe(graph, await testEngine(), { targets: [n, q] });
  const whole = gradient(graph, { loss: 'loss', wrt: ['w'], observed: shapes });
  const found = await runOnce(whole, {
    x: float32([n, q], new Float32Array(n * q)),
    targets: float32([n, q], targets[kind]),
    w: float32([n, q], scores),
  });
  const each = scores.map((s, at) => closed[kind](s, targets[kind][at] as number));
  const mean = each.reduce((sum, [loss]) => sum + loss / (n * q), 0);
  expect((found.loss as Tensor).data[0] as number).toBeCloseTo(mean, 5);
  const slopes = toNumbers(found[gradientName('w')] as Tensor);
  for (const [at, [, slope]] of each.entries()) expect(slopes[at]).toBeCloseTo(slope / (n * q), 6);
});

test('of a value that the graph does not have is refused by name', () => {
  expect(() => buildValuedLoss(network(), 'squared', 'logits')).toThrow("the graph has no value 'logits'");
});
