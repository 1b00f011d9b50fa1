/**
 * CaffeNet, the 8-layer network of the layer-copy experiments, and its relative for images of 32 pixels.
 * Source: Yosinski et al. 2014, their published Caffe prototxt: groups in layers 2, 4 and 5, pooling before
 * normalisation, biases of 0 and 1, gaussian weights.
 */
import { UserError } from '../../base/index.js';
import type { Graph } from '../../ir/index.js';
import { ArchitectureBuilder, type ArchitectureOptions, slide } from './architecture-builder.js';

interface Sizes {
  readonly channels: readonly [number, number, number, number, number];
  readonly dense: number;
  readonly first: { readonly kernel: number; readonly stride: number; readonly pad: number };
  readonly smallest: number;
}

const published: Sizes = {
  channels: [96, 256, 384, 384, 256],
  dense: 4096,
  first: { kernel: 11, stride: 4, pad: 0 },
  smallest: 67,
};
/** Half the channels, an eighth of the dense units, and a first layer that keeps the resolution. */
const small: Sizes = {
  channels: [48, 128, 192, 192, 128],
  dense: 512,
  first: { kernel: 5, stride: 1, pad: 2 },
  smallest: 15,
};

/** 60.97 million parameters with 1000 classes at 227 pixels. */
export const caffenet = (options: ArchitectureOptions): Graph => build('caffenet', published, options);
export const caffenet32 = (options: ArchitectureOptions): Graph => build('caffenet-32', small, options);

function build(name: string, { channels, dense, first, smallest }: Sizes, options: ArchitectureOptions): Graph {
  const b = new ArchitectureBuilder(name, options);
  if (options.size < smallest) {
    throw new UserError(`${name} takes images of ${smallest} pixels or more, not ${options.size}`);
  }
  // Caffe's gaussian networks start some biases at one, so that their rectifiers pass gradients; the others at zero.
  const one = options.init === 'gaussian' ? 1 : 0;
  const [c1, c2, c3, c4, c5] = channels;
  const pool = (x: string, n: number) => b.maxPool(x, 3, 2, `pool${n}`);
  const normalise = (x: string, n: number) =>
    b.op('LRN', [x], { size: 5, alpha: 1e-4, beta: 0.75, bias: 1 }, `norm${n}`);

  let x = b.relu(b.convolution(b.image, 3, c1, 'conv1', { ...first, bias: 0 }), 'relu1');
  x = normalise(pool(x, 1), 1);
  x = b.relu(b.convolution(x, c1, c2, 'conv2', { kernel: 5, pad: 2, groups: 2, bias: one }), 'relu2');
  x = normalise(pool(x, 2), 2);
  x = b.relu(b.convolution(x, c2, c3, 'conv3', { kernel: 3, pad: 1, bias: 0 }), 'relu3');
  x = b.relu(b.convolution(x, c3, c4, 'conv4', { kernel: 3, pad: 1, groups: 2, bias: one }), 'relu4');
  x = b.relu(b.convolution(x, c4, c5, 'conv5', { kernel: 3, pad: 1, groups: 2, bias: one }), 'relu5');
  x = b.op('Flatten', [pool(x, 5)], { axis: 1 }, 'flat5');

  let side = slide(options.size, first.kernel, first.stride, first.pad);
  for (let i = 0; i < 3; i++) side = slide(side, 3, 2);
  x = b.relu(b.dense(x, c5 * side * side, dense, 'fc6', { bias: one, deviation: 0.005 }), 'relu6');
  x = b.dropout(x, 0.5, 'drop6');
  const features = b.relu(b.dense(x, dense, dense, 'fc7', { bias: one, deviation: 0.005 }), 'features');
  x = b.dropout(features, 0.5, 'drop7');
  return b.finish(b.dense(x, dense, options.classes, 'logits'), features, dense);
}
