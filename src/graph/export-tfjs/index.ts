/** Networks as models of TensorFlow.js: model.json of operations (a GraphModel) and its weights. */
import { basename, dirname, join } from 'node:path';
import { UserError, writeFileAtomic } from '../../base/index.js';
import { type arrayClass, type Graph, nodeLabel } from '../../ir/index.js';
import type { StaticGraph } from '../specialise.js';
import { GraphModelWriter, type Weight } from './graph-model-writer.js';
import { operators } from './operators.js';

/** A model before it is written. */
export interface TfjsModel {
  /** Name of the image as the page feeds it, and its shape: a batch of one, (1, H, W, C) where images have channels. */
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  readonly operations: number;
  /** What model.json holds, but for the names of the files of weights. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly weights: readonly Weight[];
}

/** Browsers cache files of at most this many bytes. */
const shardBytes = 4 * 2 ** 20;

/**
 * A network for one shape of its image as operations of TensorFlow. Images are read and computed channels-last; values
 * keep their names as far as TensorFlow's allow them.
 * @throws UserError that names the operators without a form in TensorFlow.js
 */
export function tfjsModel(network: StaticGraph): TfjsModel {
  const { graph } = network;
  refuseUnknown(graph);
  const w = new GraphModelWriter(network);
  const input = w.placeholder(network.input);
  for (const node of graph.nodes) (operators[node.op] as (typeof operators)[string])(w, node);
  const outputs = graph.outputs.map(({ name }) => {
    const maker = graph.nodes.find((n) => n.outputs.includes(name));
    if (!maker) throw new UserError(`output '${name}' of the network does not depend on the image`);
    // An output that other operations made has an operation of its name.
    const at = w.in('plain', maker, name);
    return [name, at === name ? at : w.op('Identity', [at], {}, name)] as const;
  });
  const tensor = (name: string, dims: readonly number[]) => ({
    name: `${name}:0`,
    dtype: 'DT_FLOAT',
    tensorShape: { dim: dims.map((d) => ({ size: String(d) })) },
  });
  return {
    input,
    operations: w.operations.length,
    json: {
      format: 'graph-model',
      generatedBy: 'toehold',
      convertedBy: null,
      signature: {
        inputs: { [input.name]: tensor(input.name, input.shape) },
        outputs: Object.fromEntries(outputs.map(([name, at]) => [name, tensor(at, w.dims(name))])),
      },
      userDefinedMetadata: Object.fromEntries(graph.metadata),
      modelTopology: { node: w.operations, library: {}, versions: { producer: 1 } },
    },
    weights: w.weights,
  };
}

function refuseUnknown({ nodes }: Graph): void {
  const unknown = nodes.filter((n) => n.domain !== '' || !Object.hasOwn(operators, n.op));
  if (unknown.length === 0) return;
  const names = [...new Set(unknown.map((n) => n.op))].slice(0, 5).join(', ');
  const [at] = unknown as [(typeof unknown)[number]];
  throw new UserError(
    `TensorFlow.js has no form of ${names} that toehold writes (${nodeLabel(at)}): write ONNX instead`,
  );
}

/**
 * Writes model.json and its weights beside it, model.json last.
 * @returns the files, model.json first
 */
export async function writeTfjs(
  path: string,
  { json, weights }: TfjsModel,
): Promise<{ files: string[]; bytes: number }> {
  const data = Buffer.concat(weights.map((w) => bytesOf(w)));
  const count = Math.max(1, Math.ceil(data.length / shardBytes));
  const stem = basename(path).replace(/\.json$/, '');
  const paths = Array.from({ length: count }, (_, i) => `${stem}.weights-${i + 1}-of-${count}.bin`);
  for (const [i, name] of paths.entries()) {
    await writeFileAtomic(join(dirname(path), name), data.subarray(i * shardBytes, (i + 1) * shardBytes));
  }
  const manifest = weights.map(({ name, dims, data }) => ({
    name,
    shape: dims,
    dtype: data instanceof Int32Array ? 'int32' : 'float32',
  }));
  const text = JSON.stringify({ ...json, weightsManifest: [{ paths, weights: manifest }] });
  await writeFileAtomic(path, text);
  return { files: [path, ...paths.map((name) => join(dirname(path), name))], bytes: data.length + text.length };
}

function bytesOf({ data }: Weight): Buffer {
  const { buffer, byteOffset, byteLength } = data as InstanceType<ReturnType<typeof arrayClass>>;
  return Buffer.from(buffer, byteOffset, byteLength);
}
