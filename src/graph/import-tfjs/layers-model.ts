/** A LayersModel: the topology of Keras 2, layer by layer. */
import { UserError } from '../../base/index.js';
import type { Graph, Tensor } from '../../ir/index.js';
import { ChannelsLast, type Val } from './channels-last.js';
import { type Layer, layers, type Write } from './layers.js';
import { entry, isList, isObject, type Json, type JsonObject, text } from './weights.js';

/** The class, name and config of each layer of a model. */
function partsOf(model: Json | undefined, path: string) {
  const config = entry(model, 'config');
  const list = isList(config) ? config : entry(config, 'layers');
  if (!isList(list))
    throw new UserError(`${path} is no LayersModel that toehold reads: its topology has no list of layers`);
  return { config, list };
}

/** Where a layer gets an input from: the layer's name, which of its uses, and which of its outputs. */
function sourceOf(node: Json, path: string, name: string): { from: string; use: number } {
  const [from, use, output] = isList(node) ? node : [];
  if (typeof from !== 'string' || typeof use !== 'number' || output !== 0) {
    throw new UserError(
      `${path}: layer '${name}' is not wired as Keras 2 writes it; save the model with Keras 2 (tf_keras)`,
    );
  }
  return { from, use };
}

interface Writer {
  readonly net: ChannelsLast;
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly path: string;
  readonly taken: Set<string>;
}

/** Writes a model's layers behind `given`, its inputs, or from its own ones. @returns its outputs */
function writeModel(model: Json, writer: Writer, given?: readonly Val[], depth = 0): Val[] {
  const { path } = writer;
  if (depth > 8) throw new UserError(`${path}: models lie within models more than 8 deep`);
  const { config, list } = partsOf(model, path);
  const isSequential = entry(model, 'class_name') === 'Sequential';
  const made = new Map<string, Val[]>();
  const use = (from: string, at: number, name: string) =>
    made.get(from)?.[at] ?? writer.net.fail(`layer '${name}'`, `reads '${from}', which is not before it`);
  const inputNames = isSequential ? [] : nodesOf(entry(config, 'input_layers'), path).map(({ from }) => from);
  let last: Val | undefined = given?.[0];
  for (const item of list) {
    const [kind, inner] = [text(entry(item, 'class_name')) ?? '?', entry(item, 'config')];
    const name = text(entry(item, 'name')) ?? text(entry(inner, 'name')) ?? '?';
    const shape = entry(inner, 'batch_input_shape') ?? entry(inner, 'batch_shape');
    const inbound = entry(item, 'inbound_nodes');
    const results: Val[] = [];
    if (kind === 'InputLayer') {
      const at = inputNames.indexOf(name);
      results.push(given?.[Math.max(at, 0)] ?? inputOf(writer, name, shape));
      last = results[0];
    } else if (isSequential) {
      last ??= inputOf(
        writer,
        `${name}_input`,
        shape ?? entry(entry(partsOrNone(item), 'config'), 'batch_input_shape'),
      );
      last = writeLayer(kind, name, item, [last], writer, depth);
      results.push(last);
    } else {
      if (!isList(inbound)) throw new UserError(`${path}: layer '${name}' says nothing of its inputs`);
      for (const node of inbound) {
        if (!isList(node))
          throw new UserError(
            `${path}: layer '${name}' is not wired as Keras 2 writes it; save the model with Keras 2 (tf_keras)`,
          );
        const inputs = node.map((n) => sourceOf(n, path, name)).map(({ from, use: at }) => use(from, at, name));
        results.push(writeLayer(kind, name, item, inputs, writer, depth));
      }
    }
    made.set(name, results);
  }
  if (isSequential) return last ? [last] : [];
  return nodesOf(entry(config, 'output_layers'), path).map(({ from, use: at }) => use(from, at, 'output'));
}

/** The first layer of a model that is a layer, which may be the one that knows the input. */
function partsOrNone(item: Json): Json | undefined {
  const inner = entry(entry(item, 'config'), 'layers');
  return isList(inner) ? inner[0] : undefined;
}

/** One node may stand without its list. */
function nodesOf(value: Json | undefined, path: string): { from: string; use: number }[] {
  if (!isList(value)) throw new UserError(`${path} names no inputs and outputs of its layers`);
  const list = typeof value[0] === 'string' ? [value] : value;
  return list.map((node) => sourceOf(node, path, 'model'));
}

function inputOf({ net, path }: Writer, name: string, shape: Json | undefined): Val {
  if (!isList(shape)) throw new UserError(`${path}: the shape of input '${name}' is not in the file`);
  const dims = shape.map((d) => (typeof d === 'number' && Number.isSafeInteger(d) && d > 0 && d < 2 ** 24 ? d : null));
  return net.input(name, dims);
}

function writeLayer(
  kind: string,
  name: string,
  item: Json,
  inputs: readonly Val[],
  writer: Writer,
  depth: number,
): Val {
  if (kind === 'Functional' || kind === 'Model' || kind === 'Sequential') {
    const [output] = writeModel(item, writer, inputs, depth + 1);
    return output ?? writer.net.fail(`model '${name}'`, 'has no output');
  }
  const write = Object.hasOwn(layers, kind) ? layers[kind] : undefined;
  if (!write) writer.net.fail(`layer '${name}'`, `is of class ${kind.slice(0, 80)}, which toehold does not read`);
  const config = entry(item, 'config');
  if (!isObject(config)) writer.net.fail(`layer '${name}'`, 'has no config');
  const find = (weight: string) => {
    const exact = writer.weights.get(`${name}/${weight}`);
    if (exact) return exact;
    const ending = [...writer.weights.keys()].filter((key) => key.endsWith(`/${name}/${weight}`));
    return ending.length === 1 ? writer.weights.get(ending[0] as string) : undefined;
  };
  // A layer that is used twice has its weights once and its name once.
  let own = name;
  for (let i = 1; writer.taken.has(own); i++) own = `${name}.${i}`;
  writer.taken.add(own);
  const layer: Layer = {
    name: own,
    config: config as JsonObject,
    net: writer.net,
    optional: find,
    weight: (weight) => find(weight) ?? writer.net.fail(`layer '${name}'`, `has no weight '${weight}' in the file`),
  };
  return (write as Write)(layer, inputs);
}

/** @throws UserError for a layer, activation or wiring that toehold does not know, naming it */
export function importLayers(topology: Json, weights: ReadonlyMap<string, Tensor>, path: string): Graph {
  const model = entry(topology, 'model_config') ?? topology;
  const net = new ChannelsLast(path);
  const outputs = writeModel(model, { net, weights, path, taken: new Set() });
  if (outputs.length === 0) throw new UserError(`${path} has no layers`);
  for (const output of outputs)
    net.b.output(output.name, output.name, 'float32', ['N', ...Array(output.dims.length - 1).fill(null)]);
  return net.b.build();
}
