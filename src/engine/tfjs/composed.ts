/** Operators that this engine has no kernels for, as what they are made of: planned once for each shape of their inputs. */
import { type Dims, expanded, type Graph, type Node, type ObservedValue, OPSET, type Tensor } from '../../ir/index.js';
import type { Inputs } from './ops/op.js';

/** What runs a graph of one operator's parts. */
export interface Composed {
  readonly graph: Graph;
  /** Which of the node's inputs are the graph's. */
  readonly inputs: readonly number[];
}

/** @param constants that the node may read: an expansion may ask for numbers */
export function composed(node: Node, inputs: Inputs, constants: ReadonlyMap<string, Tensor>): Composed {
  const shapes = new Map<string, Dims>();
  const observed = new Map<string, ObservedValue>();
  const places: number[] = [];
  const own = new Map<string, Tensor>();
  node.inputs.forEach((name, i) => {
    const value = inputs[i];
    if (name === '' || !value || shapes.has(name)) return;
    shapes.set(name, value.dims);
    observed.set(name, { type: value.type, dims: value.dims });
    const constant = constants.get(name);
    if (constant) own.set(name, constant);
    else places.push(i);
  });
  const graph: Graph = {
    name: node.name,
    inputs: places.map((i) => ({ name: node.inputs[i] as string })),
    outputs: node.outputs.filter((name) => name !== '').map((name) => ({ name })),
    nodes: [node],
    constants: own,
    opsets: new Map([['', OPSET]]),
    metadata: new Map(),
  };
  const refusal = 'is not computed by the engine tfjs';
  const written = expanded(graph, new Set(node.outputs), observed, shapes, 'float32', refusal);
  return { graph: written, inputs: places };
}
