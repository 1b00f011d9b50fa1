/** Two runs whose losses are compared with PyTorch's step by step. */

import { parsePreprocess, preprocessPresets } from '../../src/data/index.js';
import { buildArchitecture } from '../../src/graph/index.js';
import { imagesInMemory, type LabelledImages, mergeOptions, type TrainRequest } from '../../src/transfer/index.js';

export const side = 32;
export const images = 128;
export const steps = 50;
const classes = Array.from({ length: 10 }, (_, i) => String(i));

/** Pixels by a hash of their position, brighter with the label: the generator computes the same. */
function hashed(): LabelledImages {
  const size = side * side * 3;
  const data = Uint8Array.from(
    { length: images * size },
    (_, i) => (((Math.imul(i + 1, 2654435761) >>> 8) & 0xff) >>> 1) + 12 * (Math.floor(i / size) % 10),
  );
  return imagesInMemory(
    data,
    [side, side],
    Int32Array.from({ length: images }, (_, i) => i % 10),
  );
}

export function parityRun(name: 'resnet20' | 'vit-tiny'): TrainRequest {
  const source = hashed();
  return {
    model: buildArchitecture(name, { classes: 10, size: side, seed: 0 }),
    fresh: true,
    treatment: { name: 'scratch' },
    classes,
    preprocess: parsePreprocess({ ...preprocessPresets.imagenet, size: side }, 'parity'),
    train: source,
    init: 'he',
    unfoldNorms: 'no',
    options: mergeOptions(undefined, {
      epochs: 26,
      steps,
      batch: name === 'resnet20' ? 64 : 16,
      ...(name === 'resnet20'
        ? { learningRate: 5e-4, optimiser: { weightDecay: 1e-4 } }
        : {
            learningRate: 2e-4,
            labelSmoothing: 0.1,
            schedule: { warmup: 5 },
            optimiser: { method: 'adam', decayMode: 'decoupled', weightDecay: 0.05, clipNorm: 1 },
          }),
    }),
  };
}
