/** What every engine must do. An engine's test file calls `engineSuite(name, create)`. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random, UserError } from '../../src/base/index.js';
import type { Engine, EngineOptions, Program } from '../../src/engine/index.js';
import {
  type DataType,
  float32,
  type Graph,
  GraphBuilder,
  int64,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../../src/ir/index.js';
import { difference } from '../support/run.js';

const normal = (dims: readonly number[], key: string): Tensor => {
  const random = new Random(1, key);
  return float32(
    dims,
    Array.from({ length: sizeOf(dims) }, () => random.normal()),
  );
};

const numbers = (tensor: Tensor | undefined) => (tensor ? toNumbers(tensor) : []);

/** y = relu(conv(x)), z = mean over the image, for any batch. */
function convolution(): Graph {
  const b = new GraphBuilder();
  b.input('x', 'float32', ['N', 3, 8, 8]);
  const weight = b.constant(normal([4, 3, 3, 3], 'w'));
  const y = b.op('Relu', [b.op('Conv', ['x', weight], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })], {}, 'y');
  b.output(y);
  b.output(b.op('Flatten', [b.op('GlobalAveragePool', [y])], {}, 'z'));
  return b.build();
}

/** The value itself, through the engine. */
function identity(type: DataType): Graph {
  const b = new GraphBuilder();
  b.input('x', type, [2, 2]);
  b.output(b.op('Identity', ['x']), 'y', type, [2, 2]);
  return b.build();
}

const samples: Partial<Record<DataType, Tensor['data']>> = {
  float32: Float32Array.of(1.5, -2, 0, 3e8),
  float64: Float64Array.of(1.5, -2, 0, 1e300),
  float16: Uint16Array.of(0x3c00, 0xc000, 0, 0x7bff),
  int8: Int8Array.of(-128, -1, 0, 127),
  uint8: Uint8Array.of(0, 1, 128, 255),
  int32: Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1),
  int64: BigInt64Array.of(-(2n ** 63n), -1n, 0n, 2n ** 53n),
  bool: Uint8Array.of(0, 1, 1, 0),
};

export interface SuiteOptions {
  /** Element types that go in and come out unchanged. */
  types?: readonly DataType[];
  /** Where the engine runs when it is not told; 'cpu' by default. */
  device?: string;
  /** A device that cannot be there, and what its error must say. */
  missingDevice?: { device: EngineOptions['device']; message: RegExp };
}

