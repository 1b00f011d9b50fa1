/**
 * Attention that an exporter wrote in a dozen nodes, given back to the engine as one operator.
 *
 * A block is found by its Softmax and proposed as com.microsoft MultiHeadAttention on the three thirds of the projection
 * that it reads; the projection's weights are cut in three, so that nothing is split or transposed while running. Whether
 * the proposal computes the same is not inferred but observed: both are run on noise, and only equal ones are exchanged.
 */
import { UserError, WorkError } from '../base/index.js';
import type { Engine, Program } from '../engine/index.js';
import { float32, type Graph, GraphBuilder, type Node, type Tensor } from '../ir/index.js';
import { ancestors, type Links, linksOf, onlyConsumer } from './links.js';
import { noise } from './noise.js';
import { prune } from './prune.js';
import type { StaticGraph } from './specialise.js';

/** Largest difference, relative to the largest value, at which two ways of computing attention count as equal. */
const tolerance = 1e-4;

const fusedDomain = 'com.microsoft';

interface Block {
  readonly softmax: Node;
  /** (B, tokens, 3 x heads x size): queries, keys and values side by side. */
  readonly projected: string;
  /** (B, tokens, heads x size) */
  readonly result: string;
  readonly heads: number;
  readonly width: number;
}

/**
 * Replaces the attention blocks of a graph where the engine has the fused operator.
 * @param network what `graph` was made from, by adding to it or cutting it: what is known of its values
 * @returns the graph itself when it has no attention or the engine lacks the operator
 */
export async function fuseAttention(graph: Graph, network: StaticGraph, engine: Engine): Promise<Graph> {
  if (!engine.domains.includes(fusedDomain)) return graph;
  const links = linksOf(graph);
  const blocks = graph.nodes
    .filter((n) => n.op === 'Softmax')
    .flatMap((softmax) => findBlock(graph, links, network, softmax) ?? []);
  if (blocks.length === 0) return graph;
  const builder = new GraphBuilder(graph, 'attention');
  builder.domain(fusedDomain, 1);
  const fused = blocks.map((block) => propose(builder, graph, links, block));
  const proposal = builder.build();
  const equal = await sameValues(proposal, engine, network, blocks, fused);
  const exchange = new Map(blocks.flatMap((b, i) => (equal[i] ? [[b.result, fused[i] as string] as const] : [])));
  if (exchange.size === 0) return graph;
  return prune(inOrder(rewired(proposal, exchange)));
}

function findBlock(graph: Graph, links: Links, network: StaticGraph, softmax: Node): Block | undefined {
  const scores = network.dims(softmax.outputs[0] as string) ?? [];
  const [batch = 0, heads = 0, tokens = 0, keys] = scores;
  if (scores.length !== 4 || tokens !== keys) return undefined;
  // Forward: weights times values, then back to (B, tokens, width).
  let result = softmax.outputs[0] as string;
  for (let steps = 0; (network.dims(result)?.length ?? 0) !== 3; steps++) {
    const next = onlyConsumer(graph, links, result);
    if (!next || steps > 4) return undefined;
    result = next.outputs[0] as string;
  }
  const width = network.dims(result)?.[2] ?? 0;
  // Backward: the nearest (B, tokens, 3 width) that everything inside is computed from.
  const inside = ancestors(links, result);
  const projected = graph.nodes
    .filter((n) => inside.has(n))
    .map((n) => n.outputs[0] as string)
    .findLast((name) => {
      const dims = network.dims(name);
      return dims?.length === 3 && dims[0] === batch && dims[1] === tokens && dims[2] === 3 * width;
    });
  return projected && width % heads === 0 ? { softmax, projected, result, heads, width } : undefined;
}

/** Adds the fused form of a block and returns its result. */
function propose(b: GraphBuilder, graph: Graph, links: Links, { projected, heads, width }: Block): string {
  const parts = thirds(b, graph, links, projected, width);
  return b.opIn(fusedDomain, 'MultiHeadAttention', parts, { num_heads: heads });
}

