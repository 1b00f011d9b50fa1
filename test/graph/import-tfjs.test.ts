/** Models of TensorFlow.js, built and saved with it, compute the same when they are read. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { Random, UserError } from '../../src/base/index.js';
import { float32, networkHash, readNetwork, sizeOf, type Tensor } from '../../src/graph/index.js';
import { difference, runOnce, testEngine } from '../support/run.js';
import { architectures, build, type Model, save } from '../support/tfjs-models.js';
import { temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder('tfjs-');
const batch = 2;

/** (N, H, W, C) values, and the same image as graphs have it. */
function image([h, w, c]: readonly [number, number, number]): { last: Float32Array; first: Tensor } {
  const random = new Random(2, 'image');
  const last = Float32Array.from({ length: batch * h * w * c }, () => random.normal());
  const first = new Float32Array(last.length);
  for (let n = 0; n < batch; n++) {
    for (let i = 0; i < h * w; i++)
      for (let k = 0; k < c; k++) first[(n * c + k) * h * w + i] = last[(n * h * w + i) * c + k] as number;
  }
  return { last, first: float32([batch, c, h, w], first) };
}

/** What TensorFlow.js computes, and what the graph does. */
async function both(model: Model, path: string) {
  const shape = model.inputs[0]?.shape.slice(1) as [number, number, number];
  const { last, first } = image(shape);
  const expected = model.predict(tf.tensor(last, [batch, ...shape])) as tf.Tensor;
  const graph = await readNetwork(path, await testEngine());
  const [input, output] = [graph.inputs[0]?.name as string, graph.outputs[0]?.name as string];
  const found = (await runOnce(graph, { [input]: first }))[output];
  return { graph, found, expected: float32(expected.shape, expected.dataSync() as Float32Array) };
}

describe('a LayersModel computes what it did', () => {
  for (const [name, write] of Object.entries(architectures)) {
    test(name, async () => {
      const model = await build(write, name);
      const { graph, found, expected } = await both(model, await save(model, join(folder, name)));
      expect(difference(expected, found)).toBeLessThan(1e-4);
      // Values are called as the user knows the layers; norms are live, dropout is gone.
      const values = new Set(graph.nodes.flatMap((n) => n.outputs));
      const known = model.layers.filter((l) => !/^(image|block1_conv_input)$|drop/.test(l.name));
      expect(known.map((l) => l.name).filter((layer) => !values.has(layer))).toEqual([]);
      expect(graph.nodes.filter((n) => n.op === 'BatchNormalization')).toHaveLength(
        model.layers.filter((l) => l.getClassName() === 'BatchNormalization').length,
      );
      expect(graph.nodes.some((n) => n.op === 'Dropout')).toBe(false);
    });
  }

  test('its hash is that of all its files', async () => {
    const model = await build(architectures.plain, 'hash');
    const path = await save(model, join(folder, 'hash'));
    const before = await networkHash(path);
    const shard = join(folder, 'hash', 'group1-shard2of2.bin');
    const bytes = readFileSync(shard);
    bytes[5] = (bytes[5] as number) ^ 1;
    writeFileSync(shard, bytes);
    expect(await networkHash(path)).not.toBe(before);
  });

  test('weights of 8 and 16 bits are decoded', async () => {
    const model = await build(architectures.plain, 'quantised');
    const path = await save(model, join(folder, 'quantised'));
    const json = JSON.parse(readFileSync(path, 'utf8'));
    const shards = ['group1-shard1of2.bin', 'group1-shard2of2.bin'].map((f) =>
      readFileSync(join(folder, 'quantised', f)),
    );
    const all = Buffer.concat(shards);
    const parts: Buffer[] = [];
    let at = 0;
    for (const [i, spec] of json.weightsManifest[0].weights.entries()) {
      const count = sizeOf(spec.shape);
      const values = new Float32Array(new Uint8Array(all.subarray(at, at + 4 * count)).buffer);
      at += 4 * count;
      const type = (['uint8', 'uint16', 'float16'] as const)[i % 3];
      const min = Math.min(...values);
      const levels = type === 'uint8' ? 255 : 65535;
      const scale = (Math.max(...values) - min) / levels || 1;
      if (type === 'float16') parts.push(Buffer.from(Uint16Array.from(values, toHalf).buffer));
      else {
        const stored = values.map((v) => Math.round((v - min) / scale));
        parts.push(Buffer.from((type === 'uint8' ? Uint8Array.from(stored) : Uint16Array.from(stored)).buffer));
      }
      spec.quantization =
        type === 'float16'
          ? { dtype: type, original_dtype: 'float32' }
          : { dtype: type, scale, min, original_dtype: 'float32' };
    }
    json.weightsManifest[0].paths = ['all.bin'];
    writeFileSync(join(folder, 'quantised', 'all.bin'), Buffer.concat(parts));
    writeFileSync(path, JSON.stringify(json));
    const loaded = await loadWithLibrary(path, join(folder, 'quantised', 'all.bin'));
    const { found, expected } = await both(loaded, path);
    expect(difference(expected, found)).toBeLessThan(1e-4);
  });
});

