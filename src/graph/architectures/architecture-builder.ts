/** The words that architectures are written with: layers, each of which adds nodes and freshly initialised weights. */
import { Random, UserError } from '../../base/index.js';
import { float32, type Graph, GraphBuilder } from '../../ir/index.js';
import { type Initialisation, initialWeight, type WeightLayout } from '../initialisation.js';

/** Where a model file says which architecture it is. */
export const architectureKey = 'toehold.architecture';

/** What an architecture is built for. */
export interface ArchitectureOptions {
  /** Outputs of the last layer. */
  classes: number;
  /** Side of the square input image in pixels. */
  size: number;
  seed: number | string;
  init: Initialisation;
}

export interface ConvolutionOptions {
  kernel: number;
  stride?: number;
  pad?: number;
  groups?: number;
  /** Value that the bias starts from; without it the layer has none. */
  bias?: number;
  deviation?: number;
}

export interface DenseOptions {
  bias?: number;
  deviation?: number;
}

/** Image side after a window of `kernel` pixels slid by `stride` over `size` pixels padded by `pad` on both sides. */
export function slide(size: number, kernel: number, stride: number, pad = 0): number {
  return Math.floor((size + 2 * pad - kernel) / stride) + 1;
}

export class ArchitectureBuilder extends GraphBuilder {
  /** The image: (N, 3, size, size). */
  readonly image: string;

  constructor(
    readonly name: string,
    readonly options: ArchitectureOptions,
  ) {
    super();
    const { classes, size } = options;
    for (const [what, value] of Object.entries({ classes, size })) {
      if (!Number.isInteger(value) || value < 1)
        throw new UserError(`${name}: ${what} must be a whole number above 0, not ${value}`);
    }
    this.image = this.input('input', 'float32', ['N', 3, size, size]);
    this.metadata(architectureKey, JSON.stringify({ name, init: options.init }));
  }

  /** Weight of its own random stream, so that layers do not depend on each other. */
  weight(name: string, dims: readonly number[], layout: Partial<WeightLayout> = {}): string {
    const random = new Random(this.options.seed, 'init', name);
    return this.constant(initialWeight(this.options.init, dims, random, layout), name);
  }

  filled(name: string, length: number, value: number): string {
    return this.constant(float32([length], new Float32Array(length).fill(value)), name);
  }

  /** (N, from, h, w) -> (N, to, h', w'). */
  convolution(x: string, from: number, to: number, name: string, options: ConvolutionOptions): string {
    const { kernel, stride = 1, pad = 0, groups = 1, bias, deviation } = options;
    const layout = { groups, ...(deviation !== undefined && { deviation }) };
    const inputs = [x, this.weight(`${name}.weight`, [to, from / groups, kernel, kernel], layout)];
    if (bias !== undefined) inputs.push(this.filled(`${name}.bias`, to, bias));
    return this.op(
      'Conv',
      inputs,
      {
        kernel_shape: [kernel, kernel],
        strides: [stride, stride],
        pads: [pad, pad, pad, pad],
        dilations: [1, 1],
        group: groups,
      },
      name,
    );
  }

  /** Batch normalisation in inference form, at the identity. */
  norm(x: string, channels: number, name: string): string {
    const inputs = [
      x,
      this.filled(`${name}.weight`, channels, 1),
      this.filled(`${name}.bias`, channels, 0),
      this.filled(`${name}.running_mean`, channels, 0),
      this.filled(`${name}.running_var`, channels, 1),
    ];
    return this.op('BatchNormalization', inputs, { epsilon: 1e-5, momentum: 0.9 }, name);
  }

  layerNorm(x: string, width: number, name: string): string {
    const inputs = [x, this.filled(`${name}.weight`, width, 1), this.filled(`${name}.bias`, width, 0)];
    return this.op('LayerNormalization', inputs, { axis: -1, epsilon: 1e-6 }, name);
  }

  /** (N, from) -> (N, to). */
  dense(x: string, from: number, to: number, name: string, { bias = 0, deviation }: DenseOptions = {}): string {
    const weight = this.weight(`${name}.weight`, [to, from], deviation === undefined ? {} : { deviation });
    const inputs = [x, weight, this.filled(`${name}.bias`, to, bias)];
    return this.op('Gemm', inputs, { alpha: 1, beta: 1, transB: 1 }, name);
  }

  /** (N, tokens, from) -> (N, tokens, to). */
  tokensDense(x: string, from: number, to: number, name: string): string {
    const weight = this.weight(`${name}.weight`, [from, to], { outAxis: 1 });
    const product = this.matmul(x, weight, `${name}.product`);
    return this.add(product, this.filled(`${name}.bias`, to, 0), name);
  }

  relu6(x: string, name: string): string {
    return this.op('Clip', [x, this.scalar(0), this.scalar(6)], {}, name);
  }

  maxPool(x: string, kernel: number, stride: number, name: string, pad = 0): string {
    const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] };
    return this.op('MaxPool', [x], attributes, name);
  }

  dropout(x: string, ratio: number, name: string): string {
    return this.op('Dropout', [x, this.scalar(ratio)], {}, name);
  }

  /** (N, c, h, w) -> (N, c), the mean over the image. */
  pooled(x: string, name: string): string {
    return this.op('Flatten', [this.op('GlobalAveragePool', [x], {}, `${name}.map`)], { axis: 1 }, name);
  }

  finish(logits: string, features: string, width: number): Graph {
    this.output(logits, 'logits', 'float32', ['N', this.options.classes]);
    this.output(features, 'features', 'float32', ['N', width]);
    return { ...this.build(), name: this.name };
  }
}