/** Queries, keys and values as separate projections, or as slices where the projection's weights are not at hand. */
function thirds(b: GraphBuilder, graph: Graph, links: Links, projected: string, width: number): string[] {
  const add = links.producer.get(projected);
  const bias = add?.op === 'Add' ? add.inputs.find((name) => graph.constants.has(name)) : undefined;
  const product = bias ? links.producer.get(add?.inputs.find((name) => name !== bias) ?? '') : add;
  const weight = product?.op === 'MatMul' ? graph.constants.get(product.inputs[1] ?? '') : undefined;
  return [0, 1, 2].map((i) => {
    if (!product || weight?.dims.length !== 2) {
      return b.op('Slice', [projected, b.ints([i * width]), b.ints([(i + 1) * width]), b.ints([2])]);
    }
    const value = b.matmul(product.inputs[0] as string, b.constant(columns(weight, i * width, width)));
    const own = bias && graph.constants.get(bias);
    return own ? b.add(value, b.constant(columns(own, i * width, width))) : value;
  });
}

/** Columns [first, first + count) of a matrix or vector. */
function columns(tensor: Tensor, first: number, count: number): Tensor {
  const total = tensor.dims.at(-1) as number;
  const data = tensor.data as Float32Array;
  const rows = data.length / total;
  const out = new Float32Array(rows * count);
  for (let r = 0; r < rows; r++) out.set(data.subarray(r * total + first, r * total + first + count), r * count);
  return float32([...tensor.dims.slice(0, -1), count], out);
}

/** Whether the two forms of each block give the same on noise. */
async function sameValues(
  proposal: Graph,
  engine: Engine,
  { input, shape, values: observed }: StaticGraph,
  blocks: readonly Block[],
  fused: readonly string[],
): Promise<boolean[]> {
  const outputs = [...blocks.map((b) => b.result), ...fused].map((name) => ({ name }));
  const feeds = { [input]: noise(observed.get(input)?.type ?? 'float32', shape) };
  const values = await runIfPossible(engine, prune({ ...proposal, outputs }), (program) => program.run(feeds));
  if (!values) return blocks.map(() => false);
  return blocks.map((b, i) => {
    const [x, y] = [values[b.result]?.data as Float32Array, values[fused[i] as string]?.data as Float32Array];
    let [largest, difference] = [0, 0];
    for (let k = 0; k < x.length; k++) {
      largest = Math.max(largest, Math.abs(x[k] as number));
      difference = Math.max(difference, Math.abs((x[k] as number) - (y[k] as number)));
    }
    return difference <= tolerance * largest;
  });
}

/** Nothing from an engine that lacks the operator, or refuses a proposal; other errors are not for here. */
async function runIfPossible<T>(
  engine: Engine,
  graph: Graph,
  run: (program: Program) => Promise<T>,
): Promise<T | undefined> {
  let program: Program | undefined;
  try {
    program = await engine.compile(graph, { optimize: 'none' });
    return await run(program);
  } catch (error) {
    if (error instanceof UserError || error instanceof WorkError) return undefined;
    throw error;
  } finally {
    await program?.dispose();
  }
}

function rewired(graph: Graph, exchange: ReadonlyMap<string, string>): Graph {
  const made = new Set(exchange.values());
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.outputs.some((name) => made.has(name))
        ? node
        : { ...node, inputs: node.inputs.map((name) => exchange.get(name) ?? name) },
    ),
  };
}

/** The nodes in topological order, otherwise as they stand. */
function inOrder(graph: Graph): Graph {
  const { producer } = linksOf(graph);
  const placed = new Set<Node>();
  const nodes: Node[] = [];
  const place = (node: Node): void => {
    if (placed.has(node)) return;
    placed.add(node);
    for (const name of node.inputs) {
      const before = producer.get(name);
      if (before) place(before);
    }
    nodes.push(node);
  };
  for (const node of graph.nodes) place(node);
  return { ...graph, nodes };
}
