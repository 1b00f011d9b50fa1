/** Partial evaluation of a network for one shape of its image input. */
import { UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import { type Graph, type Node, type ObservedValue, sizeOf, type Tensor } from '../ir/index.js';
import { type Axes, axesOf, type Layout, layoutOf } from './axes/index.js';
import { inlineIfs } from './inline-if.js';
import { isMask, type Origins, originsOf } from './layers/parameters.js';
import { type Links, linksOf } from './links.js';
import { noise } from './noise.js';
import { type Observed, observe } from './observe.js';
import { pixelDependent } from './pixel-dependent.js';
import { type FoldedProducts, foldedProductsOf } from './products.js';
import { prune, reads } from './prune.js';

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

/**
 * A network for one input shape, made by `specialise`: no shape is computed while it runs (no Shape, no Gather of
 * shapes), and the type and dims of every value are known.
 */
export class StaticGraph {
  #links: Links | undefined;
  #axes: ReadonlyMap<string, Axes> | undefined;

  constructor(
    readonly graph: Graph,
    /** Of the image input. */
    readonly shape: InputShape,
    readonly values: Observed,
    /** What its constants were computed from. */
    readonly origins: Origins = new Map(),
    /** Products that its constants were computed by. */
    readonly foldedProducts: FoldedProducts = new Map(),
  ) {}

  get batch(): number {
    return this.shape[0];
  }

  /** Name of the image input. */
  get input(): string {
    return imageInput(this.graph).name;
  }

  get links(): Links {
    this.#links ??= linksOf(this.graph);
    return this.#links;
  }

  /** What the axes of each value count that is computed from the image. */
  get axes(): ReadonlyMap<string, Axes> {
    this.#axes ??= axesOf(this);
    return this.#axes;
  }

  /** How the activations of a value lie; undefined for values that are not floats, or have not one row per example. */
  layout(value: string): Layout | undefined {
    const [axes, found] = [this.axes.get(value), this.values.get(value)];
    return axes && found?.type === 'float32' ? layoutOf(axes, found.dims) : undefined;
  }

  /** Dims of a value; undefined when the graph has none of that name. */
  dims(value: string): readonly number[] | undefined {
    return this.values.get(value)?.dims;
  }
}

/** What stays open when shapes are fixed and constants are folded. */
export interface SpecialiseOptions {
  /** Constants that stay as they are, with the nodes that compute from them: weights that are to be trained. */
  keep?: Iterable<string>;
  /** Keeps Dropout nodes, which do nothing at inference. */
  keepDropout?: boolean;
}

/**
 * Everything that does not depend on the pixels becomes a constant, nodes that do nothing go, and the input is declared
 * with its shape.
 * @throws UserError when the graph does not accept the shape.
 */
export async function specialise(
  graph: Graph,
  engine: Engine,
  shape: InputShape,
  { keep = [], keepDropout = false }: SpecialiseOptions = {},
): Promise<StaticGraph> {
  const input = { ...imageInput(graph), shape };
  const dependent = pixelDependent(graph, keep);
  const foldable = graph.nodes.flatMap((n) => n.outputs.filter((name) => name !== '' && !dependent.has(name)));
  const needed = neededConstants(graph, dependent, new Set(foldable));
  const folded = needed.length > 0 ? await evaluate({ ...graph, inputs: [input] }, engine, needed) : {};
  const constants = new Map(graph.constants);
  const origins = new Map(originsOf(graph, Object.keys(folded)));
  for (const [name, tensor] of Object.entries(folded)) {
    if (tensor.type === 'float32' && isMask(tensor)) origins.set(name, []);
    // What the code computed from single numbers (positions, masks) is as little of a parameter as its literals.
    const computed = origins.get(name)?.every(({ dims }) => sizeOf(dims) <= 1);
    const literal = computed && { literal: true as const };
    constants.set(name, { ...tensor, dims: [...tensor.dims], ...literal });
  }
  const decided = inlineIfs(graph, constants);
  if (decided) return specialise(decided, engine, shape, { keep, keepDropout });
  const nodes = graph.nodes.filter((node) => node.outputs.some((name) => dependent.has(name)));
  const fixed = prune({ ...graph, inputs: [input], nodes, constants });
  const observed = await observe(fixed, engine);
  const lean = prune(withoutStrides(withoutIdle(fixed, observed, keepDropout), observed));
  const products = await foldedProductsOf(graph, engine, shape.slice(1), Object.keys(folded));
  return new StaticGraph(lean, shape, valuesOf(lean, observed), origins, products);
}

/** What is known of the values that a graph has left. */
function valuesOf(graph: Graph, observed: Observed): Observed {
  const made = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  const known = new Map<string, ObservedValue>();
  for (const [name, { type, dims }] of graph.constants) known.set(name, { type, dims });
  for (const name of [...graph.inputs.map((v) => v.name), ...made])
    known.set(name, observed.get(name) as ObservedValue);
  return known;
}

/** Some values of a graph, which do not depend on its input. */
async function evaluate(graph: Graph, engine: Engine, values: readonly string[]): Promise<Record<string, Tensor>> {
  const exposed = prune({ ...graph, outputs: values.map((name) => ({ name })) });
  const { name, type = 'float32', shape } = imageInput(exposed);
  const program = await engine.compile(exposed, { optimize: 'none' });
  try {
    return await program.run({ [name]: noise(type, shape as readonly number[]) });
  } finally {
    await program.dispose();
  }
}

/** The foldable values that a node which stays, or an output, reads. */
function neededConstants(graph: Graph, dependent: ReadonlySet<string>, foldable: ReadonlySet<string>): string[] {
  const needed = new Set<string>();
  for (const node of graph.nodes) {
    if (!node.outputs.some((name) => dependent.has(name))) continue;
    for (const name of reads(node)) if (foldable.has(name)) needed.add(name);
  }
  for (const { name } of graph.outputs) if (foldable.has(name)) needed.add(name);
  return [...needed];
}

/**
 * Takes out nodes that return their input: Identity, inference Dropout, Cast to the same type, shape changes to the same
 * shape, Concat of one value, literal zeros added and ones multiplied by (a Python sum starts at 0).
 */
function withoutIdle(graph: Graph, observed: Observed, keepDropout: boolean): Graph {
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const replaced = new Map<string, string>();
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const node = { ...original, inputs: original.inputs.map((name) => replaced.get(name) ?? name) };
    const to = node.outputs[0];
    const other = withNeutral(graph, node);
    const from = other ?? node.inputs[0];
    const kept = keepDropout && node.op === 'Dropout';
    const returns = other === undefined ? isIdle : hasSameShape;
    if (from && to && !kept && !outputs.has(to) && returns(observed.get(from), observed.get(to), node)) {
      replaced.set(to, from);
    } else {
      nodes.push(node);
    }
  }
  return { ...graph, nodes };
}

