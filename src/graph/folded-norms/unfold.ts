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
import { UserError } from '../../base/index.js';
import { float32, type Graph, GraphBuilder, type Node, type Tensor, toNumbers } from '../../ir/index.js';
import { linksOf } from '../links.js';
import { prune } from '../prune.js';
import type { ChannelStatistics } from './channel-statistics.js';

const EPSILON = 1e-5;
/** Expected norm of a channel's weights after Kaiming's uniform initialisation; MobileNetV2's trained median is .64. */
const NORM = 1 / Math.sqrt(3);

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
    addNorm(b, node, measured, factors);
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

/** Writes the convolution without its bias and the norm behind it; `factors` are what its weights were multiplied by. */
function addNorm(b: GraphBuilder, node: Node, { mean, variance }: ChannelStatistics, factors: Float64Array): void {
  const [x, weight, bias] = node.inputs as [string, string, string?];
  const [value] = node.outputs as [string];
  const channels = b.constantOf(weight)?.dims[0];
  if (channels !== undefined && channels !== mean.length) {
    throw new UserError(`'${value}' has ${channels} channels, its statistics have ${mean.length}`);
  }
  const offset = bias ? b.constantOf(bias) : undefined;
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
