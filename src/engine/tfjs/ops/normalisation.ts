/** Normalisations. */
import { floatAttribute, intAttribute, sizeOf } from '../../../ir/index.js';
import type { Device, Tf } from '../device.js';
import { type Maths, maths } from '../maths.js';
import type { Layout, Value } from '../value.js';
import { fail, made, type OpTable, positive, required, type Site, show } from './op.js';

/** A vector over the channels as it broadcasts to a value. */
function channelwise(device: Device, vector: Value, rank: number, layout: Layout): Tf {
  const t = vector.tensor();
  if (layout === 'last' || rank <= 2) return t;
  return vector.prepared(`channels ${rank}`, () =>
    device.reshape(t, [vector.size, ...Array<number>(rank - 2).fill(1)]),
  );
}

function batchNorm({ device, node, opset }: Site) {
  const m = maths(device);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const momentum = floatAttribute(node, 'momentum', 0.9);
  const isTraining = intAttribute(node, 'training_mode', 0) === 1 && opset >= 14;
  return (inputs: readonly (Value | undefined)[]): Value | Value[] => {
    const x = required(inputs, 0);
    const vectors = [1, 2, 3, 4].map((i) => required(inputs, i)) as [Value, Value, Value, Value];
    const rank = x.dims.length;
    const channels = x.dims[1] ?? 1;
    for (const v of vectors) if (v.size !== channels) fail(`${v.size} numbers are given for ${channels} channels`);
    const layout: Layout = rank === 4 ? 'last' : 'plain';
    const t = x.tensor(layout);
    if (!isTraining && layout === 'last' && device.backend === 'tensorflow') {
      const [scale, offset, mean, variance] = vectors.map((v) => v.tensor()) as [Tf, Tf, Tf, Tf];
      const statistics = { x: t, scale, offset, mean, variance };
      return made(device, device.call('FusedBatchNorm', statistics, { varianceEpsilon: epsilon }), x.dims, layout);
    }
    if (!isTraining) {
      // A factor and a shift for each channel, made once for constants.
      const [scale, offset, mean, variance] = vectors;
      const key = `${node.inputs.slice(1)} ${epsilon} ${rank}`;
      const shape = layout === 'last' || rank < 3 ? [channels] : [channels, ...Array<number>(rank - 2).fill(1)];
      const factor = scale.prepared(`factor ${key}`, () =>
        device.reshape(m.mul(scale.tensor(), m.rsqrt(m.add(variance.tensor(), epsilon))), shape),
      );
      const shift = scale.prepared(`shift ${key}`, () =>
        m.sub(device.reshape(offset.tensor(), shape), m.mul(device.reshape(mean.tensor(), shape), factor)),
      );
      return made(device, m.add(m.mul(t, factor), shift), x.dims, layout);
    }
    const [scale, offset] = vectors.map((v) => channelwise(device, v, rank, layout)) as [Tf, Tf];
    const axes = layout === 'last' ? [0, 1, 2] : [...x.dims.keys()].filter((i) => i !== 1);
    const mean = m.mean(t, axes);
    const centred = m.sub(t, mean);
    const variance = m.mean(m.square(centred), axes);
    const y = m.add(m.mul(centred, m.mul(scale, m.rsqrt(m.add(variance, epsilon)))), offset);
    const running = (old: Value, batch: Tf) =>
      m.add(m.mul(old.tensor(), momentum), m.mul(device.reshape(batch, [channels]), 1 - momentum));
    const result = [made(device, y, x.dims, layout)];
    if (node.outputs.length > 1) result.push(made(device, running(vectors[2], mean), [channels]));
    if (node.outputs.length > 2) result.push(made(device, running(vectors[3], variance), [channels]));
    return result;
  };
}

/** To mean 0 and variance 1 over some axes. */
function standardised(m: Maths, x: Tf, axes: readonly number[], epsilon: number) {
  const mean = m.mean(x, axes);
  const centred = m.sub(x, mean);
  const inverse = m.rsqrt(m.add(m.mean(m.square(centred), axes), epsilon));
  return { y: m.mul(centred, inverse), mean, inverse };
}

