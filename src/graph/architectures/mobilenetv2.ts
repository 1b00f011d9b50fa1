/** MobileNetV2 of width 1.0 (Sandler et al. 2018): 3.5 million parameters, 300 million multiply-adds at 224 pixels. */
import type { Graph } from '../../ir/index.js';
import { ArchitectureBuilder, type ArchitectureOptions } from './architecture-builder.js';

/** The paper's table 2: expansion, channels, blocks, first stride. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

export function mobilenetv2(options: ArchitectureOptions): Graph {
  const b = new ArchitectureBuilder('mobilenetv2', options);
  const stem = b.convolution(b.image, 3, 32, 'stem.conv', { kernel: 3, stride: 2, pad: 1 });
  let x = b.relu6(b.norm(stem, 32, 'stem.bn'), 'stem.relu');
  let from = 32;
  let block = 0;
  for (const [expansion, to, count, firstStride] of stages) {
    for (let i = 0; i < count; i++) {
      x = bottleneck(b, x, { from, to, expansion, stride: i === 0 ? firstStride : 1, name: `blocks.${block++}` });
      from = to;
    }
  }
  const last = b.norm(b.convolution(x, from, 1280, 'last.conv', { kernel: 1 }), 1280, 'last.bn');
  const features = b.pooled(b.relu6(last, 'last.relu'), 'features');
  const dropped = b.dropout(features, 0.2, 'dropout');
  return b.finish(b.dense(dropped, 1280, options.classes, 'logits', { deviation: 0.01 }), features, 1280);
}

interface Bottleneck {
  from: number;
  to: number;
  expansion: number;
  stride: number;
  name: string;
}

/** Expand, filter each channel by itself, project without activation; residual where shapes allow. */
function bottleneck(b: ArchitectureBuilder, x: string, { from, to, expansion, stride, name }: Bottleneck): string {
  const inner = from * expansion;
  let y = x;
  if (expansion > 1) {
    y = b.norm(b.convolution(y, from, inner, `${name}.expand.conv`, { kernel: 1 }), inner, `${name}.expand.bn`);
    y = b.relu6(y, `${name}.expand.relu`);
  }
  const filter = { kernel: 3, stride, pad: 1, groups: inner };
  y = b.norm(b.convolution(y, inner, inner, `${name}.depthwise.conv`, filter), inner, `${name}.depthwise.bn`);
  y = b.relu6(y, `${name}.depthwise.relu`);
  y = b.norm(b.convolution(y, inner, to, `${name}.project.conv`, { kernel: 1 }), to, `${name}.project.bn`);
  return stride === 1 && from === to ? b.add(x, y, `${name}.add`) : y;
}
