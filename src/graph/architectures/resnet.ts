/** Residual networks (He et al. 2016): the thin ones for CIFAR, and ResNet-50. */
import type { Graph } from '../../ir/index.js';
import { type ArchitectureOptions, Layers } from './layers.js';

/**
 * CIFAR ResNet of 6n + 2 layers: three stages of 16, 32 and 64 channels. Shortcuts between stages take every second
 * pixel and pad the new channels with zeros (the paper's option A), so they have no parameters.
 */
export function cifarResNet(name: string, depth: number, options: ArchitectureOptions): Graph {
  const l = new Layers(name, options);
  const blocks = (depth - 2) / 6;
  let x = l.relu(l.norm(l.convolution(l.input, 3, 16, 'conv1', { kernel: 3, pad: 1 }), 16, 'bn1'), 'relu1');
  let from = 16;
  for (const [s, to] of [16, 32, 64].entries()) {
    for (let i = 0; i < blocks; i++) {
      const block = `layer${s + 1}.${i}`;
      const stride = to === from ? 1 : 2;
      let y = l.convolution(x, from, to, `${block}.conv1`, { kernel: 3, stride, pad: 1 });
      y = l.relu(l.norm(y, to, `${block}.bn1`), `${block}.relu1`);
      y = l.norm(l.convolution(y, to, to, `${block}.conv2`, { kernel: 3, pad: 1 }), to, `${block}.bn2`);
      const skip = stride === 1 ? x : thinned(l, x, from, to, block);
      x = l.relu(l.add(y, skip, `${block}.add`), `${block}.relu2`);
      from = to;
    }
  }
  const features = l.pooled(x, 'features');
  return l.finish(l.dense(features, 64, options.classes, 'logits'), features, 64);
}

function thinned(l: Layers, x: string, from: number, to: number, block: string): string {
  const { builder } = l;
  const end = 2 ** 31 - 1;
  const slice = [x, builder.ints([0, 0]), builder.ints([end, end]), builder.ints([2, 3]), builder.ints([2, 2])];
  const every2nd = builder.op('Slice', slice, {}, `${block}.every2nd`);
  const before = Math.floor((to - from) / 2);
  const pads = [0, before, 0, 0, 0, to - from - before, 0, 0];
  return builder.op('Pad', [every2nd, builder.ints(pads)], {}, `${block}.shortcut`);
}

/** ResNet-50 with the stride in the 3 x 3 convolutions, as is usual now: 25.6 million parameters. */
export function resnet50(options: ArchitectureOptions): Graph {
  const l = new Layers('resnet50', options);
  let x = l.convolution(l.input, 3, 64, 'conv1', { kernel: 7, stride: 2, pad: 3 });
  x = l.maxPool(l.relu(l.norm(x, 64, 'bn1'), 'relu1'), 3, 2, 'maxpool', 1);
  let from = 64;
  for (const [s, count] of [3, 4, 6, 3].entries()) {
    const inner = 64 * 2 ** s;
    const to = 4 * inner;
    for (let i = 0; i < count; i++) {
      const block = `layer${s + 1}.${i}`;
      const stride = s > 0 && i === 0 ? 2 : 1;
      let y = l.convolution(x, from, inner, `${block}.conv1`, { kernel: 1 });
      y = l.relu(l.norm(y, inner, `${block}.bn1`), `${block}.relu1`);
      y = l.convolution(y, inner, inner, `${block}.conv2`, { kernel: 3, stride, pad: 1 });
      y = l.relu(l.norm(y, inner, `${block}.bn2`), `${block}.relu2`);
      y = l.norm(l.convolution(y, inner, to, `${block}.conv3`, { kernel: 1 }), to, `${block}.bn3`);
      if (i === 0) {
        const projected = l.convolution(x, from, to, `${block}.downsample.conv`, { kernel: 1, stride });
        x = l.norm(projected, to, `${block}.downsample.bn`);
      }
      x = l.relu(l.add(y, x, `${block}.add`), `${block}.relu3`);
      from = to;
    }
  }
  const features = l.pooled(x, 'features');
  return l.finish(l.dense(features, 2048, options.classes, 'logits'), features, 2048);
}
