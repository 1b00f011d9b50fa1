/**
 * Undoing folded batch normalisations. Exporters multiply a batch normalisation into the convolution before it; the
 * network infers faster, and then hardly trains. A normalisation put back after each such convolution, its scale and
 * shift set so that nothing changes at the start, lets it train as one with live norms.
 *
 * In front of a normalisation only the direction of a channel's weights matters, and a step of size lr turns it by about
 * lr / ||w||^2. Folding multiplied the weights by the norm's scale over its deviation: in MobileNetV2 some layers then
 * learn fifty times as fast as with their own norms and forget what they knew. So every channel's weights are brought to
 * one norm, that of fresh networks and near that of trained ones, which the normalisation undoes.
 */
import { UserError } from '../base/index.js';
import type { Engine, Tensors } from '../engine/index.js';
import { float32, type Graph, GraphBuilder, intsAttribute, type Node, type Tensor, toNumbers } from '../ir/index.js';
import { linksOf } from './links.js';
import { prune } from './prune.js';
import { upgrade } from './upgrade.js';

/** Mean and variance over images and positions, one number per channel. */
export interface ChannelStatistics {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** What follows a folded normalisation in the networks that have them. */
const followers = new Set(
  'Relu Clip LeakyRelu PRelu Elu Sigmoid HardSigmoid HardSwish Softplus Tanh Mul Add Conv MaxPool Pad Concat'.split(
    ' ',
  ),
);
const EPSILON = 1e-5;
/** Expected norm of a channel's weights after Kaiming's uniform initialisation; MobileNetV2's trained median is .64. */
const NORM = 1 / Math.sqrt(3);

/**
 * Convolutions that look as if a batch normalisation had been folded into them: with a constant bias, followed at once
 * by an activation, a sum or the next convolution, in a graph without any normalisation. Empty when there are none.
 * A network that never had norms (SqueezeNet, VGG) looks the same.
 */
export function detectFoldedNorms(graph: Graph): Node[] {
  if (graph.nodes.some((node) => node.op.endsWith('Normalization') || node.op === 'LRN')) return [];
  const { consumers } = linksOf(graph);
  return graph.nodes.filter((node) => {
    const [, weight = '', bias = ''] = node.inputs;
    const readers = consumers.get(node.outputs[0] ?? '') ?? [];
    return (
      node.op === 'Conv' &&
      graph.constants.has(weight) &&
      graph.constants.has(bias) &&
      readers.length > 0 &&
      readers.every((reader) => followers.has(reader.op)) &&
      !graph.outputs.some((v) => v.name === node.outputs[0])
    );
  });
}

/**
 * Channel statistics of the outputs of `convolutions` over batches of training images.
 * @param batches feeds of the graph, the image first: (n, channels, height, width), any n
 */
export async function channelStatistics(
  graph: Graph,
  convolutions: readonly Node[],
  engine: Engine,
  batches: Iterable<Tensors> | AsyncIterable<Tensors>,
): Promise<Map<string, ChannelStatistics>> {
  const values = convolutions.map((node) => node.outputs[0] as string);
  const { measuring, outputs } = measured(graph, convolutions);
  const program = await engine.compile(measuring);
  const parts: { images: number; results: Tensors }[] = [];
  try {
    for await (const feeds of batches) {
      const images = feeds[graph.inputs[0]?.name ?? '']?.dims[0] ?? 0;
      parts.push({ images, results: await program.run(feeds) });
    }
  } finally {
    await program.dispose();
  }
  const images = parts.reduce((sum, part) => sum + part.images, 0);
  if (images === 0) throw new UserError('there are no images to calibrate the normalisations on');
  return new Map(
    values.map((value, i) => {
      const [meanName, varianceName] = outputs[i] as [string, string];
      const read = (name: string) => parts.map((part) => toNumbers(part.results[name] ?? float32([0], [])));
      return [
        value,
        pooled(
          read(meanName),
          read(varianceName),
          parts.map((part) => part.images / images),
        ),
      ];
    }),
  );
}

/** The graph whose outputs are the mean and variance of each convolution. */
function measured(graph: Graph, convolutions: readonly Node[]): { measuring: Graph; outputs: [string, string][] } {
  const b = new GraphBuilder(upgrade(graph), 'calibrate');
  b.clearOutputs();
  const outputs = convolutions.map((node): [string, string] => {
    const value = node.outputs[0] as string;
    const positions = intsAttribute(node, 'kernel_shape')?.length ?? 2;
    const axes = b.ints([0, ...Array.from({ length: positions }, (_, i) => i + 2)]);
    const mean = b.op('ReduceMean', [value, axes], { keepdims: 1 });
    const apart = b.op('Sub', [value, mean]);
    const variance = b.op('ReduceMean', [b.op('Mul', [apart, apart]), axes], { keepdims: 0 });
    const flat = b.op('Reshape', [mean, b.ints([-1])]);
    return [b.output(flat), b.output(variance)];
  });
  return { measuring: prune(b.build()), outputs };
}

/** Statistics of the union of batches from those of the batches; weights sum to one. */
function pooled(means: number[][], variances: number[][], weights: number[]): ChannelStatistics {
  const channels = means[0]?.length ?? 0;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    weights.forEach((w, k) => {
      mean[c] = (mean[c] ?? 0) + w * (means[k]?.[c] ?? 0);
    });
    weights.forEach((w, k) => {
      const apart = (means[k]?.[c] ?? 0) - (mean[c] ?? 0);
      variance[c] = (variance[c] ?? 0) + w * ((variances[k]?.[c] ?? 0) + apart * apart);
    });
  }
  return { mean, variance };
}

