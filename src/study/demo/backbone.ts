/** The network that the package ships: a small pre-trained residual network for 32 x 32 pixels, 13 learned layers. */
import { Random } from '../../base/index.js';
import { float32, type Graph, GraphBuilder, initialWeight } from '../../graph/index.js';
import { side } from './draw.js';

/** Channels of the three stages. */
const stages = [16, 32, 64] as const;
const blocksPerStage = 2;

/** Inputs (N, 3, 32, 32) in ImageNet's normalisation, outputs logits (N, classes) and features (N, 64). */
export function demoNetwork(classes: number, seed: number): Graph {
  const b = new GraphBuilder();
  const filled = (name: string, length: number, value: number) =>
    b.constant(float32([length], new Float32Array(length).fill(value)), name);
  const weight = (name: string, dims: readonly number[]) =>
    b.constant(initialWeight('he', dims, new Random(seed, 'init', name)), `${name}.weight`);
  const convolution = (x: string, from: number, to: number, name: string, kernel: number, stride: number) => {
    const pad = (kernel - 1) / 2;
    const y = b.op('Conv', [x, weight(name, [to, from, kernel, kernel])], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
    });
    const norm = [
      y,
      filled(`${name}.norm.scale`, to, 1),
      filled(`${name}.norm.shift`, to, 0),
      filled(`${name}.norm.mean`, to, 0),
      filled(`${name}.norm.variance`, to, 1),
    ];
    return b.op('BatchNormalization', norm, { epsilon: 1e-5, momentum: 0.9 }, `${name}.norm`);
  };
  let x = b.input('input', 'float32', ['N', 3, side, side]);
  x = b.op('Relu', [convolution(x, 3, stages[0], 'stem', 3, 2)], {}, 'stem.relu');
  let from: number = stages[0];
  for (const [s, to] of stages.entries()) {
    for (let i = 0; i < blocksPerStage; i++) {
      const name = `stage${s + 1}.${i + 1}`;
      const stride = to === from ? 1 : 2;
      const inner = b.op('Relu', [convolution(x, from, to, `${name}.conv1`, 3, stride)], {}, `${name}.relu1`);
      const y = convolution(inner, to, to, `${name}.conv2`, 3, 1);
      const skip = stride === 1 ? x : convolution(x, from, to, `${name}.skip`, 1, stride);
      x = b.op('Relu', [b.op('Add', [y, skip], {}, `${name}.add`)], {}, `${name}.relu2`);
      from = to;
    }
  }
  const features = b.op('Flatten', [b.op('GlobalAveragePool', [x])], { axis: 1 }, 'features');
  const logits = b.op(
    'Gemm',
    [features, weight('classifier', [classes, from]), filled('classifier.bias', classes, 0)],
    { alpha: 1, beta: 1, transB: 1 },
    'logits',
  );
  b.output(logits, 'logits', 'float32', ['N', classes]);
  b.output(features, 'features', 'float32', ['N', from]);
  return { ...b.build(), name: 'toehold-demo' };
}
