/** Bytes of an ONNX file -> Graph. */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { fileError, UserError } from '../../base/index.js';
import { typeOfNumber } from '../element-type.js';
import type { Attribute, Graph, Node, Tensor, ValueInfo } from '../graph.js';
import { externalPath, readExternal } from './external.js';
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './gen/onnx_pb.js';
import { type ExternalReader, isExternal, readTensor } from './tensor.js';

/**
 * Reads an ONNX file.
 * @throws UserError when it is missing, not ONNX, truncated, or its external data is missing.
 */
export async function readModelFile(path: string): Promise<Graph> {
  const directory = dirname(path);
  return readModel(await bytesOf(path), { path, external: (tensor) => readExternal(tensor, directory) });
}

/**
 * The files that an ONNX model is made of: its own, then those of its external data, each once.
 * @throws UserError as readModelFile does, but does not open the external data
 */
export async function modelFiles(path: string): Promise<string[]> {
  const { graph } = decode(await bytesOf(path), path);
  const external = graph ? tensorsOf(graph).filter(isExternal) : [];
  return [path, ...new Set(external.map((tensor) => externalPath(tensor, dirname(path))))];
}

async function bytesOf(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error) => {
    throw fileError(error, path);
  });
}

function decode(bytes: Uint8Array, path: string): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch {
    throw new UserError(`${path} is not a whole ONNX file (${bytes.length} bytes): export or copy it again`);
  }
}

/** Every tensor of a graph, those of Constant nodes and bodies included. */
function tensorsOf({ initializer, node }: GraphProto): TensorProto[] {
  const attributes = node.flatMap((n) => n.attribute);
  const bodies = attributes.flatMap(({ g, graphs }) => [...(g ? [g] : []), ...graphs]);
  const values = attributes.flatMap(({ t, tensors }) => [...(t ? [t] : []), ...tensors]);
  return [...initializer, ...values, ...bodies.flatMap(tensorsOf)];
}

/**
 * Reads the bytes of an ONNX file.
 * @param external reads data that lies in other files; without it such a model is refused
 */
export function readModel(
  bytes: Uint8Array,
  { path = 'model', external }: { path?: string; external?: ExternalReader } = {},
): Graph {
  const model = decode(bytes, path);
  if (!model.graph || model.opsetImport.length === 0 || model.graph.output.length === 0) {
    throw new UserError(`${path} is not an ONNX model: it has no graph with outputs`);
  }
  if (model.functions.length > 0) {
    throw new UserError(
      `${path} uses model-local functions (${model.functions[0]?.name} ...): inline them with onnx.inliner before use`,
    );
  }
  const graph = readGraph(model.graph, external ?? (({ name }) => noExternal(name, path)));
  return {
    ...graph,
    opsets: new Map(model.opsetImport.map((o) => [o.domain === 'ai.onnx' ? '' : o.domain, Number(o.version)])),
    metadata: new Map(model.metadataProps.map((p) => [p.key, p.value])),
  };
}

function noExternal(name: string, path: string): never {
  throw new UserError(`tensor '${name}' of ${path} lies in a file of its own: save the model as one file`);
}

function readGraph(proto: GraphProto, external: ExternalReader): Graph {
  const constants = new Map<string, Tensor>();
  for (const t of proto.initializer) constants.set(t.name, readTensor(t, external));
  const nodes: Node[] = [];
  for (const n of proto.node) {
    const node = readNode(n, external);
    const value = node.op === 'Constant' && node.domain === '' ? constantValue(node) : undefined;
    if (value) constants.set(node.outputs[0] as string, { ...value, literal: true });
    else nodes.push(node);
  }
  return {
    name: proto.name,
    inputs: proto.input.filter((v) => !constants.has(v.name)).map(readValue),
    outputs: proto.output.map(readValue),
    nodes,
    constants,
    opsets: new Map(),
    metadata: new Map(),
  };
}

/** The tensor of a Constant node in any of its attribute forms. */
function constantValue({ attributes }: Node): Tensor | undefined {
  const { value, value_float, value_floats, value_int, value_ints, value_string, value_strings } = attributes;
  if (value?.kind === 'tensor') return value.value;
  if (value_float?.kind === 'float') return { type: 'float32', dims: [], data: Float32Array.of(value_float.value) };
  if (value_floats?.kind === 'floats')
    return { type: 'float32', dims: [value_floats.value.length], data: Float32Array.from(value_floats.value) };
  if (value_int?.kind === 'int') return { type: 'int64', dims: [], data: BigInt64Array.of(BigInt(value_int.value)) };
  if (value_ints?.kind === 'ints')
    return { type: 'int64', dims: [value_ints.value.length], data: BigInt64Array.from(value_ints.value, BigInt) };
  if (value_string?.kind === 'string') return { type: 'string', dims: [], data: [value_string.value] };
  if (value_strings?.kind === 'strings')
    return { type: 'string', dims: [value_strings.value.length], data: value_strings.value };
  return undefined;
}

function readValue(proto: ValueInfoProto): ValueInfo {
  const type = proto.type?.value;
  if (type?.case !== 'tensorType' || type.value.elemType === 0) return { name: proto.name };
  return {
    name: proto.name,
    type: typeOfNumber(type.value.elemType),
    shape: type.value.shape?.dim.map(({ value }) =>
      value.case === 'dimValue' ? Number(value.value) : value.case === 'dimParam' ? value.value : null,
    ),
  };
}

function readNode(proto: NodeProto, external: ExternalReader): Node {
  return {
    op: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(
      proto.attribute.map((a) => [a.name, readAttribute(a, `${proto.opType} '${proto.name}'`, external)]),
    ),
  };
}

function readAttribute(proto: AttributeProto, where: string, external: ExternalReader): Attribute {
  const text = new TextDecoder();
  switch (proto.type) {
    case AttributeType.FLOAT:
      return { kind: 'float', value: proto.f };
    case AttributeType.INT:
      return { kind: 'int', value: Number(proto.i) };
    case AttributeType.STRING:
      return { kind: 'string', value: text.decode(proto.s) };
    case AttributeType.TENSOR:
      if (proto.t) return { kind: 'tensor', value: readTensor(proto.t, external) };
      break;
    case AttributeType.GRAPH:
      if (proto.g) return { kind: 'graph', value: readGraph(proto.g, external) };
      break;
    case AttributeType.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case AttributeType.INTS:
      return { kind: 'ints', value: proto.ints.map(Number) };
    case AttributeType.STRINGS:
      return { kind: 'strings', value: proto.strings.map((s) => text.decode(s)) };
  }
  throw new UserError(`attribute '${proto.name}' of ${where} has a kind that toehold does not read (${proto.type})`);
}
