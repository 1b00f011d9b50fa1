import { describe, expect, test } from 'vitest';
import { parsePreprocess } from '../../src/data/index.js';
import { specialiseBackbone } from '../../src/features/backbone.js';
import { float32, GraphBuilder } from '../../src/graph/index.js';
import { testEngine } from '../support/run.js';

/** A network that runs at 2 x 4 x 4 x 3 numbers only. */
const network = (shape: (number | string)[]) => {
  const b = new GraphBuilder();
  const flat = b.op('Flatten', [b.input('image', 'float32', shape)]);
  b.output(b.add(flat, b.constant(float32([2, 48], new Float32Array(96))), 'logits'));
  return b.build();
};

describe('a model that does not run on a shape', () => {
  test.each([
    [
      ['N', 3, 'H', 'W'],
      8,
      2,
      /^the model does not run on input \[2, 3, 8, 8\] \(it declares \[N, 3, H, W\]\): .*give the --size that it was made for$/,
    ],
    [['N', 3, 4, 4], 8, 2, /declares \[N, 3, 4, 4\]\).*give the --size that it declares$/],
    [[2, 3, 4, 4], 4, 3, /declares \[2, 3, 4, 4\]\).*export it with a free batch/],
    [['N', 3, 4, 4], 4, 3, /declares \[N, 3, 4, 4\]\).*Add 'logits' cannot run on what it is given.*check the file$/],
  ])('that declares %j, at %i pixels and a batch of %i', async (shape, size, batch, message) => {
    const preprocess = parsePreprocess({ size, mean: 0.5, std: 0.5 }, 'test');
    const specialised = specialiseBackbone({ graph: network(shape), preprocess }, await testEngine(), batch);
    await expect(specialised).rejects.toThrow(message);
    await expect(specialised).rejects.not.toThrow(/onnxruntime|was false|ShapeInference/);
  });
});