/**
 * The graph with a BatchNormalization (inference form) after each convolution that `statistics` names by its value:
 * running mean and variance as calibrated, scale and shift their inverse, so that the function stays as it is, and
 * stays nearly so with the statistics of a batch. The convolution loses its bias, which the shift replaces. The value
 * keeps its name.
 * @throws UserError when a named value is not a convolution's, or has another number of channels.
 */
export function unfoldNorms(graph: Graph, statistics: ReadonlyMap<string, ChannelStatistics>): Graph {
  const found = new Set(graph.nodes.filter((n) => n.op === 'Conv').map((n) => n.outputs[0]));
  const missing = [...statistics.keys()].find((name) => !found.has(name));
  if (missing !== undefined) throw new UserError(`'${missing}' is not the value of a convolution of this model`);
  const b = GraphBuilder.rewriting(graph, 'unfold');
  const { consumers } = linksOf(graph);
  const weights = new Map<string, Tensor>();
  for (const node of graph.nodes) {
    const value = node.outputs[0] ?? '';
    const measured = node.op === 'Conv' ? statistics.get(value) : undefined;
    if (!measured) {
      b.append(node);
      continue;
    }
    const name = node.inputs[1] as string;
    const weight = graph.constants.get(name);
    const factors = new Float64Array(measured.mean.length).fill(1);
    // Weights that several nodes share stay as they are.
    if (weight && (consumers.get(name) ?? []).length === 1) weights.set(name, toOneNorm(weight, factors));
    addNorm(graph, b, node, value, measured, factors);
  }
  const unfolded = prune(b.build());
  return { ...unfolded, constants: new Map([...unfolded.constants, ...weights]) };
}

/** Every output channel's weights brought to one norm; writes what each was multiplied by into `factors`. */
function toOneNorm(weight: Tensor, factors: Float64Array): Tensor {
  const data = Float32Array.from(weight.data as Float32Array);
  const size = data.length / factors.length;
  for (let c = 0; c < factors.length; c++) {
    const channel = data.subarray(c * size, (c + 1) * size);
    const norm = Math.hypot(...channel);
    // A channel that is constant knows no direction.
    if (!(norm > 1e-6)) continue;
    const factor = NORM / norm;
    factors[c] = factor;
    for (let i = 0; i < size; i++) channel[i] = factor * (channel[i] as number);
  }
  return float32(weight.dims, data);
}

function addNorm(
  graph: Graph,
  b: GraphBuilder,
  node: Node,
  value: string,
  { mean, variance }: ChannelStatistics,
  factors: Float64Array,
): void {
  const [x, weight, bias] = node.inputs as [string, string, string?];
  const channels = graph.constants.get(weight)?.dims[0];
  if (channels !== mean.length) {
    throw new UserError(`'${value}' has ${channels} channels, its statistics have ${mean.length}`);
  }
  const offset = bias ? graph.constants.get(bias) : undefined;
  const biases = offset ? toNumbers(offset) : [];
  const dropped = bias === undefined || bias === '' || offset !== undefined;
  const raw = b.fresh(`${value}.raw`);
  b.append({ ...node, inputs: dropped ? [x, weight] : node.inputs, outputs: [raw] });
  const parameter = (role: string, of: (c: number) => number) =>
    b.constant(
      float32(
        [mean.length],
        Float32Array.from(mean, (_, c) => of(c)),
      ),
      `${value}.norm.${role}`,
    );
  const factor = (c: number) => factors[c] as number;
  const inputs = [
    raw,
    parameter('scale', (c) => Math.sqrt((variance[c] as number) + EPSILON / factor(c) ** 2)),
    parameter('shift', (c) => mean[c] as number),
    parameter('mean', (c) => factor(c) * ((mean[c] as number) - (biases[c] ?? 0))),
    parameter('variance', (c) => factor(c) ** 2 * (variance[c] as number)),
  ];
  b.node('BatchNormalization', inputs, [value], { epsilon: EPSILON, momentum: 0.9 });
}
