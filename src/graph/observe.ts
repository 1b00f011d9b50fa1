/**
 * Observe, don't infer: shapes and pixel-independent values come from running the graph, not from rules per operator.
 */
import { UserError } from '../base/index.js';
import type { Engine, Program } from '../engine/index.js';
import { arrayClass, type Graph, type Node, type ObservedValue, sizeOf, type Tensor } from '../ir/index.js';
import { prune } from './prune.js';

/** The shape that a graph's only image input is to have: batch and image, e.g. [32, 3, 224, 224]. */
export type InputShape = readonly [number, ...number[]];

/** The image input of a backbone. @throws UserError when there is not exactly one input. */
export function imageInput(graph: Graph): Graph['inputs'][number] {
  const [input, ...others] = graph.inputs;
  if (!input || others.length > 0) {
    throw new UserError(
      `the model has ${graph.inputs.length} inputs (${graph.inputs.map((i) => i.name).join(', ')}); a backbone has one, the image`,
    );
  }
  return input;
}

/** Values that depend on the pixels, or on one of `also`. What is computed from shapes alone does not. */
export function pixelDependent(graph: Graph, also: Iterable<string> = []): ReadonlySet<string> {
  const dependent = new Set([...graph.inputs.map((i) => i.name), ...also]);
  for (const node of graph.nodes) {
    if (node.op === 'Shape' || node.op === 'Size') continue;
    const random = node.op.startsWith('Random') || node.op === 'Multinomial' || node.op === 'Bernoulli';
    const subgraph = Object.values(node.attributes).some((a) => a.kind === 'graph');
    if (random || subgraph || node.inputs.some((name) => dependent.has(name))) {
      for (const name of node.outputs) if (name) dependent.add(name);
    }
  }
  return dependent;
}

/** The graph with `values` as its outputs, compiled for one input shape. */
async function expose(graph: Graph, engine: Engine, shape: InputShape, values: readonly string[]): Promise<Program> {
  const exposed = prune({
    ...graph,
    inputs: [{ ...imageInput(graph), shape }],
    outputs: values.map((name) => ({ name })),
  });
  return engine.compile(exposed, { optimize: 'none' });
}

/** Deterministic pixels, varied enough that no channel is constant by accident. */
export function noise(graph: Graph, shape: InputShape): Record<string, Tensor> {
  const { name, type = 'float32' } = imageInput(graph);
  const data = new (arrayClass(type))(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    const v = ((Math.imul(i + 1, 2654435761) >>> 8) & 0xffff) / 0xffff;
    data[i] = (type === 'uint8' ? Math.floor(v * 255) : v * 4 - 2) as never;
  }
  return { [name]: { type, dims: shape, data } };
}

/**
 * Type and dims of every value of the graph for the given input shape: what the engine says when it loads the graph, and
 * one run for what it cannot say.
 */
export async function observe(
  graph: Graph,
  engine: Engine,
  shape: InputShape,
): Promise<ReadonlyMap<string, ObservedValue>> {
  const names = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  const observed = new Map<string, ObservedValue>();
  const input = imageInput(graph);
  observed.set(input.name, { type: input.type ?? 'float32', dims: shape });
  for (const [name, { type, dims }] of graph.constants) observed.set(name, { type, dims });
  const program = await expose(graph, engine, shape, names);
  try {
    const unknown = readDeclared(program, observed);
    const results = unknown.length > 0 ? await program.run(noise(graph, shape), unknown) : {};
    for (const [name, { type, dims }] of Object.entries(results)) observed.set(name, { type, dims: [...dims] });
  } finally {
    await program.dispose();
  }
  return observed;
}

/** Adds what the engine knows of a program's outputs before any run. @returns the outputs that it cannot tell */
export function readDeclared(program: Program, observed: Map<string, ObservedValue>): string[] {
  const unknown: string[] = [];
  for (const { name, type, shape: dims } of program.outputInfo) {
    if (type && dims?.every((d) => typeof d === 'number')) observed.set(name, { type, dims });
    else unknown.push(name);
  }
  return unknown;
}

