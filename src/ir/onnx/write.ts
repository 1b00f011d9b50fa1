/** Graph -> bytes of an ONNX file. */
import { create, type DescMessage, toBinary } from '@bufbuild/protobuf';
import type { Attribute, Graph, Node, ValueInfo } from '../graph.js';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './gen/onnx_pb.js';
import { numberFromType, writeTensor } from './tensor.js';

/**
 * Bytes of an ONNX file with all tensors inside (the format's limit is 2 GB). Weights, which are nearly all of it, are
 * copied once, behind what the generated code writes of the rest.
 * @param allocate gives memory of so many bytes
 */
export function writeModel(
  graph: Graph,
  allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  const opset = graph.opsets.get('') ?? 1;
  const model = create(ModelProtoSchema, {
    irVersion: opset >= 21 ? 10n : 8n,
    producerName: 'toehold',
    opsetImport: [...graph.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: [...graph.metadata].map(([key, value]) => ({ key, value })),
  });
  const { rawData, initializer } = tags;
  const inGraph: Uint8Array[] = [toBinary(GraphProtoSchema, writeGraph({ ...graph, constants: new Map() }))];
  for (const [name, tensor] of graph.constants) {
    const proto = writeTensor(name, tensor);
    const data = proto.rawData;
    proto.rawData = new Uint8Array();
    const head = toBinary(TensorProtoSchema, proto);
    const rawHead = data.length > 0 ? varints(rawData, data.length) : new Uint8Array();
    inGraph.push(varints(initializer, head.length + rawHead.length + data.length), head, rawHead, data);
  }
  const size = (parts: readonly Uint8Array[]) => parts.reduce((sum, part) => sum + part.length, 0);
  const parts = [toBinary(ModelProtoSchema, model), varints(tags.graph, size(inGraph)), ...inGraph];
  const bytes = allocate(size(parts));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Tags of length-delimited fields: 8 x number + 2. */
const tags = {
  graph: tag(ModelProtoSchema, 'graph'),
  initializer: tag(GraphProtoSchema, 'initializer'),
  rawData: tag(TensorProtoSchema, 'raw_data'),
};

function tag(schema: DescMessage, name: string): number {
  return 8 * (schema.fields.find((f) => f.name === name)?.number as number) + 2;
}

/** Numbers as protocol buffers write them: seven bits a byte, lowest first. */
function varints(...values: number[]): Uint8Array {
  const bytes: number[] = [];
  for (let value of values) {
    for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
    bytes.push(value);
  }
  return Uint8Array.from(bytes);
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
      value: { case: 'tensorType', value: { elemType: numberFromType(value.type), ...(shape && { shape }) } },
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