/** A flat value in its own order by indices of another shape is reshaped: PyTorch's default exporter writes as_strided so. */
function withoutStrides(graph: Graph, observed: Observed): Graph {
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.map((node) => {
    const [from = '', index = ''] = node.inputs;
    const [dims, given] = [observed.get(from)?.dims ?? [], graph.constants.get(index)];
    if (node.op !== 'Gather' || dims.length !== 1 || given?.type !== 'int64' || sizeOf(given.dims) !== dims[0])
      return node;
    if (!(given.data as BigInt64Array).every((at, i) => at === BigInt(i))) return node;
    const shape = `${node.outputs[0]}.shape`;
    constants.set(shape, {
      type: 'int64',
      dims: [given.dims.length],
      data: BigInt64Array.from(given.dims, BigInt),
    });
    return { ...node, op: 'Reshape', inputs: [from, shape], attributes: {} };
  });
  return { ...graph, nodes, constants };
}

/** Of a sum with literal zeros, or a product with literal ones, the other value. */
function withNeutral({ constants }: Graph, { op, domain, inputs }: Node): string | undefined {
  const neutral = op === 'Add' || op === 'Sub' ? 0 : op === 'Mul' || op === 'Div' ? 1 : undefined;
  if (neutral === undefined || domain !== '') return undefined;
  const isNeutral = (name = '') => {
    const tensor = constants.get(name);
    return (
      tensor?.type === 'float32' && tensor.literal === true && (tensor.data as Float32Array).every((v) => v === neutral)
    );
  };
  const [a, b] = inputs;
  if (isNeutral(b)) return a;
  return (op === 'Add' || op === 'Mul') && isNeutral(a) ? b : undefined;
}

const hasSameShape = (from: ObservedValue | undefined, to: ObservedValue | undefined): boolean =>
  from?.dims.length === to?.dims.length && (from?.dims.every((d, i) => d === to?.dims[i]) ?? false);

function isIdle(from: ObservedValue | undefined, to: ObservedValue | undefined, node: Node): boolean {
  if (node.domain !== '' || !from || !to) return false;
  switch (node.op) {
    case 'Identity':
      return true;
    case 'Dropout':
      return node.inputs.length < 3;
    case 'Cast':
      return from.type === to.type;
    case 'Concat':
      return node.inputs.length === 1;
    case 'Reshape':
    case 'Flatten':
    case 'Expand':
    case 'Squeeze':
    case 'Unsqueeze':
      return hasSameShape(from, to);
    default:
      return false;
  }
}
