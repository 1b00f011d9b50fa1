/** Quantised models: weights back to float32, and on request activations too. */
import { UserError } from '../base/index.js';
import {
  type Graph,
  GraphBuilder,
  intAttribute,
  type Node,
  nodeLabel,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../ir/index.js';
import { tensorToFloat32 } from './float32.js';
import { linksOf } from './links.js';
import { bypassIdentities, prune } from './prune.js';

/** What becomes of quantised values. */
export interface DequantizeOptions {
  /**
   * 'keep' leaves QuantizeLinear-DequantizeLinear pairs on activations, so that the outputs stay as they are.
   * 'drop' removes their rounding, which has no gradient. A pair that starts at zero stands for a folded ReLU and
   * becomes the Clip to its range, unless the value is that of an activation already.
   */
  activations: 'keep' | 'drop';
}

/** Operators that compute on integers. */
const integerOps = new Set([
  'QLinearConv',
  'QLinearMatMul',
  'ConvInteger',
  'MatMulInteger',
  'DynamicQuantizeLinear',
  'QGemm',
  'QLinearAdd',
  'QLinearMul',
  'QLinearConcat',
  'QLinearGlobalAveragePool',
  'QLinearAveragePool',
  'QLinearSigmoid',
  'QLinearLeakyRelu',
  'QLinearSoftmax',
  'QAttention',
]);
const activations = new Set(['Relu', 'Clip', 'Sigmoid', 'HardSigmoid', 'Softmax', 'MaxPool', 'Abs']);

/** Smallest and largest value of the integer types. */
const ranges: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/**
 * A model quantised in QDQ form with its weights as float32 constants: every DequantizeLinear of a constant is folded.
 * @throws UserError when the model computes on integers (QLinearConv and its like), or has blocked scales.
 */
export function dequantize(graph: Graph, options: Partial<DequantizeOptions> = {}): Graph {
  const integer = graph.nodes.find((node) => integerOps.has(node.op));
  if (integer) {
    throw new UserError(
      `the model computes on integers (${nodeLabel(integer)}): export it in float32, or quantise it in QDQ format`,
    );
  }
  if (!graph.nodes.some((node) => node.op === 'DequantizeLinear')) return graph;
  const builder = GraphBuilder.rewriting(graph, 'dq');
  const { producer } = linksOf(graph);
  const folded = new Map<string, Tensor>();
  for (const node of graph.nodes) {
    const tensor = node.op === 'DequantizeLinear' ? constantValue(graph, node) : undefined;
    const quantised = producer.get(node.inputs[0] ?? '');
    if (tensor) folded.set(node.outputs[0] as string, tensor);
    else if (options.activations === 'drop' && node.op === 'DequantizeLinear' && quantised?.op === 'QuantizeLinear') {
      withoutRounding(graph, builder, node, quantised, producer.get(quantised.inputs[0] ?? ''));
    } else builder.append(node);
  }
  const built = builder.build();
  return bypassIdentities(prune({ ...built, constants: new Map([...built.constants, ...folded]) }));
}

/** (x - zeroPoint) * scale of a constant, or undefined when x, scale or zero point is not constant. */
function constantValue(graph: Graph, node: Node): Tensor | undefined {
  const [x, scale, zeroPoint] = node.inputs.map((name) => graph.constants.get(name));
  if (!x || !scale || (node.inputs[2] && !zeroPoint) || !ranges[x.type]) return undefined;
  if (intAttribute(node, 'block_size', 0) > 0) {
    throw new UserError(`${nodeLabel(node)} has one scale per block, which toehold does not read; use one per channel`);
  }
  const scales = toNumbers(tensorToFloat32(scale));
  const zeros = zeroPoint ? toNumbers(zeroPoint) : [];
  const axis = intAttribute(node, 'axis', 1);
  const at = axis < 0 ? axis + x.dims.length : axis;
  const perAxis = scales.length > 1;
  if (perAxis && x.dims[at] !== scales.length) {
    throw new UserError(
      `${nodeLabel(node)} has ${scales.length} scales for axis ${axis} of shape [${x.dims}]: the file is damaged`,
    );
  }
  const inner = perAxis ? sizeOf(x.dims.slice(at + 1)) : 1;
  const integers = x.data as Int8Array;
  const data = new Float32Array(integers.length);
  for (let i = 0; i < data.length; i++) {
    const channel = perAxis ? Math.floor(i / inner) % scales.length : 0;
    data[i] = ((integers[i] as number) - (zeros[channel] ?? 0)) * (scales[channel] as number);
  }
  return { type: 'float32', dims: x.dims, data };
}

/** Writes the pair as the float function that it rounds. */
function withoutRounding(
  graph: Graph,
  builder: GraphBuilder,
  node: Node,
  quantised: Node,
  source: Node | undefined,
): void {
  const x = quantised.inputs[0] as string;
  const output = node.outputs.slice(0, 1);
  const scale = graph.constants.get(quantised.inputs[1] ?? '');
  const zeroPoint = graph.constants.get(quantised.inputs[2] ?? '');
  const [low, high] = ranges[zeroPoint?.type ?? 'uint8'] as [number, number];
  const zero = zeroPoint ? (toNumbers(zeroPoint)[0] as number) : 0;
  const startsAtZero = scale?.data.length === 1 && zero === low;
  if (startsAtZero && !(source && activations.has(source.op))) {
    const top = (high - zero) * (toNumbers(tensorToFloat32(scale))[0] as number);
    builder.node('Clip', [x, builder.scalar(0), builder.scalar(top)], output);
  } else builder.node('Identity', [x], output);
}
