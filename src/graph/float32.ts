/** Models of 16-bit floats as models of float32. */
import {
  type Attribute,
  type DataType,
  fromBfloat16,
  fromFloat16,
  type Graph,
  type Node,
  numberOfType,
  type Tensor,
  typeOfNumber,
  type ValueInfo,
} from '../ir/index.js';

/** Attributes that name an element type. */
const typeAttributes = new Set(['to', 'dtype', 'stash_type', 'output_dtype']);

const isHalf = (type: DataType | undefined) => type === 'float16' || type === 'bfloat16';

/** The same numbers as float32; tensors of other types come back as they are. */
export function tensorToFloat32(tensor: Tensor): Tensor {
  if (!isHalf(tensor.type)) return tensor;
  const convert = tensor.type === 'float16' ? fromFloat16 : fromBfloat16;
  return { type: 'float32', dims: tensor.dims, data: Float32Array.from(tensor.data as Uint16Array, convert) };
}

/**
 * A model whose float16 and bfloat16 inputs, outputs, weights and casts are float32, so that it computes (and trains)
 * in single precision. Results differ from the original's by its rounding. Other graphs come back equal.
 */
export function toFloat32(graph: Graph): Graph {
  const value = (info: ValueInfo): ValueInfo => (isHalf(info.type) ? { ...info, type: 'float32' } : info);
  return {
    ...graph,
    inputs: graph.inputs.map(value),
    outputs: graph.outputs.map(value),
    nodes: graph.nodes.map(nodeToFloat32),
    constants: new Map([...graph.constants].map(([name, tensor]) => [name, tensorToFloat32(tensor)])),
  };
}

function nodeToFloat32(node: Node): Node {
  const attributes = Object.entries(node.attributes).map(([name, a]): [string, Attribute] => {
    if (a.kind === 'tensor') return [name, { ...a, value: tensorToFloat32(a.value) }];
    if (a.kind === 'graph') return [name, { ...a, value: toFloat32(a.value) }];
    if (a.kind === 'int' && typeAttributes.has(name) && isHalf(typeOfNumber(a.value))) {
      return [name, { ...a, value: numberOfType('float32') }];
    }
    return [name, a];
  });
  return { ...node, attributes: Object.fromEntries(attributes) };
}