/** The model as TensorFlow.js itself reads the same files. */
async function loadWithLibrary(path: string, weights: string): Promise<Model> {
  const { loadLayersModel } = await import('@tensorflow/tfjs-layers');
  const json = JSON.parse(readFileSync(path, 'utf8'));
  return loadLayersModel({
    load: async () => ({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest[0].weights,
      weightData: new Uint8Array(readFileSync(weights)).buffer,
    }),
  });
}

/** Nearest binary16 of a normal number. */
function toHalf(v: number): number {
  if (v === 0) return 0;
  const sign = v < 0 ? 0x8000 : 0;
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(v))));
  const mantissa = Math.round((Math.abs(v) / 2 ** exponent) * 1024);
  return sign | (mantissa < 1024 ? mantissa : ((exponent + 15) << 10) + mantissa - 1024);
}

describe('a file that is wrong is one sentence', () => {
  const spoilt = async (name: string, change: (json: never) => void, message: RegExp) => {
    const path = await save(
      await build(architectures.plain, 'spoilt'),
      join(folder, name),
      change as (json: Record<string, unknown>) => void,
    );
    const read = readNetwork(path, await testEngine());
    await expect(read).rejects.toThrow(UserError);
    await expect(read).rejects.toThrow(message);
  };
  interface Saved {
    modelTopology: {
      class_name: string;
      config: { layers: { class_name: string; config: { name: string; activation?: string } }[] };
    };
    weightsManifest: {
      paths: string[];
      weights: { name: string; shape: unknown[]; dtype: string; quantization?: object }[];
    }[];
  }
  const group = (json: Saved) => json.weightsManifest[0] as Saved['weightsManifest'][number];
  const weight = (json: Saved) => group(json).weights[0] as Saved['weightsManifest'][number]['weights'][number];
  const cases: [string, (json: Saved) => void, RegExp][] = [
    ['leaves', (j) => group(j).paths.splice(0, 1, '../../etc/passwd'), /outside its folder/],
    ['absolute', (j) => group(j).paths.splice(0, 1, '/etc/passwd'), /outside its folder/],
    ['address', (j) => group(j).paths.splice(0, 1, 'https://example.com/w.bin'), /outside its folder/],
    ['missing', (j) => group(j).paths.push('group1-shard3of3.bin'), /shard3of3\.bin .*are missing/],
    ['short', (j) => group(j).paths.pop(), /take \d+ bytes, the files hold \d+/],
    ['huge', (j) => weight(j).shape.push(2 ** 40), /of shape .* cannot be/],
    ['negative', (j) => weight(j).shape.splice(0, 1, -3), /of shape .* cannot be/],
    ['strings', (j) => Object.assign(weight(j), { dtype: 'string' }), /of type string, which toehold does not read/],
    ['scale', (j) => Object.assign(weight(j), { quantization: { dtype: 'uint8', scale: 'x', min: 0 } }), /scale NaN/],
    ['no group', (j) => Object.assign(j, { weightsManifest: undefined }), /names no weights/],
    ['no weights', (j) => Object.assign(j, { weightsManifest: [] }), /layer 'block1_conv' has no weight 'kernel'/],
    [
      'unknown layer',
      (j) => Object.assign(j.modelTopology.config.layers[1] as object, { class_name: 'Mystery' }),
      /layer 'block1_pool' is of class Mystery/,
    ],
    [
      'inherited',
      (j) => Object.assign(j.modelTopology.config.layers[1] as object, { class_name: 'constructor' }),
      /class constructor/,
    ],
    [
      'activation',
      (j) => Object.assign(j.modelTopology.config.layers[0]?.config as object, { activation: 'what' }),
      /activation 'what'/,
    ],
    ['no topology', (j) => Object.assign(j, { modelTopology: undefined }), /no modelTopology/],
    ['no layers', (j) => Object.assign(j.modelTopology, { config: 3 }), /no list of layers/],
  ];
  for (const [name, change, message] of cases) test(name, () => spoilt(name, change as (json: never) => void, message));

  test('no JSON at all', async () => {
    const path = join(folder, 'text.json');
    writeFileSync(path, '{"modelTopology": ');
    await expect(readNetwork(path, await testEngine())).rejects.toThrow(/text\.json is not whole JSON/);
  });
});

const text64 = (s: string) => Buffer.from(s).toString('base64');
const ints = (...values: number[]) => ({ list: { i: values.map(String) } });

