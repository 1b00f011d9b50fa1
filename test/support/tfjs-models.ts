/** Small models built and saved with TensorFlow.js itself. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { Random } from '../../src/base/index.js';

export type Model = layers.LayersModel;

const conv = (x: layers.SymbolicTensor, filters: number, name: string, options: object = {}) =>
  layers.layers
    .conv2d({ filters, kernelSize: 3, padding: 'same', useBias: false, name, ...options })
    .apply(x) as layers.SymbolicTensor;
const norm = (x: layers.SymbolicTensor, name: string) =>
  layers.layers.batchNormalization({ name }).apply(x) as layers.SymbolicTensor;
const through = (x: layers.SymbolicTensor, layer: layers.layers.Layer) => layer.apply(x) as layers.SymbolicTensor;
const relu6 = (x: layers.SymbolicTensor, name: string) => through(x, layers.layers.reLU({ maxValue: 6, name }));
const relu = (x: layers.SymbolicTensor, name: string) =>
  through(x, layers.layers.activation({ activation: 'relu', name }));

/** Depthwise and pointwise convolutions, odd sizes with strides, ReLU6, dropout, a head that reshapes. */
function mobile(): Model {
  const input = layers.input({ shape: [17, 15, 3], name: 'image' });
  let x = relu6(norm(conv(input, 8, 'conv1', { strides: 2 }), 'conv1_bn'), 'conv1_relu');
  for (const [i, strides] of [1, 2].entries()) {
    const options = { kernelSize: 3, strides, padding: 'same', useBias: false, name: `dw_${i}` } as const;
    x = relu6(norm(through(x, layers.layers.depthwiseConv2d(options)), `dw_${i}_bn`), `dw_${i}_relu`);
    x = relu6(norm(conv(x, 12, `pw_${i}`, { kernelSize: 1 }), `pw_${i}_bn`), `pw_${i}_relu`);
  }
  x = through(x, layers.layers.globalAveragePooling2d({ name: 'gap' }));
  x = through(x, layers.layers.reshape({ targetShape: [1, 1, 12], name: 'reshape_1' }));
  x = through(x, layers.layers.dropout({ rate: 0.5, name: 'dropout' }));
  x = conv(x, 5, 'preds', { kernelSize: 1, useBias: true });
  x = through(x, layers.layers.reshape({ targetShape: [5], name: 'reshape_2' }));
  return layers.model({ inputs: input, outputs: through(x, layers.layers.softmax({ name: 'softmax' })) });
}

