/** Normalisations: over the batch, a layer, a group, an instance, and across channels (LRN). */
import { type Emitter, floatAttribute, intAttribute, positiveAxis, sizeOf } from '../../../ir/index.js';
import {
  batchStatistics,
  channelAffine,
  channelDot,
  channelSum,
  emitComposite,
  writeComposite,
} from '../composites/index.js';
import type { Backward, Rule, RuleContext, RuleTable } from './rule.js';

function inverseDeviation(e: Emitter, variance: string, epsilon: number): string {
  return e.unary('Reciprocal', e.unary('Sqrt', e.add(variance, e.scalar(epsilon))));
}

const epsilonOf = (c: RuleContext) => floatAttribute(c.node, 'epsilon', 1e-5);
const isTraining = (c: RuleContext) => intAttribute(c.node, 'training_mode', 0) === 1;

/** With batch statistics the node becomes: statistics, one affine pass, new running averages (of the population variance). */
function batchNormForward(c: RuleContext): void {
  const { e, node } = c;
  if (!isTraining(c)) {
    e.append(node);
    return;
  }
  const channels = c.xDims(1);
  const [mean, variance] = [e.value(batchStatistics.name, channels), e.value(batchStatistics.name, channels)];
  writeComposite(e, batchStatistics, [c.x()], [mean, variance]);
  const inverse = inverseDeviation(e, variance, epsilonOf(c));
  const a = e.mul(c.x(1), inverse);
  const b = e.sub(c.x(2), e.mul(mean, a));
  c.saved.set('mean', mean).set('inverse', inverse).set('a', a);
  writeComposite(e, channelAffine, [c.x(), a, b], [c.y()]);
  const momentum = floatAttribute(node, 'momentum', 0.9);
  for (const [i, batch] of [mean, variance].entries()) {
    const output = node.outputs[i + 1];
    if (output) e.node('Add', [e.scale(c.x(3 + i), momentum), e.scale(batch, 1 - momentum)], [output]);
  }
}

const batchNormBackward: Backward = (c) => {
  const { e } = c;
  const training = isTraining(c);
  const ofAverages = c.needs(3) || c.needs(4);
  // With batch statistics only the new averages depend on the old ones.
  if (training && ofAverages && (c.outputGradients[1] || c.outputGradients[2])) {
    c.unsupported('training its running averages');
  }
  const inverse = c.saved.get('inverse') ?? inverseDeviation(e, c.x(4), epsilonOf(c));
  const a = c.saved.get('a') ?? e.mul(c.x(1), inverse);
  const mean = c.saved.get('mean') ?? c.x(3);
  const sums = training || c.needs(1) || c.needs(2) || ofAverages;
  const dyx =
    training || c.needs(1) || c.needs(4) ? emitComposite(e, channelDot, [c.dy(), c.x()], c.xDims(1)) : undefined;
  const dBias = sums ? emitComposite(e, channelSum, [c.dy()], c.xDims(1)) : undefined;
  // sum(dy xhat) with xhat = (x - mean) / deviation.
  const dScale = dyx && dBias ? e.mul(inverse, e.sub(dyx, e.mul(mean, dBias))) : undefined;
  let dx: string | undefined;
  if (c.needs(0) && !training) dx = emitComposite(e, channelAffine, [c.dy(), a, e.zeros(c.xDims(1))], c.xDims());
  else if (c.needs(0)) {
    // dx = a (dy - mean(dy) - xhat mean(dy xhat)), gathered per channel.
    const count = sizeOf(c.xDims()) / (c.xDims()[1] as number);
    const slope = e.scale(e.mul(a, e.mul(inverse, dScale as string)), -1 / count);
    const shift = e.sub(e.scale(e.mul(a, dBias as string), -1 / count), e.mul(slope, mean));
    dx = emitComposite(e, channelAffine, [c.dy(), a, shift, c.x(), slope], c.xDims());
  }
  if (!ofAverages) return [dx, dScale, dBias];
  if (training) return [dx, dScale, dBias, e.zeros(c.xDims(3)), e.zeros(c.xDims(4))];
  // Statistics that the network computes: weights that are standardised by their own.
  const dMean = e.scale(e.mul(a, dBias as string), -1);
  const dVariance = dScale && e.scale(e.mul(e.mul(a, inverse), dScale), -0.5);
  return [dx, dScale, dBias, dMean, dVariance];
};

const batchNorm: Rule = { forward: batchNormForward, backward: batchNormBackward };

/** dx = (g - mean(g) - xhat mean(g xhat)) / deviation over `axes`, g = dy scale. */
function normalisedGradient(e: Emitter, g: string, xhat: string, inverse: string, axes: readonly number[]): string {
  const projection = e.mul(xhat, e.mean(e.mul(g, xhat), axes, true));
  return e.mul(e.sub(e.sub(g, e.mean(g, axes, true)), projection), inverse);
}