test('a GraphModel computes what it does in TensorFlow.js: fused and plain operations, strides, pads, norms', async () => {
  const random = new Random(9, 'graph');
  const shapes: Record<string, number[]> = {
    w1: [3, 3, 3, 8],
    b1: [8],
    dw: [3, 3, 8, 1],
    s: [8],
    o: [8],
    m: [8],
    v: [8],
    w2: [1, 1, 8, 6],
    b2: [6],
    fc: [12, 5],
    bf: [5],
  };
  const values = Object.fromEntries(
    Object.entries(shapes).map(([name, dims]) => [
      name,
      Float32Array.from({ length: sizeOf(dims) }, () =>
        name === 'v' ? random.uniform() + 0.5 : random.normal() * 0.4,
      ),
    ]),
  );
  const constants: Record<string, number[]> = { axes: [1, 2], paddings: [0, 0, 1, 2, 2, 1, 0, 0], axis: [-1] };
  const window = (padding: string, strides = 1) => ({
    strides: ints(1, strides, strides, 1),
    dilations: ints(1, 1, 1, 1),
    padding: { s: text64(padding) },
    data_format: { s: text64('NHWC') },
  });
  const fused = (...ops: string[]) => ({ fused_ops: { list: { s: ops.map(text64) } } });
  const T = { T: { type: 'DT_FLOAT' } };
  const node = (name: string, op: string, input: string[], attr: object = {}) => ({
    name,
    op,
    input,
    attr: { ...T, ...attr },
  });
  const dim = [-1, 11, 13, 3].map((size) => ({ size: String(size) }));
  const nodes = [
    { name: 'image', op: 'Placeholder', attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim } } } },
    ...Object.entries(shapes).map(([name]) => ({ name, op: 'Const', attr: { dtype: { type: 'DT_FLOAT' } } })),
    ...Object.keys(constants).map((name) => ({ name, op: 'Const', attr: { dtype: { type: 'DT_INT32' } } })),
    node('conv', '_FusedConv2D', ['image', 'w1', 'b1'], {
      ...window('SAME', 2),
      ...fused('BiasAdd', 'Relu6'),
      num_args: { i: '1' },
    }),
    node('padded', 'Pad', ['conv', 'paddings']),
    node('depthwise', 'DepthwiseConv2dNative', ['padded', 'dw'], window('VALID')),
    node('norm', 'FusedBatchNormV3', ['depthwise', 's', 'o', 'm', 'v'], {
      epsilon: { f: 0.01 },
      data_format: { s: text64('NHWC') },
      is_training: { b: false },
    }),
    node('relu', 'Relu', ['norm']),
    node('point', 'Conv2D', ['relu', 'w2'], window('SAME')),
    node('bias', 'BiasAdd', ['point', 'b2'], { data_format: { s: text64('NHWC') } }),
    node('gate', 'Sigmoid', ['bias']),
    node('swish', 'Mul', ['bias', 'gate']),
    node('sum', 'AddV2', ['swish', 'bias']),
    node('joined', 'ConcatV2', ['sum', 'swish', 'axis'], { N: { i: '2' } }),
    node('pool', 'MaxPool', ['joined'], { ...window('SAME', 2), ksize: ints(1, 3, 3, 1) }),
    node('mean', 'Mean', ['pool', 'axes'], { keep_dims: { b: false } }),
    node('logits', '_FusedMatMul', ['mean', 'fc', 'bf'], {
      ...fused('BiasAdd'),
      transpose_a: { b: false },
      transpose_b: { b: false },
      num_args: { i: '1' },
    }),
    node('Identity', 'Identity', ['logits']),
  ];
  const weights = [
    ...Object.entries(shapes).map(([name, shape]) => ({ name, shape, dtype: 'float32' })),
    ...Object.entries(constants).map(([name, v]) => ({
      name,
      shape: name === 'axis' ? [] : name === 'paddings' ? [4, 2] : [v.length],
      dtype: 'int32',
    })),
  ];
  const data = Buffer.concat([
    ...Object.keys(shapes).map((name) => Buffer.from((values[name] as Float32Array).buffer)),
    ...Object.values(constants).map((v) => Buffer.from(Int32Array.from(v).buffer)),
  ]);
  mkdirSync(join(folder, 'graph'), { recursive: true });
  const topology = { node: nodes, versions: { producer: 1 } };
  const path = join(folder, 'graph', 'model.json');
  writeFileSync(join(folder, 'graph', 'w.bin'), data);
  writeFileSync(
    path,
    JSON.stringify({
      format: 'graph-model',
      modelTopology: topology,
      weightsManifest: [{ paths: ['w.bin'], weights }],
    }),
  );

  await tf.setBackend('cpu');
  const { loadGraphModel } = await import('@tensorflow/tfjs-converter');
  const model = await loadGraphModel({
    load: async () => ({
      modelTopology: topology,
      weightSpecs: weights as tf.io.WeightsManifestEntry[],
      weightData: new Uint8Array(data).buffer,
    }),
  });
  const { last, first } = image([11, 13, 3]);
  const expected = model.execute({ image: tf.tensor(last, [batch, 11, 13, 3]) }, 'Identity') as tf.Tensor;
  const graph = await readNetwork(path, await testEngine());
  const found = (await runOnce(graph, { image: first }))[graph.outputs[0]?.name as string];
  expect(difference(float32(expected.shape, expected.dataSync() as Float32Array), found)).toBeLessThan(1e-4);

  nodes[nodes.length - 2] = node('logits', 'Roll', ['mean']);
  writeFileSync(path, JSON.stringify({ modelTopology: topology, weightsManifest: [{ paths: ['w.bin'], weights }] }));
  await expect(readNetwork(path, await testEngine())).rejects.toThrow(
    /operation 'logits' is Roll, which toehold does not read/,
  );
});
