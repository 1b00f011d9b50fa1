/** Damage to files: seeded, so that an input is known by its number. */
import type { Random } from '../../src/base/index.js';
import type { Attribute, DataType, Graph, Node, NumericArray, Tensor } from '../../src/graph/index.js';

const extremes = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 32, 2 ** 53, 1e308, -0, 65_535];
const oddTexts = [
  '',
  ' ',
  '../../x',
  '/etc/passwd',
  'NaN',
  'null',
  '__proto__',
  'constructor',
  '\u0000',
  '\ufeff',
  '\u001b[31m',
  '=1+1',
  '"',
  "'",
  '{',
  '[[[[',
  '&a [*a]',
  '🦶'.repeat(9),
  'x'.repeat(5000),
];

const pick = <T>(random: Random, from: readonly T[]): T => from[random.integer(from.length)] as T;

/** Some bytes are changed, cut, doubled, moved or put in. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let data = Buffer.from(bytes);
  // One change in half of them: more seldom get past the first check.
  for (let times = random.uniform() < 0.5 ? 1 : 1 + random.integer(6); times > 0; times--) {
    if (data.length === 0) return data;
    // Headers decide most, and are short.
    const reach = random.uniform() < 0.5 ? Math.min(data.length, 200) : data.length;
    const at = random.integer(reach);
    const span = 1 + random.integer(Math.min(64, data.length - at));
    switch (random.integer(9)) {
      case 0:
        data[at] = (data[at] as number) ^ (1 << random.integer(8));
        break;
      case 1:
        data[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        data = data.subarray(0, at) as typeof data;
        break;
      case 3:
        data = Buffer.concat([data.subarray(0, at), data.subarray(at + span)]);
        break;
      case 4:
        data = Buffer.concat([data.subarray(0, at + span), data.subarray(at, at + span), data.subarray(at + span)]);
        break;
      case 5:
        if (at + 4 <= data.length)
          data.writeInt32LE(
            pick(
              random,
              extremes.filter((v) => Math.abs(v) < 2 ** 31),
            ),
            at,
          );
        break;
      case 6:
        if (at + 8 <= data.length)
          data.writeBigInt64LE(
            BigInt(
              Math.trunc(
                pick(
                  random,
                  extremes.filter((v) => Math.abs(v) < 2 ** 63),
                ),
              ),
            ),
            at,
          );
        break;
      case 7:
        data = Buffer.concat([data.subarray(0, at), Buffer.from(pick(random, oddTexts)), data.subarray(at)]);
        break;
      default: {
        const from = random.integer(data.length);
        data.copy(data, at, from, Math.min(data.length, from + span));
      }
    }
  }
  return data;
}

/** One value somewhere in a tree is replaced, removed, doubled or renamed. */
export function mutateTree(value: unknown, random: Random): unknown {
  const copy = structuredClone(value);
  for (let times = 1 + random.integer(3); times > 0; times--) {
    let [node, parent, key]: [unknown, Record<string, unknown> | undefined, string] = [copy, undefined, ''];
    for (let depth = random.integer(9); depth > 0 && node !== null && typeof node === 'object'; depth--) {
      const keys = Object.keys(node);
      if (keys.length === 0) break;
      key = pick(random, keys);
      parent = node as Record<string, unknown>;
      node = parent[key];
    }
    if (!parent) continue;
    switch (random.integer(6)) {
      case 0:
        if (Array.isArray(parent)) parent.splice(Number(key), 1);
        else delete parent[key];
        break;
      case 1:
        parent[key] = pick(random, extremes);
        break;
      case 2:
        parent[key] = pick(random, oddTexts);
        break;
      case 3:
        parent[key] = pick<unknown>(random, [null, true, [], {}, [[]], { length: 1 }]);
        break;
      case 4:
        if (Array.isArray(node)) node.push(...structuredClone(node).slice(0, 20));
        else parent[key] = [node];
        break;
      default:
        parent[pick(random, oddTexts)] = node;
    }
  }
  return copy;
}

/** JSON text damaged in its values or in its bytes. */
export function mutateJson(value: unknown, random: Random): Uint8Array {
  if (random.uniform() < 0.75) return Buffer.from(JSON.stringify(mutateTree(value, random)) ?? 'null');
  return mutateBytes(Buffer.from(JSON.stringify(value)), random);
}

const operators = (
  'Resize Reshape Slice Gather GatherND ScatterND ScatterElements Pad Tile Expand Concat Split Transpose Squeeze Unsqueeze ' +
  'Conv ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool BatchNormalization LayerNormalization InstanceNormalization ' +
  'Gemm MatMul Einsum Softmax ReduceMean ReduceMax TopK ArgMax OneHot Range ConstantOfShape Shape Size Cast CumSum Where ' +
  'QuantizeLinear DequantizeLinear QLinearConv LSTM GRU RNN Loop If Scan GridSample RoiAlign NonMaxSuppression DepthToSpace ' +
  'SpaceToDepth Trilu EyeLike Dropout Identity Relu PRelu Add Pow Mod StringNormalizer Unique Nonsense'
).split(' ');
const names =
  'axis axes kernel_shape pads strides dilations group perm mode to keepdims epsilon storage_order ceil_mode'.split(
    ' ',
  );
