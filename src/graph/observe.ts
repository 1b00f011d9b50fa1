/** Observe, don't infer: shapes come from the engine and from running the graph, not from rules per operator. */
import type { Engine, Program } from '../engine/index.js';
import {
  arrayClass,
  type DataType,
  type Graph,
  GraphBuilder,
  intAttribute,
  type ObservedValue,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../ir/index.js';
import { noise } from './noise.js';

/** Type and dims of every value of a graph. */
export type Observed = ReadonlyMap<string, ObservedValue>;

/** An input that takes the shape of a value of the graph, by broadcasting: a dropout mask. */
export interface BroadcastInput {
  readonly input: string;
  /** The value whose shape it has. */
  readonly value: string;
}

/**
 * Type and dims of every value of a graph: what the engine says when it loads the graph, and one run for what it cannot
 * say, on noise in the floats and zeros in the rest.
 * @param shapes dims of the inputs; those with a fully declared shape may be left out, and so may those of `broadcast`.
 */
export async function observe(
  graph: Graph,
  engine: Engine,
  shapes: Readonly<Record<string, readonly number[]>> = {},
  broadcast: readonly BroadcastInput[] = [],
): Promise<Observed> {
  const observed = new Map<string, ObservedValue>();
  for (const { name, type = 'float32', shape } of graph.inputs) {
    // One element broadcasts: the shape that the input is to have is among those that are asked for.
    const declared = broadcast.some((m) => m.input === name) ? [1] : shape;
    const dims = shapes[name] ?? declared?.map((d) => (typeof d === 'number' ? d : Number.NaN));
    if (!dims || dims.some(Number.isNaN)) throw new Error(`no shape is given for input '${name}'`);
    observed.set(name, { type, dims });
  }
  for (const [name, { type, dims }] of graph.constants) observed.set(name, { type, dims });
  const inputs = graph.inputs.map((input) => ({ ...input, shape: observed.get(input.name)?.dims }));
  const names = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  const exposed = { ...graph, inputs, outputs: names.map((name) => ({ name })) };
  const program = await engine.compile(exposed, { optimize: 'none' });
  const unknown = readDeclared(program, observed, scalars(graph, observed));
  await program.dispose();
  if (unknown.length > 0) await observeByRun({ ...graph, inputs }, engine, unknown, observed);
  for (const { input, value } of broadcast) {
    observed.set(input, { type: 'uint8', dims: observed.get(value)?.dims ?? [] });
  }
  return observed;
}

/** A value whose dims, and perhaps type, only a run tells. */
interface Unknown {
  readonly name: string;
  readonly type: DataType | undefined;
}

/** Adds what the engine knows of a program's outputs before any run. @returns the outputs that it does not know */
function readDeclared(program: Program, observed: Map<string, ObservedValue>, scalar: ReadonlySet<string>): Unknown[] {
  const unknown: Unknown[] = [];
  for (const { name, type, shape: dims } of program.outputInfo) {
    // Engines say "no dimensions" of a value whose rank they do not know, too.
    const isKnown = dims?.every((d) => typeof d === 'number') && (dims.length > 0 || scalar.has(name));
    if (type && isKnown) observed.set(name, { type, dims });
    else unknown.push({ name, type });
  }
  return unknown;
}

/** Values that can be nothing but scalars: sums over all axes, and what is computed from scalars alone. */
function scalars(graph: Graph, observed: Observed): Set<string> {
  const found = new Set([...observed].filter(([, { dims }]) => dims.length === 0).map(([name]) => name));
  for (const node of graph.nodes) {
    const isTotal = node.op.startsWith('Reduce') && !node.inputs[1] && intAttribute(node, 'keepdims', 1) === 0;
    const isOfScalars = elementwise.has(node.op) && node.inputs.every((name) => found.has(name));
    if (isTotal || isOfScalars || node.op === 'Size') for (const name of node.outputs) found.add(name);
  }
  return found;
}

const elementwise = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Sqrt',
  'Neg',
  'Max',
  'Min',
  'Pow',
  'Cast',
  'Identity',
  'Sum',
]);

/** Only shapes come out, and first elements where the type is not known either, which takes no memory. */
async function observeByRun(
  graph: Graph,
  engine: Engine,
  unknown: readonly Unknown[],
  observed: Map<string, ObservedValue>,
): Promise<void> {
  const b = new GraphBuilder(graph, 'observe');
  b.clearOutputs();
  for (const { name, type } of unknown) {
    b.output(b.op('Shape', [name]), `shape/${name}`);
    if (!type) b.output(b.op('Slice', [b.reshape(name, [-1]), b.ints([0]), b.ints([1])]), `first/${name}`);
  }
  const feeds: Record<string, Tensor> = {};
  for (const { name } of graph.inputs) feeds[name] = feedFor(observed.get(name) as ObservedValue);
  const program = await engine.compile(b.build(), { optimize: 'none' });
  try {
    const results = await program.run(feeds);
    for (const { name, type = results[`first/${name}`]?.type as DataType } of unknown) {
      observed.set(name, { type, dims: toNumbers(results[`shape/${name}`] as Tensor) });
    }
  } finally {
    await program.dispose();
  }
}

/** Positive noise (running variances are among the floats); labels and masks are zero. */
function feedFor({ type, dims }: ObservedValue): Tensor {
  if (type === 'float32' || type === 'float64') return noise(type, dims, [2 ** -16, 1]);
  return { type, dims, data: new (arrayClass(type))(sizeOf(dims)) };
}
