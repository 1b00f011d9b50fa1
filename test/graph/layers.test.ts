import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import {
  allParameters,
  architectures,
  buildArchitecture,
  copyLayers,
  costs,
  float32,
  type Graph,
  GraphBuilder,
  isLearned,
  learnedConstants,
  learnedLayers,
  readModelFile,
  reinitialise,
  sizeOf,
  specialise,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import { assetsTest, backbonePath, backbones } from '../support/assets.js';
import { runOnce, testEngine } from '../support/run.js';

const noise = (dims: readonly number[], key = 'x'): Tensor => {
  const random = new Random(2, key);
  return float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => random.normal()),
  );
};

/** Equality of large constants; the general one takes seconds. */
const same = (a: Tensor | undefined, b: Tensor | undefined) =>
  a?.dims.join() === b?.dims.join() && Buffer.compare(bytes(a), bytes(b)) === 0;
function bytes(tensor: Tensor | undefined): Buffer {
  const { buffer, byteOffset, byteLength } = (tensor?.data ?? new Float32Array()) as Float32Array<ArrayBuffer>;
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Two pre-activation units: norm, rectifier, convolution, with the sum taken around them. */
function preactivation(): Graph {
  const b = new GraphBuilder();
  const norm = (x: string, name: string) =>
    b.op('BatchNormalization', [x, ...['s', 'b', 'm', 'v'].map((p) => b.constant(noise([4], p), `${name}.${p}`))]);
  const conv = (x: string, from: number, name: string) =>
    b.op('Conv', [x, b.constant(noise([4, from, 1, 1], name), `${name}.w`)], { kernel_shape: [1, 1] }, name);
  let x = conv(b.input('x', 'float32', ['N', 3, 4, 4]), 3, 'stem');
  for (const unit of ['one', 'two']) {
    const y = conv(b.op('Relu', [norm(x, `${unit}.norm`)]), 4, unit);
    x = b.op('Add', [y, x]);
  }
  b.output(b.op('Relu', [norm(x, 'last')]), 'y');
  return b.build();
}

describe('learnedLayers', () => {
  test('a norm and its activation belong to their convolution; a shortcut sum to the block it ends', () => {
    const layers = learnedLayers(buildArchitecture('resnet20'));
    expect(layers).toHaveLength(20);
    expect(layers.slice(0, 3).map((l) => [l.name, l.nodes.map((n) => n.op).join(' '), l.value])).toEqual([
      ['conv1', 'Conv BatchNormalization Relu', 'relu1'],
      ['layer1.0.conv1', 'Conv BatchNormalization Relu', 'layer1.0.relu1'],
      ['layer1.0.conv2', 'Conv BatchNormalization Add Relu', 'layer1.0.relu2'],
    ]);
    expect(layers[1]?.parameters.map((p) => p.role)).toEqual(['weight', 'scale', 'shift', 'mean', 'variance']);
    expect(layers[19]?.parameters.map((p) => p.name)).toEqual(['logits.weight', 'logits.bias']);
  });

  test('every parameter and every node belongs to exactly one layer', () => {
    for (const name of ['resnet20', 'mobilenetv2', 'vit-tiny', 'caffenet-32']) {
      const graph = buildArchitecture(name);
      const layers = learnedLayers(graph);
      const nodes = layers.flatMap((l) => l.nodes);
      expect(new Set(nodes).size).toBe(nodes.length);
      // Nodes that read nothing of the image (of the class token) belong to no layer.
      const others = graph.nodes.filter((n) => !nodes.includes(n)).map((n) => n.op);
      expect(others).toEqual(name === 'vit-tiny' ? ['Pad', 'Add'] : []);
      const owned = layers.flatMap((l) => l.parameters.map((p) => p.name)).sort();
      const learned = [...graph.constants].filter(([, t]) => t.type === 'float32' && t.data.length > 1);
      expect(owned).toEqual(learned.map(([key]) => key).sort());
    }
  });

  test('attention: projections are layers, their norms come with them', () => {
    const layers = learnedLayers(buildArchitecture('vit-tiny'));
    expect(layers).toHaveLength(1 + 4 * 12 + 1);
    expect(layers.slice(0, 5).map((l) => l.value)).toEqual([
      'embedding',
      'blocks.0.heads',
      'blocks.0.mid',
      'blocks.0.gelu',
      'blocks.0.out',
    ]);
    expect(layers[1]?.parameters.map((p) => p.name)).toEqual([
      'blocks.0.qkv.weight',
      'blocks.0.qkv.bias',
      'blocks.0.norm1.weight',
      'blocks.0.norm1.bias',
    ]);
  });

  test('pre-activation: a norm after a sum belongs to the layer that it prepares, the last to the last', () => {
    const layers = learnedLayers(preactivation());
    expect(layers.map((l) => l.nodes.map((n) => n.op).join(' '))).toEqual([
      'Conv',
      'BatchNormalization Relu Conv Add',
      'BatchNormalization Relu Conv Add BatchNormalization Relu Identity',
    ]);
  });

  test('the norm before a classifier stays with the layer below it, and so with what is copied', () => {
    const classified = (write: (b: GraphBuilder, x: string) => string) => {
      const b = new GraphBuilder(preactivation());
      const pooled = b.op('Flatten', [b.op('GlobalAveragePool', ['y'])]);
      b.clearOutputs();
      b.output(write(b, b.matmul(pooled, b.constant(noise([4, 3], 'fc'), 'fc.w'))), 'logits');
      return learnedLayers(b.build());
    };
    const layers = classified((b, logits) => b.add(logits, b.constant(noise([3], 'bias'), 'fc.b')));
    expect(layers.map((l) => l.parameters.map((p) => p.name.split('.')[0]).join(' '))).toEqual([
      'stem',
      'one one one one one',
      'two two last two last two last two last',
      'fc fc',
    ]);
    expect(layers[2]?.nodes.map((n) => n.op).join(' ')).toMatch(/Conv Add BatchNormalization Relu .*Flatten$/);
    // A product that something else is added to ends no network: its norm is part of a block.
    const inside = classified((b, y) => b.add(y, b.op('Flatten', [b.op('GlobalAveragePool', ['x'])])));
    expect(inside.at(-1)?.parameters.map((p) => p.name)).toContain('last.s');
  });

  assetsTest('the backbones of the assets have the learned layers of their papers', async () => {
    const counts: Record<string, number> = {};
    for (const name of backbones) counts[name] = learnedLayers(await readModelFile(backbonePath(name))).length;
    expect(counts).toEqual({
      mobilenetv2_tf: 53,
      mobilenetv2_torch_nohead: 52,
      mobilenetv2_gluon_bn_nohead: 53,
      'resnet50v2_gluon_stage1-3': 43,
      'squeezenet1.1': 26,
      deit_tiny: 50,
      cifar_resnet20: 20,
      cifar_resnet56: 56,
    });
  });

  test('a graph without learned layers is an error', () => {
    const b = new GraphBuilder();
    b.output(b.op('Relu', [b.input('x')]));
    expect(() => learnedLayers(b.build())).toThrow(/no learned layer/);
  });
});

describe('copyLayers', () => {
  const build = (seed: number, options = {}) => buildArchitecture('resnet20', { seed, ...options });

  test('takes the first layers, running statistics included, and leaves the others', () => {
    const base = build(1);
    const constants = new Map(base.constants).set('bn1.running_mean', noise([16]));
    const copied = copyLayers({ ...base, constants }, build(2), 3);
    const fresh = build(2);
    learnedLayers(copied).forEach((layer, i) => {
      const source = i < 3 ? constants : fresh.constants;
      for (const { name } of layer.parameters) expect(same(copied.constants.get(name), source.get(name))).toBe(true);
    });
  });

  test('all layers make the same function; none changes nothing', async () => {
    const [base, other] = [build(1), build(2)];
    const input = noise([2, 3, 32, 32]);
    const wanted = await runOnce(base, { input });
    expect(await runOnce(copyLayers(base, other, 20), { input })).toEqual(wanted);
    expect(copyLayers(base, other, 0).constants).toEqual(other.constants);
  });

  test('layers of another shape are an error that shows both', () => {
    expect(() => copyLayers(build(1), build(2, { classes: 7 }), 20)).toThrow(
      /layer 20 .*'logits' has Gemm \(weight \[10,64\].*'logits' has Gemm \(weight \[7,64\]/,
    );
    expect(() => copyLayers(build(1), buildArchitecture('caffenet-32'), 1)).toThrow(
      /\[16,3,3,3\].*scale.*\[48,3,5,5\], bias \[48\]/,
    );
    expect(copyLayers(build(1), build(2, { classes: 7 }), 19).outputs[0]?.shape).toEqual(['N', 7]);
  });

  test('a count out of range is an error that says the range', () => {
    for (const count of [21, -1, 1.5]) expect(() => copyLayers(build(1), build(2), count)).toThrow(/choose 0 to 20/);
  });
});

describe('reinitialise', () => {
  const base = buildArchitecture('vit-tiny', { seed: 1, size: 32, classes: 5 });

  test('draws fresh parameters from a layer on, the same ones whatever the first', () => {
    const all = reinitialise(base, 0, { init: 'he', seed: 3 });
    const top = reinitialise(base, 40, { init: 'he', seed: 3 });
    const layers = learnedLayers(base);
    for (const layer of layers) {
      const weight = layer.parameters[0]?.name as string;
      const kept = layer.index < 40;
      expect(same(top.constants.get(weight), (kept ? base : all).constants.get(weight))).toBe(true);
      expect(same(all.constants.get(weight), base.constants.get(weight))).toBe(false);
    }
    const none = reinitialise(base, layers.length, { init: 'he', seed: 3 });
    for (const [name, tensor] of base.constants) expect(none.constants.get(name)).toBe(tensor);
  });

  test('puts norms at the identity and biases at zero', () => {
    const changed = {
      ...base,
      constants: new Map(
        [...base.constants].map(([k, t]) => [k, t.dims.length === 1 && t.type === 'float32' ? noise(t.dims, k) : t]),
      ),
    };
    const { constants } = reinitialise(changed, 0, { init: 'glorot', seed: 3 });
    const values = (name: string) => new Set(toNumbers(constants.get(name) as Tensor));
    expect(values('blocks.3.norm1.weight')).toEqual(new Set([1]));
    expect(values('blocks.3.norm1.bias')).toEqual(new Set([0]));
    expect(values('blocks.3.fc1.bias')).toEqual(new Set([0]));
    expect(values('cls_token').size).toBeGreaterThan(100);
  });

  test('a layer out of range is an error', () => {
    expect(() => reinitialise(base, 51, { init: 'he', seed: 0 })).toThrow(/no layer 51.*50 learned layers/);
  });
});

describe('what is learned', () => {
  /** (x - mean) / std, as a file may bring it along, then a convolution, a norm and a layer scale. */
  function withPreprocessing(): Graph {
    const b = new GraphBuilder();
    const vector = (name: string, dims: number[]) => b.constant(noise(dims, name), name);
    const bytes = b.cast(b.input('x', 'uint8', ['N', 4, 4, 3]), 'float32');
    const scaled = b.div(b.sub(bytes, vector('mean', [3])), vector('std', [3]));
    const conv = b.op('Conv', [b.transpose(scaled, [0, 3, 1, 2]), vector('w', [5, 3, 1, 1])], { kernel_shape: [1, 1] });
    const norm = ['scale', 'shift', 'm', 'v'].map((name) => vector(name, [5]));
    const y = b.mul(b.op('BatchNormalization', [conv, ...norm]), vector('gamma', [1, 5, 1, 1]));
    b.output(b.mul(y, b.scalar(2)), 'y');
    return b.build();
  }

  test('weights, scales and shifts; no running statistics, no single numbers, no preprocessing of the file', () => {
    const graph = withPreprocessing();
    expect(learnedConstants(graph)).toEqual(['w', 'scale', 'shift', 'gamma']);
    expect(allParameters(graph).map((p) => `${p.name} ${p.role}`)).toEqual([
      'w weight',
      'scale scale',
      'shift shift',
      'm mean',
      'v variance',
      'gamma scale',
    ]);
  });

  test('is the same by layer, by constant and in the counts of taps', async () => {
    const engine = await testEngine();
    for (const name of ['resnet20', 'mobilenetv2', 'vit-tiny', 'caffenet-32']) {
      const graph = buildArchitecture(name, { init: 'glorot' });
      const learned = learnedConstants(graph);
      const byLayer = learnedLayers(graph).flatMap((l) => l.parameters.filter(isLearned).map((p) => p.name));
      expect(byLayer.toSorted()).toEqual(learned.toSorted());
      const { size } = architectures[name]?.defaults ?? { size: 0 };
      const network = await specialise(graph, engine, [1, 3, size, size], { keep: learned });
      const counted = learned.reduce((sum, w) => sum + sizeOf(graph.constants.get(w)?.dims ?? []), 0);
      expect(costs(network, ['logits']).get('logits')?.params).toBe(counted);
    }
  });
});
