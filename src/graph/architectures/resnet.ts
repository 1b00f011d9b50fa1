/** Residual networks (He et al. 2016): the thin ones for CIFAR, and ResNet-50. */
import type { Graph } from '../../ir/index.js';
import { ArchitectureBuilder, type ArchitectureOptions } from './architecture-builder.js';

/**
 * CIFAR ResNet of 6n + 2 layers: three stages of 16, 32 and 64 channels. Shortcuts between stages take every second
 * pixel and pad the new channels with zeros (the paper's option A), so they have no parameters.
 */
export function cifarResNet(name: string, depth: number, options: ArchitectureOptions): Graph {
  const b = new ArchitectureBuilder(name, options);
  const blocks = (depth - 2) / 6;
  let x = b.relu(b.norm(b.convolution(b.image, 3, 16, 'conv1', { kernel: 3, pad: 1 }), 16, 'bn1'), 'relu1');
  let from = 16;
  for (const [s, to] of [16, 32, 64].entries()) {
    for (let i = 0; i < blocks; i++) {
      const block = `layer${s + 1}.${i}`;
      const stride = to === from ? 1 : 2;
      let y = b.convolution(x, from, to, `${block}.conv1`, { kernel: 3, stride, pad: 1 });
      y = b.relu(b.norm(y, to, `${block}.bn1`), `${block}.relu1`);
      y = b.norm(b.convolution(y, to, to, `${block}.conv2`, { kernel: 3, pad: 1 }), to, `${block}.bn2`);
      const skip = stride === 1 ? x : thinned(b, x, from, to, block);
      x = b.relu(b.add(y, skip, `${block}.add`), `${block}.relu2`);
      from = to;
    }
  }
  const features = b.pooled(x, 'features');
  return b.finish(b.dense(features, 64, options.classes, 'logits'), features, 64);
}

function thinned(b: ArchitectureBuilder, x: string, from: number, to: number, block: string): string {
  const end = 2 ** 31 - 1;
  const slice = [x, b.ints([0, 0]), b.ints([end, end]), b.ints([2, 3]), b.ints([2, 2])];
  const every2nd = b.op('Slice', slice, {}, `${block}.every2nd`);
  const before = Math.floor((to - from) / 2);
  const pads = [0, before, 0, 0, 0, to - from - before, 0, 0];
  return b.op('Pad', [every2nd, b.ints(pads)], {}, `${block}.shortcut`);
}

/** ResNet-50 with the stride in the 3 x 3 convolutions, as is usual now: 25.6 million parameters. */
export function resnet50(options: ArchitectureOptions): Graph {
  const b = new ArchitectureBuilder('resnet50', options);
  let x = b.convolution(b.image, 3, 64, 'conv1', { kernel: 7, stride: 2, pad: 3 });
  x = b.maxPool(b.relu(b.norm(x, 64, 'bn1'), 'relu1'), 3, 2, 'maxpool', 1);
  let from = 64;
  for (const [s, count] of [3, 4, 6, 3].entries()) {
    const inner = 64 * 2 ** s;
    const to = 4 * inner;
    for (let i = 0; i < count; i++) {
      const block = `layer${s + 1}.${i}`;
      const stride = s > 0 && i === 0 ? 2 : 1;
      let y = b.convolution(x, from, inner, `${block}.conv1`, { kernel: 1 });
      y = b.relu(b.norm(y, inner, `${block}.bn1`), `${block}.relu1`);
      y = b.convolution(y, inner, inner, `${block}.conv2`, { kernel: 3, stride, pad: 1 });
      y = b.relu(b.norm(y, inner, `${block}.bn2`), `${block}.relu2`);
      y = b.norm(b.convolution(y, inner, to, `${block}.conv3`, { kernel: 1 }), to, `${block}.bn3`);
      if (i === 0) {
        const projected = b.convolution(x, from, to, `${block}.downsample.conv`, { kernel: 1, stride });
        x = b.norm(projected, to, `${block}.downsample.bn`);
      }
      x = b.relu(b.add(y, x, `${block}.add`), `${block}.relu3`);
      from = to;
    }
  }
  const features = b.pooled(x, 'features');
  return b.finish(b.dense(features, 2048, options.classes, 'logits'), features, 2048);
}
