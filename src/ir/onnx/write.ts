/** Graph -> bytes of an ONNX file. */
import { create, toBinary } from '@bufbuild/protobuf';
import { numberOfType } from '../element-type.js';
import type { Attribute, Graph, Node, ValueInfo } from '../graph.js';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './gen/onnx_pb.js';
import { writeTensor } from './tensor.js';

/** Bytes of an ONNX file with all tensors inside (the format's limit is 2 GB). */
export function writeModel(graph: Graph): Uint8Array {
  return toBinary(ModelProtoSchema, writeProto(graph));
}

/** A model whose large tensors lie beside it, as in external data files called `path`. */
export interface ModelParts {
  readonly model: Uint8Array;
  readonly weights: readonly { readonly path: string; readonly data: Uint8Array }[];
}

/** Tensors of fewer bytes stay inside: shapes, axes and settings, which a runtime reads when it infers shapes. */
const largeTensor = 1024;

/** A model for a runtime in the same process: large tensors are the graph's own memory, neither copied nor limited in size. */
export function writeModelParts(graph: Graph): ModelParts {
  const proto = writeProto(graph);
  const weights: { path: string; data: Uint8Array }[] = [];
  for (const tensor of proto.graph?.initializer ?? []) {
    const data = tensor.rawData;
    if (data.length < largeTensor) continue;
    const path = `weight ${weights.length}`;
    weights.push({ path, data });
    tensor.rawData = new Uint8Array();
    tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
    tensor.externalData = Object.entries({ location: path, offset: '0', length: `${data.length}` }).map(
      ([key, value]) => create(StringStringEntryProtoSchema, { key, value }),
    );
  }
  return { model: toBinary(ModelProtoSchema, proto), weights };
}

function writeProto(graph: Graph): ModelProto {
  const opset = graph.opsets.get('') ?? 1;
  return create(ModelProtoSchema, {
    irVersion: opset >= 21 ? 10n : 8n,
    producerName: 'toehold',
    opsetImport: [...graph.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: [...graph.metadata].map(([key, value]) => ({ key, value })),
    graph: writeGraph(graph),
  });
}

function writeGraph(graph: Graph): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name || 'graph',
    node: writeNodes(graph.nodes),
    initializer: [...graph.constants].map(([name, tensor]) => writeTensor(name, tensor)),
    input: graph.inputs.map(writeValue),
    output: graph.outputs.map(writeValue),
  });
}

function writeValue(value: ValueInfo): ValueInfoProto {
  const shape = value.shape && {
    dim: value.shape.map((dim) =>
      create(TensorShapeProto_DimensionSchema, {
        value:
          typeof dim === 'number'
            ? { case: 'dimValue', value: BigInt(dim) }
            : typeof dim === 'string'
              ? { case: 'dimParam', value: dim }
              : { case: undefined },
      }),
    ),
  };
  if (!value.type) return create(ValueInfoProtoSchema, { name: value.name });
  return create(ValueInfoProtoSchema, {
    name: value.name,
    type: {
      value: { case: 'tensorType', value: { elemType: numberOfType(value.type), ...(shape && { shape }) } },
    },
  });
}

/** Engines report errors by node name, and want names that differ: a node without one is called by its first value. */
function writeNodes(nodes: readonly Node[]): NodeProto[] {
  const taken = new Set<string>();
  return nodes.map((node) => {
    const wanted = node.name || (node.outputs.find((output) => output !== '') ?? '');
    let name = wanted;
    for (let i = 1; taken.has(name); i++) name = `${wanted}.${i}`;
    if (name !== '') taken.add(name);
    return writeNode(node, name);
  });
}

function writeNode(node: Node, name: string): NodeProto {
  return create(NodeProtoSchema, {
    opType: node.op,
    domain: node.domain,
    name,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([key, attribute]) => writeAttribute(key, attribute)),
  });
}

const largest = 2n ** 63n - 1n;
/** Exporters use the largest int64 for "to the end"; as a JavaScript number it rounds up past the range. */
function toInt64(value: number): bigint {
  const big = BigInt(value);
  return big > largest ? largest : big < -largest ? -largest : big;
}

function writeAttribute(name: string, attribute: Attribute): AttributeProto {
  const text = new TextEncoder();
  switch (attribute.kind) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: toInt64(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: text.encode(attribute.value) });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: writeTensor('', attribute.value) });
    case 'graph':
      return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: writeGraph(attribute.value) });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: attribute.value.map(toInt64) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...attribute.value] });
    case 'strings':
      return create(AttributeProtoSchema, {
        name,
        type: AttributeType.STRINGS,
        strings: attribute.value.map((s) => text.encode(s)),
      });
  }
}
