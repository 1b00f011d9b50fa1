import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random, UserError } from '../../src/base/index.js';
import {
  type DataType,
  float32,
  type Graph,
  GraphBuilder,
  int64,
  readModel,
  readModelFile,
  sizeOf,
  type Tensor,
  writeModel,
  writeModelParts,
} from '../../src/ir/index.js';
import { readExternal } from '../../src/ir/onnx/external.js';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  FunctionProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from '../../src/ir/onnx/gen/onnx_pb.js';
import { assetsTest, backbonePath, backbones } from '../support/assets.js';
import { runOnce } from '../support/run.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold ir ü '));
});
afterAll(() => rm(folder, { recursive: true }));

/** y = x + w, the smallest model with a weight. */
function adder(weight: Tensor = float32([2], [1, 2])): Graph {
  const b = new GraphBuilder();
  b.input('x', weight.type, ['N', 2]);
  b.constant(weight, 'w');
  b.output(b.op('Add', ['x', 'w'], {}, 'y'), 'y', weight.type, ['N', 2]);
  b.metadata('author', 'test');
  return b.build();
}

/** The file of `graph`, changed as a message. */
function edited(graph: Graph, edit: (model: ModelProto) => void): Uint8Array {
  const model = fromBinary(ModelProtoSchema, writeModel(graph));
  edit(model);
  return toBinary(ModelProtoSchema, model);
}
type TensorFields = MessageInitShape<typeof TensorProtoSchema>;
const withWeight = (fields: TensorFields) =>
  edited(adder(), ({ graph }) => {
    if (graph) graph.initializer = [create(TensorProtoSchema, { name: 'w', dims: [2n], dataType: 1, ...fields })];
  });
const external = (location: string, more: Record<string, string> = {}) => ({
  dataLocation: TensorProto_DataLocation.EXTERNAL,
  externalData: Object.entries({ location, ...more }).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  ),
});
const weightOf = (bytes: Uint8Array, directory?: string) =>
  readModel(bytes, { path: 'm.onnx', external: (tensor) => readExternal(tensor, directory) }).constants.get('w');