export function engineSuite(
  name: string,
  create: (options?: Partial<EngineOptions>) => Promise<Engine>,
  { types = Object.keys(samples) as DataType[], device = 'cpu', missingDevice }: SuiteOptions = {},
): void {
  describe(`engine ${name}`, () => {
    let engine: Engine;
    let program: Program;
    beforeAll(async () => {
      engine = await create({ threads: 2 });
      program = await engine.compile(convolution());
    });
    afterAll(() => program.dispose());

    test('what it takes beyond the standard operators: domains, and a blocked layout of at least 8 channels', async () => {
      expect(engine.domains).not.toContain('');
      const block = await engine.blockWidth();
      expect(block === 0 || block >= 8).toBe(true);
      expect(await engine.blockWidth()).toBe(block);
    });

    test('says its name with version, its device and its threads', () => {
      expect(engine.name).toMatch(/\d+\.\d+/);
      expect(engine.device).toBe(device);
      expect(engine.threads).toBe(2);
      expect([program.inputs, program.outputs]).toEqual([['x'], ['y', 'z']]);
    });

    describe('element types go in and come out unchanged', () => {
      for (const type of types) {
        test(type, async () => {
          const x: Tensor = { type, dims: [2, 2], data: samples[type] as Tensor['data'] };
          const p = await engine.compile(identity(type));
          const { y } = await p.run({ x });
          expect(y?.type).toBe(type);
          expect(y?.dims).toEqual([2, 2]);
          expect(y?.data).toEqual(x.data);
          await p.dispose();
        });
      }
    });

    test('strings go in and come out, of each run its own', async () => {
      const p = await engine.compile(identity('string'));
      for (const data of [
        ['a', 'b', 'c', 'd'],
        ['e', 'f', 'g', 'h'],
      ]) {
        const { y } = await p.run({ x: { type: 'string', dims: [2, 2], data } });
        expect(y).toEqual({ type: 'string', dims: [2, 2], data });
      }
      await p.dispose();
    });

    test('a scalar and an empty tensor keep their shapes', async () => {
      const b = new GraphBuilder();
      b.input('x', 'float32', []);
      b.input('e', 'float32', [0, 3]);
      b.output(b.op('Neg', ['x']), 'y');
      b.output(b.op('Neg', ['e']), 'f');
      const p = await engine.compile(b.build());
      const { y, f } = await p.run({ x: float32([], [2]), e: float32([0, 3], []) });
      expect(y).toEqual(float32([], [-2]));
      expect(f).toEqual(float32([0, 3], []));
      await p.dispose();
    });

    test('computes what the graph says: a known convolution', async () => {
      const b = new GraphBuilder();
      b.input('x', 'float32', [1, 1, 3, 3]);
      const edge = b.constant(float32([1, 1, 2, 2], [1, 0, 0, -1]));
      b.output(b.op('Conv', ['x', edge], { kernel_shape: [2, 2] }), 'y');
      const p = await engine.compile(b.build());
      const { y } = await p.run({ x: float32([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 10]) });
      expect(y).toEqual(float32([1, 1, 2, 2], [-4, -4, -4, -5]));
      await p.dispose();
    });

    test('one program takes batches of any size, and rows do not depend on their batch', async () => {
      const x = normal([5, 3, 8, 8], 'x');
      const { y, z } = await program.run({ x });
      expect([y?.dims, z?.dims]).toEqual([
        [5, 4, 8, 8],
        [5, 4],
      ]);
      const one = float32([1, 3, 8, 8], (x.data as Float32Array).slice(2 * 192, 3 * 192));
      const { z: alone } = await program.run({ x: one });
      expect(difference(float32([1, 4], numbers(z).slice(8, 12)), alone)).toBeLessThan(1e-6);
    });

    test('returns the outputs that are fetched, no others', async () => {
      const x = normal([2, 3, 8, 8], 'x');
      expect(Object.keys(await program.run({ x }, ['z']))).toEqual(['z']);
      expect(Object.keys(await program.run({ x })).sort()).toEqual(['y', 'z']);
    });

    test('writes into tensors that are given, and returns these very tensors', async () => {
      const x = normal([2, 3, 8, 8], 'x');
      const { z } = await program.run({ x });
      const into = { z: float32([2, 4], new Float32Array(8)) };
      const data = into.z.data;
      const result = await program.run({ x }, undefined, into);
      expect(Object.keys(result)).toEqual(['z']);
      expect(result.z).toBe(into.z);
      expect(into.z.data).toBe(data);
      expect(data).toEqual(z?.data);
      expect(Object.keys(await program.run({ x }, ['y'], into)).sort()).toEqual(['y', 'z']);
    });

    test('results that were returned are not changed by later runs, nor feeds by any', async () => {
      const x = normal([2, 3, 8, 8], 'x');
      const copy = float32(x.dims, (x.data as Float32Array).slice());
      const { z: first } = await program.run({ x });
      const kept = structuredClone(first);
      await program.run({ x: normal([2, 3, 8, 8], 'other') });
      expect(first).toEqual(kept);
      expect(x).toEqual(copy);
    });

    test('same feeds, same bytes: in one program, and in one compiled again', async () => {
      const x = normal([4, 3, 8, 8], 'x');
      const first = await program.run({ x });
      const again = await engine.compile(convolution());
      expect(await program.run({ x })).toEqual(first);
      expect(await again.run({ x })).toEqual(first);
      await again.dispose();
    });

    test('optimised and as written, on one thread and on two, it is the same function', async () => {
      const x = normal([4, 3, 8, 8], 'x');
      const { z } = await program.run({ x });
      const single = await create({ threads: 1 });
      expect(single.threads).toBe(1);
      for (const optimize of ['all', 'none'] as const) {
        const p = await single.compile(convolution(), { optimize });
        expect(difference((await p.run({ x })).z, z)).toBeLessThan(1e-5);
        await p.dispose();
      }
    });

    test('an operator that the engine lacks is an error naming operator and node', async () => {
      for (const [domain, op] of [
        ['', 'NoSuchOperator'],
        ['com.example', 'Special'],
      ] as const) {
        const b = new GraphBuilder();
        if (domain) b.domain(domain, 1);
        b.input('x', 'float32', [1]);
        b.node(op, ['x'], ['odd_one'], {}, domain);
        b.output('odd_one');
        const compiled = engine.compile(b.build());
        await expect(compiled).rejects.toThrow(UserError);
        await expect(compiled).rejects.toThrow(new RegExp(`${op}.*'odd_one'`));
      }
    });

    test('an operator set newer than the engine is an error that says so', async () => {
      const b = new GraphBuilder();
      b.domain('', 99);
      b.input('x', 'float32', [1]);
      b.output(b.op('Relu', ['x']));
      await expect(engine.compile(b.build())).rejects.toThrow(/operator set 99.*reads up to \d+/);
    });

    test('a wrong feed is one clear sentence', async () => {
      const x = normal([2, 3, 8, 8], 'x');
      const cases: [Record<string, Tensor>, string][] = [
        [{ x: normal([2, 3, 9, 8], 'x') }, `input 'x' takes float32 [N, 3, 8, 8], not float32 [2, 3, 9, 8]`],
        [{ x: normal([3, 8, 8], 'x') }, `input 'x' takes float32 [N, 3, 8, 8], not float32 [3, 8, 8]`],
        [{ x: int64([1]) }, `input 'x' takes float32 [N, 3, 8, 8], not int64 [1]`],
        [{}, `input 'x' is missing`],
        [{ x, z: x }, `there is no input 'z'; the inputs are x`],
      ];
      for (const [feeds, message] of cases) await expect(program.run(feeds)).rejects.toThrow(new UserError(message));
    });

    test('an output that does not exist, or does not fit the tensor given for it, is an error naming it', async () => {
      const x = normal([2, 3, 8, 8], 'x');
      await expect(program.run({ x }, ['w'])).rejects.toThrow(/no output 'w'; the outputs are y, z/);
      await expect(program.run({ x }, [], { z: float32([2, 5], new Float32Array(10)) })).rejects.toThrow(/'z'/);
    });

    test('a node that fails while running is named', async () => {
      const b = new GraphBuilder();
      b.input('x');
      b.node('MatMul', ['x', b.constant(float32([3, 2], [1, 2, 3, 4, 5, 6]))], ['product']);
      b.output('product');
      const p = await engine.compile(b.build());
      await expect(p.run({ x: float32([2, 4], new Float32Array(8)) })).rejects.toThrow(/MatMul 'product'/);
      await p.dispose();
    });

    test('a program that was disposed of does not run; disposing again is harmless', async () => {
      const p = await engine.compile(convolution());
      await p.dispose();
      await p.dispose();
      await expect(p.run({ x: normal([1, 3, 8, 8], 'x') })).rejects.toThrow(/disposed/);
    });

    test.runIf(missingDevice !== undefined)('a device that is not there is an error naming the fix', async () => {
      const created = create({ device: missingDevice?.device as EngineOptions['device'] });
      await expect(created).rejects.toThrow(UserError);
      await expect(created).rejects.toThrow(missingDevice?.message);
    });
  });
}