export interface SpecialiseOptions {
  /** Constants that stay as they are, with the nodes that compute from them: weights that are to be trained. */
  keep?: Iterable<string>;
  /** Keeps Dropout nodes, which do nothing at inference. */
  keepDropout?: boolean;
}

/**
 * Partial evaluation for one input shape: everything that does not depend on the pixels becomes a constant, nodes that
 * do nothing go, and the input is declared with this shape. The result is static: no Shape, no Gather of shapes.
 * @throws UserError when the graph does not accept the shape.
 */
export async function specialise(
  graph: Graph,
  engine: Engine,
  shape: InputShape,
  { keep = [], keepDropout = false }: SpecialiseOptions = {},
): Promise<Graph> {
  const input = imageInput(graph);
  const dependent = pixelDependent(graph, keep);
  const foldable = graph.nodes.flatMap((n) => n.outputs.filter((name) => name !== '' && !dependent.has(name)));
  const needed = neededConstants(graph, dependent, new Set(foldable));
  const folded = needed.length > 0 ? await evaluate(graph, engine, shape, needed) : {};
  const constants = new Map(graph.constants);
  for (const [name, tensor] of Object.entries(folded)) constants.set(name, { ...tensor, dims: [...tensor.dims] });
  const nodes = graph.nodes.filter((node) => node.outputs.some((name) => dependent.has(name)));
  const fixed = prune({ ...graph, inputs: [{ ...input, shape }], nodes, constants });
  return prune(withoutIdle(fixed, await observe(fixed, engine, shape), keepDropout));
}

/** The values of a graph on noise. */
async function evaluate(
  graph: Graph,
  engine: Engine,
  shape: InputShape,
  values: readonly string[],
): Promise<Record<string, Tensor>> {
  const program = await expose(graph, engine, shape, values);
  try {
    return await program.run(noise(graph, shape));
  } finally {
    await program.dispose();
  }
}

/** The foldable values that a node which stays, or an output, reads. */
function neededConstants(graph: Graph, dependent: ReadonlySet<string>, foldable: ReadonlySet<string>): string[] {
  const needed = new Set<string>();
  for (const node of graph.nodes) {
    if (!node.outputs.some((name) => dependent.has(name))) continue;
    for (const name of node.inputs) if (foldable.has(name)) needed.add(name);
  }
  for (const { name } of graph.outputs) if (foldable.has(name)) needed.add(name);
  return [...needed];
}

/** Takes out nodes that return their input: Identity, inference Dropout, Cast to the same type, shape changes to the same shape. */
function withoutIdle(graph: Graph, observed: ReadonlyMap<string, ObservedValue>, keepDropout: boolean): Graph {
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const replaced = new Map<string, string>();
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((name) => replaced.get(name) ?? name) };
    const [from, to] = [node.inputs[0], node.outputs[0]];
    const kept = keepDropout && node.op === 'Dropout';
    if (from && to && !kept && !outputs.has(to) && isIdle(node, observed.get(from), observed.get(to))) {
      replaced.set(to, from);
    } else {
      nodes.push(node);
    }
  }
  return { ...graph, nodes };
}

function isIdle(node: Node, from: ObservedValue | undefined, to: ObservedValue | undefined): boolean {
  if (node.domain !== '' || !from || !to) return false;
  const sameShape = from.dims.length === to.dims.length && from.dims.every((d, i) => d === to.dims[i]);
  switch (node.op) {
    case 'Identity':
      return true;
    case 'Dropout':
      return node.inputs.length < 3;
    case 'Cast':
      return from.type === to.type;
    case 'Reshape':
    case 'Flatten':
    case 'Expand':
    case 'Squeeze':
    case 'Unsqueeze':
      return sameShape;
    default:
      return false;
  }
}