describe('reading what was written', () => {
  test('gives the same graph: nodes, attributes of every kind, bodies, opsets, metadata', () => {
    const body = new GraphBuilder(undefined, 'body');
    body.output(body.op('Relu', ['x'], {}, 'inner'));
    const b = new GraphBuilder();
    b.domain('com.example', 3);
    b.input('x', 'float32', ['N', null, 3]);
    b.input('free');
    b.node<string>('Any', ['x'], ['y', ''], {
      axis: { kind: 'int', value: -3 },
      alpha: { kind: 'float', value: 0.5 },
      mode: { kind: 'string', value: 'linear' },
      empty: { kind: 'ints', value: [] },
      pads: { kind: 'ints', value: [1, -2] },
      scales: { kind: 'floats', value: [0.5, 2] },
      names: { kind: 'strings', value: ['a', 'ü'] },
      value: { kind: 'tensor', value: int64([1, 2], [2, 1]) },
      then_branch: { kind: 'graph', value: { ...body.build(), opsets: new Map(), name: 'then' } },
    });
    b.node('Special', ['y', '', 'free'], ['z'], {}, 'com.example');
    b.output('z', 'z', 'int64', []);
    b.metadata('key', 'value');
    const graph = b.build();
    const named = { ...graph, nodes: graph.nodes.map((n) => ({ ...n, name: n.outputs[0] })) };
    const back = readModel(writeModel(graph));
    // Bodies get node names as well; compare them by writing again.
    expect(writeModel(back)).toEqual(writeModel(graph));
    expect(back.nodes.map((n) => n.name)).toEqual(named.nodes.map((n) => n.name));
    expect(back.nodes[0]?.attributes.value).toEqual(graph.nodes[0]?.attributes.value);
    expect({ ...back, nodes: [] }).toEqual({ ...graph, nodes: [] });
  });

  test('in parts: large tensors stay where they are, small ones go into the model', () => {
    const [large, small] = [float32([16, 16], new Float32Array(256).fill(3)), int64([16, 16])];
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [16, 16]);
    b.output(b.op('Reshape', [b.op('Add', [x, b.constant(large, 'large')]), b.constant(small, 'small')]), 'y');
    const { model, weights } = writeModelParts(b.build());
    expect(weights).toHaveLength(1);
    expect(weights[0]?.data.buffer).toBe((large.data as Float32Array).buffer);
    const tensors = fromBinary(ModelProtoSchema, model).graph?.initializer ?? [];
    expect(tensors.map((t) => [t.name, t.rawData.length])).toEqual([
      ['large', 0],
      ['small', 16],
    ]);
    expect(Object.fromEntries(tensors[0]?.externalData.map((e) => [e.key, e.value]) ?? [])).toEqual({
      location: weights[0]?.path,
      offset: '0',
      length: '1024',
    });
  });

  test('gives nodes names that differ, as engines want them', async () => {
    const b = new GraphBuilder();
    b.append({
      op: 'Relu',
      domain: '',
      name: 'y',
      inputs: [b.input('x', 'float32', [1])],
      outputs: ['z'],
      attributes: {},
    });
    b.append({ op: 'Neg', domain: '', name: '', inputs: ['z'], outputs: ['y'], attributes: {} });
    b.output('y');
    const graph = b.build();
    expect(readModel(writeModel(graph)).nodes.map((n) => n.name)).toEqual(['y', 'y.1']);
    expect((await runOnce(graph, { x: float32([1], [2]) })).y).toEqual(float32([1], [-2]));
  });

  test('keeps tensors of every element type', () => {
    const samples: [DataType, Tensor['data']][] = [
      ['float32', Float32Array.of(1.5, Number.NEGATIVE_INFINITY)],
      ['float64', Float64Array.of(1e300, -0)],
      ['float16', Uint16Array.of(0x3c00, 0xfc00)],
      ['bfloat16', Uint16Array.of(0x3f80, 1)],
      ['int8', Int8Array.of(-128, 127)],
      ['uint8', Uint8Array.of(0, 255)],
      ['int16', Int16Array.of(-32768, 32767)],
      ['uint16', Uint16Array.of(0, 65535)],
      ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
      ['uint32', Uint32Array.of(0, 2 ** 32 - 1)],
      ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
      ['uint64', BigUint64Array.of(0n, 2n ** 64n - 1n)],
      ['bool', Uint8Array.of(0, 1)],
      ['string', ['', 'ü']],
    ];
    for (const [type, data] of samples) {
      const tensor: Tensor = { type, dims: [2], data };
      expect(weightOf(writeModel(adder(tensor)))).toEqual(tensor);
    }
    // Types without a JavaScript array are bytes: eight int4 numbers.
    const packed: Tensor = { type: 'opaque22', dims: [8], data: Uint8Array.of(1, 2, 3, 4) };
    expect(weightOf(writeModel(adder(packed)))).toEqual(packed);
  });

  test('a view into a larger buffer is written as its own elements', () => {
    const data = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
    expect(weightOf(writeModel(adder(float32([2], data))))).toEqual(float32([2], [1, 2]));
  });

  test('a scalar and an empty tensor keep their shapes', () => {
    for (const tensor of [float32([], [3]), float32([0, 2], []), float32([0], [])]) {
      expect(weightOf(writeModel(adder(tensor)))).toEqual(tensor);
    }
  });

  for (const name of backbones) {
    assetsTest(`${name} gives the same outputs, bit for bit`, async () => {
      const graph = await readModelFile(backbonePath(name));
      const again = readModel(writeModel(graph));
      const shape = graph.inputs[0]?.shape ?? [];
      const dims = shape.map((d, i) => (i === 0 || typeof d !== 'number' ? 1 : d));
      const random = new Random(5);
      const input = float32(
        dims,
        Array.from({ length: sizeOf(dims) }, () => random.normal()),
      );
      const feeds = { [graph.inputs[0]?.name ?? '']: input };
      expect(await runOnce(again, feeds)).toEqual(await runOnce(graph, feeds));
    });
  }
});