const layerNorm: Rule = {
  /** Mean and inverse deviation are optional outputs of the operator. */
  forward: (c) => {
    const { e, node } = c;
    const axis = positiveAxis(intAttribute(node, 'axis', -1), c.xDims().length);
    const dims = c.xDims().map((d, i) => (i < axis ? d : 1));
    const outputs = [...node.outputs];
    ['mean', 'inverse'].forEach((what, i) => {
      outputs[i + 1] ||= e.value('LayerNormalization', dims);
      e.shapes.set(outputs[i + 1] as string, dims);
      c.saved.set(what, outputs[i + 1] as string);
    });
    e.append({ ...node, outputs });
  },
  backward: (c) => {
    const { e } = c;
    const rank = c.xDims().length;
    const axis = positiveAxis(intAttribute(c.node, 'axis', -1), rank);
    const axes = [...Array(rank).keys()].slice(axis);
    const inverse = c.saved.get('inverse') as string;
    const size = sizeOf(axes.map((a) => c.xDims()[a] as number));
    const rows = sizeOf(c.xDims()) / size;
    const flat = (v: string) => e.reshape(v, [rows, size]);
    // The operator without learned scale is the fastest way to xhat, and products with the scale as a column are the
    // fastest way to the means of dy scale and dy scale xhat.
    const ones = e.full([size], 1);
    const epsilon = epsilonOf(c);
    const xhat = e.emit('LayerNormalization', [flat(c.x()), ones], [rows, size], { axis: 1, epsilon });
    const dy = flat(c.dy());
    const weighted = c.needs(0) || c.needs(1) ? e.mul(dy, xhat) : undefined;
    let dx: string | undefined;
    if (c.needs(0) && weighted) {
      const scale = e.reshape(c.x(1), [1, size]);
      const column = e.scale(e.reshape(c.x(1), [size, 1]), 1 / size);
      const [mean, slope] = [e.matmul(dy, column), e.matmul(weighted, column)];
      const centred = e.sub(e.sub(e.mul(dy, scale), mean), e.mul(xhat, slope));
      dx = e.reshape(e.mul(centred, e.reshape(inverse, [rows, 1])), c.xDims());
    }
    const [, dMean, dInverse] = c.outputGradients;
    if (dx && dMean) dx = e.add(dx, e.scale(dMean, 1 / size));
    // d (1 / deviation) / dx = -xhat / (n deviation^2).
    if (dx && dInverse) {
      const slope = e.scale(e.mul(dInverse, e.mul(inverse, inverse)), -1 / size);
      dx = e.add(dx, e.mul(e.reshape(xhat, c.xDims()), slope));
    }
    return [
      dx,
      weighted && c.needs(1) ? e.reshape(e.sum(weighted, [0]), c.xDims(1)) : undefined,
      c.has(2) && c.needs(2) ? e.reshape(e.sum(dy, [0]), c.xDims(2)) : undefined,
    ];
  },
};

/** Instance norm is group norm with a group per channel. Set 18 scales per group, set 21 per channel. */
function groupNormBackward(c: RuleContext, groups: number): readonly (string | undefined)[] {
  const { e } = c;
  const [n, channels, ...space] = c.xDims() as [number, number, ...number[]];
  const per = channels / groups;
  const grouped = [n, groups, per, sizeOf(space)];
  const [x, dy] = [e.reshape(c.x(), grouped), e.reshape(c.dy(), grouped)];
  const scale = e.reshape(c.x(1), c.xDims(1)[0] === channels ? [groups, per, 1] : [groups, 1, 1]);
  const centred = e.sub(x, e.mean(x, [2, 3], true));
  const inverse = inverseDeviation(e, e.mean(e.mul(centred, centred), [2, 3], true), epsilonOf(c));
  const xhat = e.mul(centred, inverse);
  const summed = (v: string) => e.reshape(e.sumTo(v, e.dims(scale)), c.xDims(1));
  return [
    c.needs(0) ? e.reshape(normalisedGradient(e, e.mul(dy, scale), xhat, inverse, [2, 3]), c.xDims()) : undefined,
    c.needs(1) ? summed(e.mul(dy, xhat)) : undefined,
    c.needs(2) ? summed(dy) : undefined,
  ];
}

/** s^-beta; by roots for the usual 3/4, since runtimes take powers one element at a time. */
function inversePower(e: Emitter, s: string, beta: number): string {
  if (beta !== 0.75) return e.binary('Pow', s, e.scalar(-beta));
  const root = e.unary('Sqrt', s);
  return e.unary('Reciprocal', e.mul(root, e.unary('Sqrt', root)));
}

/** y = x s^-beta, s = bias + alpha mean(x^2 over a window of channels that counts zeros outside). */
const lrn: Backward = (c) => {
  const { e, node } = c;
  const size = intAttribute(node, 'size', 1);
  const alpha = floatAttribute(node, 'alpha', 1e-4);
  const beta = floatAttribute(node, 'beta', 0.75);
  const [n, channels, ...space] = c.xDims() as [number, number, ...number[]];
  const dims = [n, 1, channels, sizeOf(space)];
  const [below, above] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const windowMean = (v: string, pads: number[]) =>
    e.emit('AveragePool', [v], dims, { kernel_shape: [size, 1], pads, count_include_pad: 1 });
  const [x, y, dy] = [c.x(), c.y(), c.dy()].map((v) => e.reshape(v, dims)) as [string, string, string];
  const s = e.add(
    e.scale(windowMean(e.mul(x, x), [below, 0, above, 0]), alpha),
    e.scalar(floatAttribute(node, 'bias', 1)),
  );
  const direct = e.mul(dy, inversePower(e, s, beta));
  const spread = windowMean(e.div(e.mul(dy, y), s), [above, 0, below, 0]);
  return [e.reshape(e.sub(direct, e.mul(x, e.scale(spread, 2 * alpha * beta))), c.xDims())];
};

export const normalisation: RuleTable = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  GroupNormalization: (c) => groupNormBackward(c, intAttribute(c.node, 'num_groups', 1)),
  InstanceNormalization: (c) => groupNormBackward(c, c.xDims()[1] as number),
  LRN: lrn,
};
