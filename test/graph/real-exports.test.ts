/** What exporters make of a network, and what it is read as. */
import { describe, expect, test } from 'vitest';
import { floatInput } from '../../src/graph/float-input.js';
import { float32, type Graph, GraphBuilder, noise, specialise, type Tensor } from '../../src/graph/index.js';
import { inferenceForm } from '../../src/graph/inference-form.js';
import { difference, runOnce, testEngine } from '../support/run.js';
import { weight } from '../support/weight.js';

describe('what a file declares', () => {
  test('a training mode is left: features of an image depend on no other', async () => {
    const b = new GraphBuilder();
    const x = b.input('image', 'float32', [null, 4, 2, 2]);
    const statistics = [weight([4]), weight([4]), weight([4]), float32([4], [1, 2, 3, 4])].map((t) => b.constant(t));
    b.node('BatchNormalization', [x, ...statistics], ['y', 'mean', 'variance'], { training_mode: 1 });
    b.output('y');
    const form = inferenceForm(b.build());
    expect(form?.nodes[0]).toMatchObject({ outputs: ['y'] });
    const image = noise('float32', [3, 4, 2, 2]);
    const first = float32([1, 4, 2, 2], (image.data as Float32Array).subarray(0, 16));
    const all = (await runOnce(form as Graph, { image })).y as Tensor;
    const alone = (await runOnce(form as Graph, { image: first })).y;
    expect(difference(float32([1, 4, 2, 2], (all.data as Float32Array).subarray(0, 16)), alone)).toBeLessThan(1e-6);
    expect(inferenceForm(form as Graph)).toBeUndefined();
  });

  test('a norm that standardises weights by their own statistics stays in training mode', () => {
    const b = new GraphBuilder();
    const w = b.constant(weight([1, 4, 9]));
    const [mean, square] = [b.mean(w, [0, 2]), b.mean(b.mul(w, w), [0, 2])];
    const inputs = [w, b.constant(weight([4])), b.constant(weight([4])), mean, square];
    const [standard = ''] = b.ops('BatchNormalization', inputs, 3, { training_mode: 1 });
    const x = b.input('image', 'float32', [null, 1, 6, 6]);
    b.output(b.op('Conv', [x, b.reshape(standard, [4, 1, 3, 3])], { kernel_shape: [3, 3] }), 'y');
    expect(inferenceForm(b.build())).toBeUndefined();
  });

  test('an image of whole numbers gets its levels from floats', async () => {
    const b = new GraphBuilder();
    b.output(b.cast(b.input('image', 'uint8', [null, 3, 2, 2]), 'float32'), 'y');
    const graph = floatInput(b.build());
    expect(graph.inputs[0]).toMatchObject({ type: 'float32', shape: [null, 3, 2, 2] });
    const levels = float32([1, 3, 2, 2], [0, 254.9999, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
    const { y } = await runOnce(graph, { [graph.inputs[0]?.name ?? '']: levels });
    expect([...(y?.data as Float32Array)]).toEqual([0, 255, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255]);
  });

  test('a branch that the shapes decide is taken, with what it captures', async () => {
    const branch = (write: (b: GraphBuilder) => string): Graph => {
      const b = new GraphBuilder();
      b.output(write(b));
      return b.build();
    };
    const b = new GraphBuilder();
    const image = b.input('image', 'float32', [null, 3, 4, 4]);
    const rank = b.gather(b.op('Shape', [image]), b.scalar(1, 'int64'), 0);
    const condition = b.op('Greater', [rank, b.scalar(2, 'int64')]);
    b.node('If', [condition], ['y'], {
      then_branch: branch((inner) => inner.relu('image')),
      else_branch: branch((inner) => inner.op('Neg', ['image'])),
    });
    b.output('y');
    const { graph } = await specialise(b.build(), await testEngine(), [2, 3, 4, 4]);
    expect(graph.nodes.map((n) => n.op)).toContain('Relu');
    expect(graph.nodes.some((n) => n.op === 'If')).toBe(false);
  });
});