describe('forms of tensors in files', () => {
  test('typed data reads as raw data does', () => {
    const cases: [DataType, number, TensorFields, Tensor['data']][] = [
      ['float32', 1, { floatData: [1.5, -2] }, Float32Array.of(1.5, -2)],
      ['uint8', 2, { int32Data: [0, 255] }, Uint8Array.of(0, 255)],
      ['int8', 3, { int32Data: [-128, 127] }, Int8Array.of(-128, 127)],
      ['int32', 6, { int32Data: [-1, 1] }, Int32Array.of(-1, 1)],
      ['int64', 7, { int64Data: [-1n, 2n ** 62n] }, BigInt64Array.of(-1n, 2n ** 62n)],
      ['bool', 9, { int32Data: [0, 1] }, Uint8Array.of(0, 1)],
      ['float16', 10, { int32Data: [0x3c00, 0xc000] }, Uint16Array.of(0x3c00, 0xc000)],
      ['float64', 11, { doubleData: [0.1, 1e300] }, Float64Array.of(0.1, 1e300)],
      ['uint32', 12, { uint64Data: [1n, 2n ** 32n - 1n] }, Uint32Array.of(1, 2 ** 32 - 1)],
      ['uint64', 13, { uint64Data: [1n, 2n ** 64n - 1n] }, BigUint64Array.of(1n, 2n ** 64n - 1n)],
    ];
    for (const [type, dataType, fields, data] of cases) {
      expect(weightOf(withWeight({ dataType, ...fields }))).toEqual({ type, dims: [2], data });
    }
  });

  test('data at any alignment in the file', () => {
    const values = [1.25, -3];
    for (let shift = 0; shift < 8; shift++) {
      const bytes = edited(adder(float32([2], values)), (model) => {
        model.producerName = 'p'.repeat(shift);
      });
      expect(weightOf(bytes)).toEqual(float32([2], values));
    }
  });

  test('Constant nodes in every form are constants, which say that they stood among the nodes', () => {
    const bytes = edited(adder(), ({ graph }) => {
      if (!graph) return;
      const constant = (name: string, type: AttributeType, fields: object) =>
        create(NodeProtoSchema, {
          opType: 'Constant',
          output: [name],
          attribute: [create(AttributeProtoSchema, { name, type, ...fields })],
        });
      const text = new TextEncoder();
      graph.node.unshift(
        constant('value_float', AttributeType.FLOAT, { f: 0.5 }),
        constant('value_floats', AttributeType.FLOATS, { floats: [1, 2] }),
        constant('value_int', AttributeType.INT, { i: 3n }),
        constant('value_ints', AttributeType.INTS, { ints: [4n, 5n] }),
        constant('value_string', AttributeType.STRING, { s: text.encode('a') }),
        constant('value_strings', AttributeType.STRINGS, { strings: [text.encode('b'), text.encode('c')] }),
        constant('value', AttributeType.TENSOR, {
          t: create(TensorProtoSchema, { dims: [1n], dataType: 1, floatData: [6] }),
        }),
      );
    });
    const { constants, nodes } = readModel(bytes);
    expect(nodes.map((n) => n.op)).toEqual(['Add']);
    expect(constants.get('value_float')).toEqual({ ...float32([], [0.5]), literal: true });
    expect(constants.get('value_floats')).toEqual({ ...float32([2], [1, 2]), literal: true });
    expect(constants.get('value_int')).toEqual({ ...int64([3], []), literal: true });
    expect(constants.get('value_ints')).toEqual({ ...int64([4, 5]), literal: true });
    expect(constants.get('value_string')).toEqual({ ...{ type: 'string', dims: [], data: ['a'] }, literal: true });
    expect(constants.get('value_strings')).toEqual({
      ...{ type: 'string', dims: [2], data: ['b', 'c'] },
      literal: true,
    });
    expect(constants.get('value')).toEqual({ ...float32([1], [6]), literal: true });
  });

  test('an end at the largest int64 survives in attributes, as the old Slice has it', async () => {
    const b = new GraphBuilder();
    b.domain('', 9);
    b.input('x', 'float32', [4]);
    const most = 2 ** 63; // What the largest int64, 2^63 - 1, becomes as a JavaScript number.
    b.output(
      b.op('Slice', ['x'], {
        starts: { kind: 'ints', value: [1] },
        ends: { kind: 'ints', value: [most] },
      }),
      'y',
    );
    const again = readModel(writeModel(readModel(writeModel(b.build()))));
    const { y } = await runOnce(again, { x: float32([4], [1, 2, 3, 4]) });
    expect(y).toEqual(float32([3], [2, 3, 4]));
  });

  test('inputs that have an initialiser are constants, not inputs', () => {
    const bytes = edited(adder(), ({ graph }) => {
      const [x] = graph?.input ?? [];
      if (x) graph?.input.push({ ...x, name: 'w' });
    });
    expect(readModel(bytes).inputs.map((v) => v.name)).toEqual(['x']);
  });

  test('a model of operator set 9 reads and runs', async () => {
    const b = new GraphBuilder(adder());
    b.domain('', 9);
    const graph = readModel(writeModel(b.build()));
    expect(graph.opsets.get('')).toBe(9);
    const { y } = await runOnce(graph, { x: float32([1, 2], [1, 1]) });
    expect(y).toEqual(float32([1, 2], [2, 3]));
  });
});