const types: readonly DataType[] = [
  'float32',
  'float64',
  'float16',
  'int8',
  'uint8',
  'int32',
  'int64',
  'bool',
  'string',
];
const integers = [0, 1, 2, 3, 7, 64, -1, -2, -9, 255, 65_536, 2 ** 31 - 1, -(2 ** 31), 2 ** 40, 2 ** 62, -(2 ** 62)];
const numbers = [...integers, 0.5, -0.5, 1e-30, 1e38, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** Some elements are replaced, or the list gets shorter or longer. */
function mutateList<T>(values: readonly T[], from: readonly T[], random: Random): T[] {
  const at = random.integer(values.length + 1);
  switch (random.integer(4)) {
    case 0:
      return values.toSpliced(at, 1);
    case 1:
      return values.toSpliced(at, 0, pick(random, from));
    case 2:
      return [...values, ...Array.from({ length: pick(random, [1, 7, 40, 300]) }, () => pick(random, from))];
    default:
      return values.length === 0
        ? [pick(random, from)]
        : values.with(random.integer(values.length), pick(random, from));
  }
}

function mutateTensor(tensor: Tensor, random: Random): Tensor {
  const data = tensor.data.slice() as NumericArray;
  switch (random.integer(4)) {
    case 0:
      return { ...tensor, dims: mutateList(tensor.dims, integers, random) };
    case 1:
      return { ...tensor, type: pick(random, types.slice(0, -1)) };
    case 2:
      return { ...tensor, data: data.slice(0, random.integer(data.length + 1)) };
    default:
      if (data instanceof BigInt64Array || data instanceof BigUint64Array)
        data[random.integer(data.length)] = BigInt(pick(random, integers));
      else data[random.integer(data.length)] = pick(random, numbers);
      return { ...tensor, data };
  }
}

function mutateAttribute(attribute: Attribute, random: Random): Attribute {
  switch (attribute.kind) {
    case 'int':
      return { kind: 'int', value: pick(random, integers) };
    case 'ints':
      return { kind: 'ints', value: mutateList(attribute.value, integers, random) };
    case 'float':
      return { kind: 'float', value: pick(random, numbers) };
    default:
      return pick<Attribute>(random, [
        { kind: 'string', value: pick(random, oddTexts) },
        { kind: 'ints', value: [] },
        { kind: 'float', value: 1 },
      ]);
  }
}

function mutateNode(node: Node, values: readonly string[], random: Random): Node {
  switch (random.integer(6)) {
    case 0:
      return { ...node, op: pick(random, operators) };
    case 1:
    case 2: {
      const known = Object.keys(node.attributes);
      const name = pick(random, known.length > 0 && random.uniform() < 0.7 ? known : names);
      const attribute =
        node.attributes[name] ??
        pick<Attribute>(random, [
          { kind: 'int', value: pick(random, integers) },
          { kind: 'ints', value: [pick(random, integers), pick(random, integers)] },
        ]);
      return { ...node, attributes: { ...node.attributes, [name]: mutateAttribute(attribute, random) } };
    }
    case 3:
      return { ...node, inputs: mutateList(node.inputs, ['', 'nowhere', ...node.outputs, ...values], random) };
    case 4:
      return { ...node, outputs: mutateList(node.outputs, ['', ...values], random) };
    default:
      return { ...node, domain: pick(random, ['com.microsoft', 'nowhere', 'ai.onnx.ml']) };
  }
}

/** A graph damaged in its operators, attributes, links, constants and declared shapes: a file that is whole, and wrong. */
export function mutateGraph(graph: Graph, random: Random): Graph {
  let damaged = graph;
  for (let times = 1 + random.integer(3); times > 0; times--) {
    const { nodes, constants, inputs, outputs } = damaged;
    const values = [...inputs.map((v) => v.name), ...constants.keys(), ...nodes.flatMap((n) => n.outputs)];
    const at = random.integer(Math.max(1, nodes.length));
    const node = nodes[at];
    switch (random.integer(8)) {
      case 0:
        damaged = { ...damaged, nodes: nodes.toSpliced(at, 1) };
        break;
      case 1: {
        const [name, tensor] = pick(random, [...constants]) ?? [];
        if (name !== undefined && tensor)
          damaged = { ...damaged, constants: new Map([...constants, [name, mutateTensor(tensor, random)]]) };
        break;
      }
      case 2: {
        const declared = pick(random, inputs);
        const shape = mutateList(declared?.shape ?? [], [null, 'N', ...integers], random);
        if (declared) damaged = { ...damaged, inputs: [{ ...declared, shape, type: pick(random, types) }] };
        break;
      }
      case 3:
        damaged = { ...damaged, outputs: mutateList(outputs, [{ name: pick(random, values) }, ...outputs], random) };
        break;
      case 4:
        damaged = { ...damaged, opsets: new Map([['', pick(random, [1, 6, 9, 11, 13, 18, 21, 24, 99])]]) };
        break;
      default:
        if (node) damaged = { ...damaged, nodes: nodes.with(at, mutateNode(node, values, random)) };
    }
  }
  return damaged;
}
