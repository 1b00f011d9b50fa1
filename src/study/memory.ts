/** What units are expected to need of memory: for queues that ask before they give a place. Estimates, on the safe side. */
import type { StudyBackbone } from './backbones.js';
import { processBytes } from './plan.js';

/** Values that a network keeps for its backward pass, per multiply-add: 1/45 in MobileNetV2, 1/200 in ResNet-50. */
const keptPerMac = 1 / 100;
/** Features of an example that a probe holds at once; longer rows are streamed. */
const features = 20_000;
const probeBytes = 4e9;

export const memoryOf = {
  extraction: ({ params }: Pick<StudyBackbone, 'params'>): number => 1.5 * processBytes + 8 * params,

  probe: (rows: number): number => processBytes + Math.min(probeBytes, 4 * features * rows),

  /** Weights, gradients and moments, a batch's values there and back, and the images. */
  training(
    { params, macs, preprocess }: Pick<StudyBackbone, 'params' | 'macs' | 'preprocess'>,
    { batch, size, images }: { readonly batch: number; readonly size?: number | undefined; readonly images: number },
  ): number {
    const [height, width] = size === undefined ? preprocess.size : [size, size];
    const kept = (macs * height * width * keptPerMac) / (preprocess.size[0] * preprocess.size[1]);
    return processBytes + 16 * params + 8 * batch * kept + 3 * height * width * images;
  },
};