describe('external data', () => {
  const values = Float32Array.of(7, 8, 9, 10);
  beforeAll(async () => {
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'weights.bin'), new Uint8Array(values.buffer));
    await writeFile(join(folder, 'sub', 'w.bin'), new Uint8Array(values.buffer));
  });

  test('is read from beside the model, at its offset, and runs', async () => {
    const path = join(folder, 'model.onnx');
    await writeFile(path, withWeight(external('weights.bin', { offset: '8', length: '8' })));
    const graph = await readModelFile(path);
    expect(graph.constants.get('w')).toEqual(float32([2], [9, 10]));
    const { y } = await runOnce(graph, { x: float32([1, 2], [1, 1]) });
    expect(y).toEqual(float32([1, 2], [10, 11]));
    // Written again, the model holds its data itself.
    expect(weightOf(writeModel(graph))).toEqual(float32([2], [9, 10]));
  });

  test('needs neither offset nor length, and may lie in a folder below', () => {
    for (const location of ['weights.bin', 'sub/w.bin', './sub/../weights.bin']) {
      expect(weightOf(withWeight(external(location)), folder)).toEqual(float32([2], [7, 8]));
    }
  });

  test('that is missing or too short is an error naming tensor and file', () => {
    expect(() => weightOf(withWeight(external('gone.bin')), folder)).toThrow(/tensor 'w' is missing: .*gone\.bin/);
    const far = withWeight(external('weights.bin', { offset: '12' }));
    expect(() => weightOf(far, folder)).toThrow(/weights\.bin is too short for tensor 'w'/);
  });

  test('of a length that does not fit the shape is a damaged file', () => {
    const bytes = withWeight(external('weights.bin', { length: '12' }));
    expect(() => weightOf(bytes, folder)).toThrow(/'w' of shape \[2\] holds 3 elements instead of 2/);
    expect(() => weightOf(withWeight(external('weights.bin', { length: '1e12' })), folder)).toThrow(UserError);
    expect(() => weightOf(withWeight(external('weights.bin', { offset: '-4' })), folder)).toThrow(UserError);
  });

  test("outside the model's folder is refused, whichever way the path is written", () => {
    for (const location of ['../weights.bin', '/etc/hostname', 'sub/../../weights.bin', '..', '']) {
      expect(() => weightOf(withWeight(external(location)), join(folder, 'sub'))).toThrow(UserError);
    }
    expect(() => weightOf(withWeight(external('weights.bin')))).toThrow(/outside the model's folder/);
  });
});

describe('files that are no model', () => {
  const reading = async (name: string, bytes: Uint8Array | string) => {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return readModelFile(path);
  };

  test('missing, empty, text, image, truncated: errors that name the file', async () => {
    const whole = writeModel(adder(float32([64, 2], new Float32Array(128))));
    const cases: [string, Uint8Array | string][] = [
      ['empty.onnx', ''],
      ['text.onnx', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'],
      ['page.onnx', '<html><body>Not found</body></html>'],
      ['image.onnx', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13)],
      ['half.onnx', whole.subarray(0, whole.length / 2)],
      ['nearly.onnx', whole.subarray(0, whole.length - 1)],
    ];
    for (const [name, bytes] of cases) {
      const attempt = reading(name, bytes);
      await expect(attempt).rejects.toThrow(UserError);
      await expect(attempt).rejects.toThrow(new RegExp(`${name} is not`));
    }
    await expect(readModelFile(join(folder, 'nowhere.onnx'))).rejects.toThrow(/no such file or folder: .*nowhere/);
    await expect(readModelFile(folder)).rejects.toThrow(UserError);
  });

  test('cut at any byte, a file is an error and never a graph', () => {
    // What follows the graph and the operator set may be missing without a trace.
    const whole = writeModel({ ...adder(), metadata: new Map() });
    for (let length = 0; length < whole.length; length++) {
      expect(() => readModel(whole.subarray(0, length), { path: 'cut.onnx' })).toThrow(UserError);
    }
  });

  test('a tensor with too few elements, or odd bytes, is a damaged file', () => {
    expect(() => weightOf(withWeight({ floatData: [1] }))).toThrow(/'w' of shape \[2\] holds 1 elements instead of 2/);
    expect(() => weightOf(withWeight({ rawData: new Uint8Array(7) }))).toThrow(/'w'.*7 bytes/);
  });

  test('model-local functions and sparse constants are named', () => {
    const functions = edited(adder(), (model) => {
      model.functions = [create(FunctionProtoSchema, { name: 'Block' })];
    });
    expect(() => readModel(functions)).toThrow(/functions \(Block \.\.\.\): inline them/);
    const sparse = edited(adder(), ({ graph }) => {
      graph?.node.push(
        create(NodeProtoSchema, {
          opType: 'Constant',
          name: 'c',
          output: ['c'],
          attribute: [create(AttributeProtoSchema, { name: 'sparse_value', type: AttributeType.SPARSE_TENSOR })],
        }),
      );
    });
    expect(() => readModel(sparse)).toThrow(/'sparse_value' of Constant 'c'/);
  });
});
