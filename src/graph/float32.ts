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

const halves: ReadonlySet<DataType | undefined> = new Set(['float16', 'bfloat16']);
const halvesAndDouble: ReadonlySet<DataType | undefined> = new Set(['float16', 'bfloat16', 'float64']);
type Types = typeof halves;

/** The same numbers as float32; tensors of other types come back as they are. */
export function tensorToFloat32(tensor: Tensor, types: Types = halves): Tensor {
  if (!types.has(tensor.type)) return tensor;
  if (tensor.type === 'float64')
    return { ...tensor, type: 'float32', data: Float32Array.from(tensor.data as Float64Array) };
  const convert = tensor.type === 'float16' ? fromFloat16 : fromBfloat16;
  return { type: 'float32', dims: tensor.dims, data: Float32Array.from(tensor.data as Uint16Array, convert) };
}

/**
 * A model whose float16 and bfloat16 inputs, outputs, weights and casts are float32, so that it computes (and trains)
 * in single precision; float64 too with `double`. Results differ from the original's by its rounding. Other graphs come
 * back equal.
 */
export function toFloat32(graph: Graph, { double = false } = {}): Graph {
  return narrowed(graph, double ? halvesAndDouble : halves);
}

function narrowed(graph: Graph, types: Types): Graph {
  const value = (info: ValueInfo): ValueInfo => (types.has(info.type) ? { ...info, type: 'float32' } : info);
  return {
    ...graph,
    inputs: graph.inputs.map(value),
    outputs: graph.outputs.map(value),
    nodes: graph.nodes.map((node) => nodeToFloat32(node, types)),
    constants: new Map([...graph.constants].map(([name, tensor]) => [name, tensorToFloat32(tensor, types)])),
  };
}

function nodeToFloat32(node: Node, types: Types): Node {
  const attributes = Object.entries(node.attributes).map(([name, a]): [string, Attribute] => {
    if (a.kind === 'tensor') return [name, { ...a, value: tensorToFloat32(a.value, types) }];
    if (a.kind === 'graph') return [name, { ...a, value: narrowed(a.value, types) }];
    if (a.kind === 'int' && typeAttributes.has(name) && types.has(typeOfNumber(a.value))) {
      return [name, { ...a, value: numberOfType('float32') }];
    }
    return [name, a];
  });
  return { ...node, attributes: Object.fromEntries(attributes) };
}