/** Residual blocks with norms, one of them with a projection; padding of its own before a pool. */
function residual(): Model {
  const input = layers.input({ shape: [18, 18, 3], name: 'image' });
  let x = through(
    input,
    layers.layers.zeroPadding2d({
      padding: [
        [2, 1],
        [1, 2],
      ],
      name: 'pad',
    }),
  );
  x = relu(
    norm(conv(x, 8, 'stem', { kernelSize: 5, strides: 2, padding: 'valid', useBias: true }), 'stem_bn'),
    'stem_relu',
  );
  x = through(x, layers.layers.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same', name: 'pool1' }));
  for (const [i, filters] of [8, 16].entries()) {
    const strides = filters === 8 ? 1 : 2;
    const inner = relu(norm(conv(x, filters, `b${i}_1`, { strides }), `b${i}_1_bn`), `b${i}_relu`);
    const branch = norm(conv(inner, filters, `b${i}_2`), `b${i}_2_bn`);
    const short = strides === 1 ? x : norm(conv(x, filters, `b${i}_0`, { kernelSize: 1, strides }), `b${i}_0_bn`);
    x = relu(layers.layers.add({ name: `b${i}_add` }).apply([branch, short]) as layers.SymbolicTensor, `b${i}_out`);
  }
  x = through(x, layers.layers.globalAveragePooling2d({ name: 'avg_pool' }));
  return layers.model({ inputs: input, outputs: through(x, layers.layers.dense({ units: 7, name: 'fc' })) });
}

/** Values joined along the channels, average pools, a gate, activations by name. */
function dense(): Model {
  const input = layers.input({ shape: [12, 12, 3], name: 'image' });
  let x = conv(input, 6, 'stem', { activation: 'elu', useBias: true });
  for (let i = 0; i < 3; i++) {
    const more = conv(relu(norm(x, `d${i}_bn`), `d${i}_relu`), 4, `d${i}_conv`);
    x = layers.layers.concatenate({ name: `d${i}_concat` }).apply([x, more]) as layers.SymbolicTensor;
  }
  x = through(x, layers.layers.averagePooling2d({ poolSize: 2, name: 'transition' }));
  const squeezed = through(
    through(x, layers.layers.globalAveragePooling2d({ name: 'se_pool' })),
    layers.layers.dense({ units: 18, activation: 'sigmoid', name: 'se' }),
  );
  const gate = through(squeezed, layers.layers.reshape({ targetShape: [1, 1, 18], name: 'se_reshape' }));
  x = layers.layers.multiply({ name: 'se_mul' }).apply([x, gate]) as layers.SymbolicTensor;
  x = through(x, layers.layers.leakyReLU({ alpha: 0.2, name: 'leaky' }));
  x = through(x, layers.layers.upSampling2d({ size: [2, 2], name: 'up' }));
  x = through(x, layers.layers.globalMaxPooling2d({ name: 'max' }));
  return layers.model({
    inputs: input,
    outputs: through(x, layers.layers.dense({ units: 4, name: 'fc', activation: 'tanh' })),
  });
}

/** A sequence of plain convolutions, a flattened image, dense layers. */
function plain(): Model {
  return layers.sequential({
    layers: [
      layers.layers.conv2d({
        inputShape: [16, 16, 3],
        filters: 6,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
        name: 'block1_conv',
      }),
      layers.layers.maxPooling2d({ poolSize: 2, name: 'block1_pool' }),
      layers.layers.separableConv2d({ filters: 8, kernelSize: 3, activation: 'relu', name: 'block2_conv' }),
      layers.layers.conv2d({
        filters: 8,
        kernelSize: 3,
        dilationRate: 2,
        padding: 'same',
        activation: 'selu',
        name: 'block3_conv',
      }),
      layers.layers.flatten({ name: 'flatten' }),
      layers.layers.dense({ units: 10, activation: 'relu', name: 'fc1' }),
      layers.layers.dropout({ rate: 0.3, name: 'drop' }),
      layers.layers.dense({ units: 3, activation: 'softmax', name: 'predictions' }),
    ],
  });
}

export const architectures = { mobile, residual, dense, plain };

/** With weights that nothing hides behind: running averages are no zeros and ones. */
export async function build(write: () => Model, key: string): Promise<Model> {
  await tf.setBackend('cpu');
  const model = write();
  const random = new Random(4, key);
  model.setWeights(
    model.getWeights().map((w, i) => {
      const isVariance = model.weights[i]?.originalName.endsWith('moving_variance') === true;
      const values = Float32Array.from({ length: w.size }, () => random.normal() * 0.4);
      return tf.tensor(isVariance ? values.map((v) => 0.5 + Math.abs(v)) : values, w.shape);
    }),
  );
  return model;
}

/** Writes model.json and its weights. @returns the path of model.json */
export async function save(
  model: Model,
  folder: string,
  change: (json: Record<string, unknown>) => void = () => undefined,
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      const bytes = Buffer.concat([weightData ?? []].flat().map((part) => Buffer.from(part as ArrayBuffer)));
      // Two files, the way that models of more than 4 MB are written.
      const middle = Math.floor(bytes.length / 2);
      writeFileSync(join(folder, 'group1-shard1of2.bin'), bytes.subarray(0, middle));
      writeFileSync(join(folder, 'group1-shard2of2.bin'), bytes.subarray(middle));
      const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
      const json = { format: 'layers-model', modelTopology, weightsManifest: [{ paths, weights: weightSpecs }] };
      const copy = JSON.parse(JSON.stringify(json));
      change(copy);
      writeFileSync(join(folder, 'model.json'), JSON.stringify(copy));
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  return join(folder, 'model.json');
}
