/** The training form of a network: batch norms on batch statistics, dropout by masks that are fed. */
import { type Random, UserError } from '../base/index.js';
import type { Engine } from '../engine/index.js';
import {
  arrayClass,
  type DataType,
  floatAttribute,
  type Graph,
  GraphBuilder,
  type Node,
  nodeLabel,
  type ObservedValue,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../ir/index.js';
import { readDeclared } from './observe.js';
import { prune } from './prune.js';

export interface TrainingFormOptions {
  /** Nodes that stay as they are at inference: their norms keep the running averages, their dropout stays off. */
  frozen?: (node: Node) => boolean;
  /** Weight of the old running averages: new = momentum * old + (1 - momentum) * batch. The nodes' own by default. */
  momentum?: number;
  /** Probability of dropping, for Dropout nodes that do not say; a file's own ratio wins. */
  dropout?: number;
}

/** A running average carried from step to step: feed it as `input`, take it back from `output`. */
export interface RunningSlot {
  input: string;
  output: string;
  dims: readonly number[];
  initial: Tensor;
}

/** A dropout mask to feed: uint8, 1 keeps; shaped as the value it falls on (known once observed). */
export interface DropoutMask {
  input: string;
  /** The value whose shape the mask has. */
  value: string;
  ratio: number;
}

export interface TrainingForm {
  graph: Graph;
  running: RunningSlot[];
  masks: DropoutMask[];
}

/**
 * Turns every batch norm that is not frozen to batch statistics (opset 15's training_mode), its running averages
 * becoming inputs and outputs, and every Dropout that is not frozen into a product with a mask that is fed: the same
 * mask gives the same step on every engine, which a runtime's own random numbers would not.
 */
export function trainingForm(graph: Graph, options: TrainingFormOptions = {}): TrainingForm {
  const { frozen = () => false, momentum } = options;
  const b = GraphBuilder.rewriting(graph, 'train');
  const running: RunningSlot[] = [];
  const masks: DropoutMask[] = [];
  const moved = new Set<string>();
  for (const node of graph.nodes) {
    if (node.domain !== '' || frozen(node)) b.append(node);
    else if (node.op === 'BatchNormalization') {
      const averages = node.inputs.slice(3, 5).map((name) => {
        const initial = graph.constants.get(name);
        if (!initial) throw new UserError(`${nodeLabel(node)} computes its running averages, so it cannot be trained`);
        const output = b.fresh(`next/${name}`);
        running.push({ input: name, output, dims: initial.dims, initial });
        moved.add(name);
        return output;
      });
      b.append({
        ...node,
        outputs: [node.outputs[0] as string, ...averages],
        attributes: {
          ...node.attributes,
          training_mode: { kind: 'int', value: 1 },
          momentum: { kind: 'float', value: momentum ?? floatAttribute(node, 'momentum', 0.9) },
        },
      });
    } else if (node.op === 'Dropout') {
      const given = graph.constants.get(node.inputs[1] ?? '');
      const ratio = given ? (toNumbers(given)[0] as number) : floatAttribute(node, 'ratio', options.dropout ?? 0.5);
      const [x, y] = [node.inputs[0] as string, node.outputs[0] as string];
      const mask = b.input(`dropout_mask/${y}`, 'uint8');
      const kept = b.op('Mul', [b.op('Cast', [mask], { to: 1 }), b.scalar(1 / (1 - ratio))]);
      b.node('Mul', [x, kept], [y]);
      masks.push({ input: mask, value: y, ratio });
    } else b.append(node);
  }
  for (const slot of running) {
    b.output(slot.output, slot.output, 'float32', slot.dims);
  }
  const built = b.build();
  const inputs = running.map((slot) => ({ name: slot.input, type: slot.initial.type, shape: slot.dims }));
  const constants = new Map([...built.constants].filter(([name]) => !moved.has(name)));
  return { graph: prune({ ...built, inputs: [...built.inputs, ...inputs], constants }), running, masks };
}

/** Mask of a dropout layer for one step: each element kept with probability 1 - ratio. */
export function dropoutMask(random: Random, dims: readonly number[], ratio: number): Tensor {
  const data = new Uint8Array(sizeOf(dims));
  for (let i = 0; i < data.length; i++) data[i] = random.uniform() < ratio ? 0 : 1;
  return { type: 'uint8', dims, data };
}

/**
 * Type and dims of every value of a graph with any number of inputs: what the engine says when it loads the graph, and one
 * run for what it cannot say, on noise in the floats and zeros in the rest.
 * @param shapes dims of the inputs; those with a fully declared shape may be left out, and so may the masks of `masks`.
 */
export async function observeInputs(
  graph: Graph,
  engine: Engine,
  shapes: Readonly<Record<string, readonly number[]>> = {},
  masks: readonly DropoutMask[] = [],
): Promise<Map<string, ObservedValue>> {
  const names = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  const feeds: Record<string, Tensor> = {};
  const observed = new Map<string, ObservedValue>();
  for (const { name, type = 'float32', shape } of graph.inputs) {
    // One element broadcasts: the shape of a mask is that of the value it falls on, which this run is to tell.
    const declared = masks.some((m) => m.input === name) ? [1] : shape;
    const dims = shapes[name] ?? declared?.map((d) => (typeof d === 'number' ? d : Number.NaN));
    if (!dims || dims.some(Number.isNaN)) throw new Error(`no shape is given for input '${name}'`);
    feeds[name] = filled(type, dims);
    observed.set(name, { type, dims });
  }
  for (const [name, { type, dims }] of graph.constants) observed.set(name, { type, dims });
  const inputs = graph.inputs.map((input) => ({ ...input, shape: [...(observed.get(input.name)?.dims ?? [])] }));
  const outputs = names.map((name) => ({ name }));
  const declared = await engine.compile({ ...graph, inputs, outputs }, { optimize: 'none' });
  const unknown = readDeclared(declared, observed);
  await declared.dispose();
  if (unknown.length > 0) await observeByRun(graph, engine, feeds, unknown, observed);
  for (const { input, value } of masks) {
    observed.set(input, { type: 'uint8', dims: observed.get(value)?.dims ?? [] });
  }
  return observed;
}

/** Shapes that the engine cannot tell before it runs: only they and first elements come out, which takes no memory. */
async function observeByRun(
  graph: Graph,
  engine: Engine,
  feeds: Record<string, Tensor>,
  names: readonly string[],
  observed: Map<string, ObservedValue>,
): Promise<void> {
  const b = new GraphBuilder(graph, 'observe');
  b.clearOutputs();
  names.forEach((name, i) => {
    b.output(b.op('Shape', [name]), `shape ${i}`);
    const flat = b.op('Reshape', [name, b.ints([-1])]);
    b.output(b.op('Slice', [flat, b.ints([0]), b.ints([1])]), `first ${i}`);
  });
  const program = await engine.compile(b.build(), { optimize: 'none' });
  try {
    const results = await program.run(feeds);
    names.forEach((name, i) => {
      const type = results[`first ${i}`]?.type as DataType;
      observed.set(name, { type, dims: toNumbers(results[`shape ${i}`] as Tensor) });
    });
  } finally {
    await program.dispose();
  }
}

function filled(type: DataType, dims: readonly number[]): Tensor {
  const data = new (arrayClass(type))(sizeOf(dims));
  if (type === 'float32' || type === 'float64') {
    // Deterministic, positive (running variances) and varied.
    for (let i = 0; i < data.length; i++) data[i] = (((Math.imul(i + 1, 2654435761) >>> 8) & 0xffff) + 1) / 0x10000;
  }
  return { type, dims, data };
}

/** Which inputs of an operator hold learned values. */
const learnedInputs: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  PRelu: [1],
  Add: [0, 1],
  Mul: [0, 1],
  Concat: [0, 1],
  Expand: [0],
  Pad: [0],
};

/**
 * The constants that training moves: weights, biases, scales, embeddings and tokens, in order of first use. Single
 * numbers are settings of the network, and what meets the input image directly is its preprocessing: neither counts.
 */
export function trainableConstants(graph: Graph): string[] {
  const found = new Set<string>();
  const images = new Set(graph.inputs.map((i) => i.name));
  for (const node of graph.nodes) {
    if (node.domain !== '' && node.domain !== 'ai.onnx') continue;
    const elementwise = node.op === 'Add' || node.op === 'Mul';
    if (elementwise && node.inputs.some((name) => images.has(name))) {
      for (const name of node.outputs) images.add(name);
      continue;
    }
    for (const i of learnedInputs[node.op] ?? []) {
      const tensor = graph.constants.get(node.inputs[i] ?? '');
      if (tensor && tensor.type === 'float32' && sizeOf(tensor.dims) > 1) found.add(node.inputs[i] as string);
    }
  }
  return [...found];
}
