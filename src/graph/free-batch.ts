/**
 * Networks that were exported for one batch (torch.onnx.export without dynamic axes): their batch is made free again.
 *
 * The exporter wrote the batch as a number wherever a shape is built. What each axis counts is known (axes/), so every such
 * number is found and written as the batch that comes in.
 */
import { UserError } from '../base/index.js';
import { type Engine, Refusal } from '../engine/index.js';
import {
  type Graph,
  GraphBuilder,
  intAttribute,
  intsAttribute,
  type Node,
  nodeLabel,
  type Tensor,
  toNumbers,
} from '../ir/index.js';
import { type Axis, axisOf, holds, isWhole, sizeOfAxis } from './axes/axis.js';
import { type Axes, axesOf } from './axes/index.js';
import { allParameters } from './layers/index.js';
import { noise } from './noise.js';
import { type InputShape, type StaticGraph, specialise } from './specialise.js';

/**
 * The network for any batch; as it is where its batch is free already, or its image has no declared size.
 * @throws UserError naming the node that ties the network to its batch
 */
export async function freeBatch(graph: Graph, engine: Engine): Promise<Graph> {
  const [input, ...others] = graph.inputs;
  const shape = input?.shape;
  if (!shape || others.length > 0 || shape.length < 2 || !shape.every((d) => typeof d === 'number' && d > 0))
    return graph;
  // What is no image in colour is refused by who reads it, in words.
  if (shape[1] !== 3 && shape.at(-1) !== 3) return graph;
  const found = await asDeclared(graph, engine, shape as unknown as InputShape);
  if (!found) return graph;
  let refusal: unknown;
  // Examples first; where that computes otherwise, the one example may be behind a sequence of one.
  for (const place of ['first', 'last'] as const) {
    const reading = { ...found, axes: axesOf(found.network, place) };
    try {
      const freed = rewritten(reading);
      await assertSame(reading, freed, engine);
      return freed;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

type Outputs = Readonly<Record<string, Tensor>>;

/** A network as it declares itself, what it was run on (two batches), and its outputs for each. */
interface Reference {
  readonly network: StaticGraph;
  readonly input: Tensor;
  readonly outputs: readonly Outputs[];
}

/** Undefined where it does not run on what it declares: whoever runs it says why. */
async function asDeclared(graph: Graph, engine: Engine, shape: InputShape): Promise<Reference | undefined> {
  const keep = allParameters(graph).map((p) => p.name);
  try {
    const network = await specialise(graph, engine, shape, { keep, keepDropout: true });
    const type = graph.inputs[0]?.type ?? 'float32';
    const input = noise(type, [2 * shape[0], ...shape.slice(1)], [2 ** -16, 1]);
    const half = input.data.length / 2;
    const parts = [0, half].map((start): Tensor => {
      return { type, dims: shape, data: (input.data as Float32Array).subarray(start, start + half) };
    });
    return { network, input, outputs: await runEach(network.graph, engine, parts) };
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'shape') return undefined;
    throw error;
  }
}

async function runEach(graph: Graph, engine: Engine, inputs: readonly Tensor[]): Promise<Outputs[]> {
  const program = await engine.compile(graph);
  try {
    const results: Outputs[] = [];
    for (const tensor of inputs) results.push(await program.run({ [graph.inputs[0]?.name ?? '']: tensor }));
    return results;
  } finally {
    await program.dispose();
  }
}

/** Operators whose inputs are combined by broadcasting, matrix products by that of their stacks. */
const combining = new Set(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Where', 'Sum', 'MatMul']);

/** A network, and what the axes of its values count. */
interface Reading {
  readonly network: StaticGraph;
  readonly axes: ReadonlyMap<string, Axes>;
}

function rewritten({ network, axes }: Reading): Graph {
  const { graph, batch } = network;
  const [input] = graph.inputs;
  if (!input?.shape) return graph;
  const b = GraphBuilder.rewriting({ ...graph, inputs: [], outputs: [] }, 'batch');
  b.input(input.name, input.type, [null, ...input.shape.slice(1)]);
  let size: string | undefined;
  /** The batch that comes in, (1) int64; folded away when the network is specialised. */
  const batchSize = () => {
    size ??= b.op('Slice', [b.op('Shape', [input.name]), b.ints([0]), b.ints([1])]);
    return size;
  };
  /** Dims of a value as a shape to give, the batch taken from the input. */
  const shapeOf = (of: readonly Axis[], dims: readonly number[]) => {
    const at = of.findIndex((axis) => holds(axis, 'batch'));
    const parts = [
      b.ints(dims.slice(0, at)),
      b.mul(batchSize(), b.ints([(dims[at] ?? 1) / batch])),
      b.ints(dims.slice(at + 1)),
    ];
    return b.concat(
      parts.filter((_, i) => i === 1 || (i === 0 ? at > 0 : at < dims.length - 1)),
      0,
    );
  };
  /** What stands there once for each image, the same for all of them, once: `at` is the batch's axis among `rank`. */
  const single = (name: string, at: number, rank: number) => {
    const own = network.dims(name) ?? [];
    const axis = at - rank + own.length;
    if (!name || axes.has(name) || batch === 1 || axis < 0 || own[axis] !== batch) return name;
    return b.op('Slice', [name, b.ints([0]), b.ints([1]), b.ints([axis])]);
  };
  /**
   * What meets the images of a value with these axes. Where one axis counts images and, within each, something else (the heads
   * of an attention), what is the same for all images stands there as often as there are images.
   */
  const met = (node: Node, name: string, own: readonly Axis[]) => {
    const at = own.findIndex((axis) => holds(axis, 'batch'));
    const dims = network.dims(name) ?? [];
    const axis = at - own.length + dims.length;
    const each = sizeOfAxis(own[at] ?? []) / batch;
    if (!name || axes.has(name) || each === 1 || dims[axis] !== each * batch) return single(name, at, own.length);
    if (own[at]?.[0]?.of !== 'batch') throw tied(node);
    const one = batch === 1 ? name : b.op('Slice', [name, b.ints([0]), b.ints([each]), b.ints([axis])]);
    const repeats = dims.map((_, i) => (i === axis ? batchSize() : b.ints([1])));
    return b.op('Tile', [one, b.concat(repeats, 0)]);
  };
  for (const node of graph.nodes) {
    const [output = ''] = node.outputs;
    const own = axes.get(output);
    const dims = network.dims(output) ?? [];
    if (!own) {
      b.append(node);
      continue;
    }
    assertKept(node, graph, axes);
    if (!own.some((axis) => holds(axis, 'batch'))) {
      b.append(node);
      continue;
    }
    switch (node.op) {
      case 'Reshape':
        b.append({ ...node, inputs: [node.inputs[0] ?? '', shapeOf(own, dims)], attributes: {} });
        break;
      case 'Flatten':
        b.append({ ...node, op: 'Reshape', inputs: [node.inputs[0] ?? '', shapeOf(own, dims)], attributes: {} });
        break;
      case 'Expand':
        b.append({ ...node, inputs: [node.inputs[0] ?? '', shapeOf(own, dims)] });
        break;
      case 'Resize': {
        const sizes = node.inputs[3];
        b.append(sizes ? { ...node, inputs: [...node.inputs.slice(0, 3), shapeOf(own, dims)] } : node);
        break;
      }
      case 'Concat': {
        const at = own.findIndex((axis) => holds(axis, 'batch'));
        const along = intAttribute(node, 'axis', 0);
        if ((along < 0 ? along + dims.length : along) === at) throw tied(node);
        // A constant beside images: one for each (a class token).
        const inputs = node.inputs.map((name) => {
          if (axes.has(name)) return name;
          return b.op('Expand', [
            single(name, at, dims.length),
            shapeOf(
              own,
              dims.map((_, i) => (i === at ? batch : 1)),
            ),
          ]);
        });
        b.append({ ...node, inputs });
        break;
      }
      case 'LSTM':
      case 'GRU':
      case 'RNN': {
        const inputs = node.inputs.map((name, i) => {
          if (i < 5 || !name || axes.has(name)) return name;
          return b.op('Expand', [name, shapeOf([[], axisOf('batch', batch), []], [1, batch, 1])]);
        });
        b.append({ ...node, inputs });
        break;
      }
      default: {
        const inputs = node.inputs.map((name) => (combining.has(node.op) ? met(node, name, own) : name));
        b.append({ ...node, inputs });
      }
    }
  }
  for (const { name, type } of graph.outputs) b.output(name, name, type);
  return b.build();
}

/** @throws UserError where a node does away with the batch, or mixes its examples */
function assertKept(node: Node, graph: Graph, axes: Reading['axes']): void {
  const before = node.inputs.map((name) => axes.get(name)).find((some) => some?.some((axis) => holds(axis, 'batch')));
  if (!before) return;
  const at = before.findIndex((axis) => holds(axis, 'batch'));
  const own = axes.get(node.outputs[0] ?? '') ?? [];
  if (!own.some((axis) => holds(axis, 'batch'))) throw tied(node);
  const given = graph.constants.get(node.inputs[1] ?? '');
  const over =
    given && (node.op === 'Squeeze' || node.op.startsWith('Reduce')) ? toNumbers(given) : intsAttribute(node, 'axes');
  if (node.op.startsWith('Reduce') && over?.some((a) => (a < 0 ? a + before.length : a) === at)) throw tied(node);
}

function tied(node: Node): UserError {
  return new UserError(
    `${nodeLabel(node)} ties the network to the batch that it was exported with: export it with a free batch (torch.onnx.export(..., dynamic_axes={'input': {0: 'batch'}, 'output': {0: 'batch'}}), or dynamic_shapes with the default exporter)`,
  );
}

/** Runs the freed network on both batches at once. @throws UserError where it differs */
async function assertSame({ axes, input, outputs }: Reference & Reading, freed: Graph, engine: Engine): Promise<void> {
  const [whole] = await runEach(freed, engine, [input]).catch((error) => {
    throw error instanceof Refusal ? differs() : error;
  });
  outputs.forEach((part, k) => {
    for (const { name } of freed.outputs) {
      const [a, b] = [part[name]?.data as Float32Array, whole?.[name]?.data as Float32Array];
      if (!a || !b || b.length !== 2 * a.length) throw differs();
      const largest = a.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      if (!isWhole(axes.get(name)?.[0] ?? [], 'batch')) continue;
      a.forEach((v, i) => {
        if (Math.abs(v - (b[k * a.length + i] as number)) > 1e-3 * largest + 1e-6) throw differs();
      });
    }
  });
}

const differs = () =>
  new UserError(
    'the network computes otherwise on several images than on one, since it was exported with a fixed batch: export it with a free batch',
  );
