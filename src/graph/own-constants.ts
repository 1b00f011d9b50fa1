/**
 * Gives every layer constants of its own. Exporters store equal initialisers once: PyTorch's writes an Identity for each
 * further use, or lets several nodes read one constant. What was equal by accident (statistics and scales of fresh norms,
 * zero biases, two norms of one value) would train as one parameter, and a layer's weights would be a node's output.
 */
import { type Graph, type Node, sizeOf, type Tensor, toNumbers } from '../ir/index.js';
import { prune } from './prune.js';

/**
 * The same function with:
 * - a constant for each Identity of a constant, and for each ConstantOfShape that a layer reads as its weights;
 * - running statistics for each batch norm;
 * - uniform vectors (all ones, all zeros) for each layer that learns them. Trained ones are never uniform: others that
 *   are shared are tied, and stay so.
 */
export function ownConstants(graph: Graph): Graph {
  const named = withoutAliases(graph);
  const constants = new Map(named.constants);
  const taken = new Set([...constants.keys(), ...named.inputs.map((v) => v.name)]);
  for (const node of named.nodes) for (const name of node.outputs) taken.add(name);
  const fresh = (hint: string) => {
    let name = hint;
    for (let i = 1; taken.has(name); i++) name = `${hint}.${i}`;
    taken.add(name);
    return name;
  };
  const owned = new Set<string>();
  const nodes = named.nodes.map((node): Node => {
    const inputs = node.inputs.map((name, i) => {
      const tensor = constants.get(name);
      if (!tensor || !isOwn(node, i, tensor)) return name;
      if (!owned.has(name)) {
        owned.add(name);
        return name;
      }
      const own = fresh(name);
      constants.set(own, tensor);
      return own;
    });
    return inputs.every((name, i) => name === node.inputs[i]) ? node : { ...node, inputs };
  });
  return constants.size === named.constants.size ? named : { ...named, nodes, constants };
}

/** Nodes whose value is a constant under another name, or one number everywhere, become constants. */
function withoutAliases(graph: Graph): Graph {
  const constants = new Map(graph.constants);
  const outputs = new Set(graph.outputs.map((v) => v.name));
  const weights = new Set(graph.nodes.flatMap((node) => node.inputs.filter((_, i) => isLearned(node, i))));
  const nodes = graph.nodes.filter((node) => {
    const [value = ''] = node.outputs;
    const from = constants.get(node.inputs[0] ?? '');
    if (node.domain !== '' || !from || outputs.has(value)) return true;
    const tensor = node.op === 'Identity' ? from : weights.has(value) ? filled(node, from) : undefined;
    if (tensor) constants.set(value, tensor);
    return tensor === undefined;
  });
  return nodes.length === graph.nodes.length ? graph : prune({ ...graph, nodes, constants });
}

/** The value of a ConstantOfShape of floats. */
function filled({ op, attributes: { value } }: Node, shape: Tensor): Tensor | undefined {
  if (op !== 'ConstantOfShape' || (value?.kind === 'tensor' && value.value.type !== 'float32')) return undefined;
  const number = value?.kind === 'tensor' ? (toNumbers(value.value)[0] ?? 0) : 0;
  const dims = toNumbers(shape);
  return { type: 'float32', dims, data: new Float32Array(sizeOf(dims)).fill(number) };
}

/** Inputs that layers learn, by operator: weights and the vectors of channels. */
const matrices: Readonly<Record<string, readonly number[]>> = {
  Conv: [1],
  ConvTranspose: [1],
  Gemm: [1],
  MatMul: [1],
};
const vectors: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [1, 2],
  Conv: [2],
  ConvTranspose: [2],
  Gemm: [2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  PRelu: [1],
};
const statistics = [3, 4];
const isStatistic = ({ op }: Node, i: number) => op === 'BatchNormalization' && statistics.includes(i);

function isLearned(node: Node, i: number): boolean {
  const of = (table: typeof vectors) => table[node.op]?.includes(i) ?? false;
  return node.domain === '' && (of(matrices) || of(vectors) || isStatistic(node, i));
}

/** Whether input `i` of a node, which is this constant, is to be the node's alone. */
function isOwn(node: Node, i: number, { type, dims, data }: Tensor): boolean {
  if (node.domain !== '') return false;
  if (isStatistic(node, i)) return true;
  if (!vectors[node.op]?.includes(i) || type !== 'float32' || sizeOf(dims) < 2) return false;
  return (data as Float32Array).every((v) => v === data[0]);
}
