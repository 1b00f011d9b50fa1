/** Trains with a checkpoint after every step, saying which step is done; resume.test.ts kills it. */
import { writeFile } from 'node:fs/promises';
import { createOnnxRuntime } from '../../src/engine/index.js';
import { writeModel } from '../../src/graph/index.js';
import { mergeOptions, train } from '../../src/transfer/index.js';
import { request, smallNet } from './support.js';

const [checkpoint, model] = process.argv.slice(2) as [string, string];
const result = await train(
  await createOnnxRuntime({ threads: 2 }),
  request({
    model: smallNet({ dropout: true }),
    checkpoint,
    options: mergeOptions(undefined, {
      epochs: 5,
      batch: 16,
      learningRate: 0.05,
      optimiser: { method: 'adam', weightDecay: 1e-3 },
      emaDecay: 0.9,
      augmentation: 'pad-crop-flip',
      checkpointSeconds: 0,
    }),
    onStep: ({ step }) => process.stdout.write(`${step}\n`),
  }),
);
await writeFile(model, writeModel(result.model));