export const normalisation: OpTable = {
  BatchNormalization: batchNorm,
  LayerNormalization: ({ device, node }) => {
    const m = maths(device);
    const epsilon = floatAttribute(node, 'epsilon', 1e-5);
    return (inputs) => {
      const x = required(inputs, 0);
      const first = positive(intAttribute(node, 'axis', -1), x.dims.length);
      const axes = [...x.dims.keys()].slice(first);
      const { y, mean, inverse } = standardised(m, x.tensor(), axes, epsilon);
      const scaled = m.mul(y, required(inputs, 1).tensor());
      const dims = x.dims.map((d, i) => (i < first ? d : 1));
      const result = [made(device, inputs[2] ? m.add(scaled, inputs[2].tensor()) : scaled, x.dims)];
      if (node.outputs.length > 1) result.push(made(device, mean, dims));
      if (node.outputs.length > 2) result.push(made(device, inverse, dims));
      return result;
    };
  },
  RMSNormalization: ({ device, node }) => {
    const m = maths(device);
    const epsilon = floatAttribute(node, 'epsilon', 1e-5);
    return (inputs) => {
      const x = required(inputs, 0);
      const axes = [...x.dims.keys()].slice(positive(intAttribute(node, 'axis', -1), x.dims.length));
      const t = x.tensor();
      const inverse = m.rsqrt(m.add(m.mean(m.square(t), axes), epsilon));
      return made(device, m.mul(m.mul(t, inverse), required(inputs, 1).tensor()), x.dims);
    };
  },
  InstanceNormalization: ({ device, node }) => {
    const m = maths(device);
    const epsilon = floatAttribute(node, 'epsilon', 1e-5);
    return (inputs) => {
      const x = required(inputs, 0);
      const layout: Layout = x.prefersLast ? 'last' : 'plain';
      const axes = layout === 'last' ? [1, 2] : [...x.dims.keys()].slice(2);
      const { y } = standardised(m, x.tensor(layout), axes, epsilon);
      const [scale, bias] = [1, 2].map((i) => channelwise(device, required(inputs, i), x.dims.length, layout)) as [
        Tf,
        Tf,
      ];
      return made(device, m.add(m.mul(y, scale), bias), x.dims, layout);
    };
  },
  GroupNormalization: ({ device, node, opset }) => {
    const m = maths(device);
    const epsilon = floatAttribute(node, 'epsilon', 1e-5);
    const groups = intAttribute(node, 'num_groups', 1);
    return (inputs) => {
      const x = required(inputs, 0);
      const [n = 1, c = 1] = x.dims;
      if (c % groups !== 0) fail(`${c} channels do not divide into ${groups} groups`);
      const { y } = standardised(m, device.reshape(x.tensor(), [n, groups, x.size / (n * groups)]), [2], epsilon);
      // Up to set 20 there is one number for each group.
      const own = opset < 21 ? [n, groups, x.size / (n * groups)] : [n, c, sizeOf(x.dims.slice(2))];
      const vector = (at: number) => {
        const v = required(inputs, at);
        if (v.size !== own[1]) fail(`${v.size} numbers are given for ${show(own)}`);
        return device.reshape(v.tensor(), [v.size, 1]);
      };
      const scaled = m.add(m.mul(device.reshape(y, own), vector(1)), vector(2));
      return made(device, device.reshape(scaled, x.dims), x.dims);
    };
  },
  LRN: ({ device, node }) => {
    const size = intAttribute(node, 'size', 1);
    if (size % 2 === 0) fail('TensorFlow.js has it over odd numbers of channels only');
    const [alpha, beta, bias] = [
      floatAttribute(node, 'alpha', 1e-4) / size,
      floatAttribute(node, 'beta', 0.75),
      floatAttribute(node, 'bias', 1),
    ];
    return (inputs) => {
      const x = required(inputs, 0);
      if (x.dims.length !== 4) fail(`TensorFlow.js has it for images only, not for ${show(x.dims)}`);
      const attributes = { depthRadius: (size - 1) / 2, alpha, beta, bias };
      return made(device, device.call('LRN', { x: x.tensor('last') }, attributes), x.dims, 'last');
    };
  },
};
