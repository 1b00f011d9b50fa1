/** Networks with what real exports have and no architecture of ours: they train, with the parameters that they say. */
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import type { Engine } from '../../src/engine/index.js';
import { float32, type Graph, GraphBuilder, ownConstants, sizeOf } from '../../src/graph/index.js';
import { mergeOptions, train } from '../../src/transfer/index.js';
import { testEngine } from '../support/run.js';
import { request, side } from './support.js';

/** Writes a network from an image (N, 3, side, side) to features (N, width), under a classifier that is replaced. */
function network(
  write: (b: GraphBuilder, x: string, weight: (dims: number[], name?: string) => string) => string,
): Graph {
  const b = new GraphBuilder();
  const random = new Random(1, 'operators');
  const weight = (dims: number[], name?: string) => {
    const scale = Math.sqrt(2 / sizeOf(dims.slice(1)));
    return b.constant(
      float32(
        dims,
        Array.from({ length: sizeOf(dims) }, () => random.normal() * scale),
      ),
      name,
    );
  };
  const features = write(b, b.input('image', 'float32', ['N', 3, side, side]), weight);
  b.output(features, 'features', 'float32');
  b.output(b.op('Gemm', [features, weight([4, 8]), weight([4])], { transB: 1 }, 'logits'));
  return ownConstants(b.build());
}

const pads = [1, 1, 1, 1];
const pooled = (b: GraphBuilder, x: string) => b.op('Flatten', [b.op('GlobalAveragePool', [x])]);

/** Two epochs in the layout of this machine and in the plain one. */
async function trained(model: Graph) {
  const engine = await testEngine();
  const run = (e: Engine) =>
    train(
      e,
      request({
        model,
        fresh: false,
        treatment: { name: 'finetune' },
        options: mergeOptions(undefined, { epochs: 3, batch: 16, learningRate: 0.02 }),
      }),
    );
  const [blocked, plain] = [await run(engine), await run({ ...engine, blockWidth: async () => 0 })];
  blocked.epochs.forEach(({ loss }, i) => {
    expect(loss).toBeCloseTo(plain.epochs[i]?.loss as number, 3);
  });
  expect(blocked.epochs.at(-1)?.loss).toBeLessThan(blocked.epochs[0]?.loss as number);
  return blocked;
}

const head = 4 * 8 + 4;

describe('a network', () => {
  test('of recurrent layers, attention with rotary positions, and norms of roots', async () => {
    const { parameters } = await trained(
      network((b, x, weight) => {
        b.domain('', 23);
        const patches = b.op('Conv', [x, weight([8, 3, 4, 4]), weight([8])], { kernel_shape: [4, 4], strides: [4, 4] });
        const map = b.reshape(patches, [-1, 8, 9]);
        // (steps, batch, width) as recurrent layers read it.
        const steps = b.transpose(map, [2, 0, 1]);
        const [both = ''] = b.ops('LSTM', [steps, weight([2, 16, 8]), weight([2, 16, 4]), weight([2, 32])], 3, {
          hidden_size: 4,
          direction: 'bidirectional',
        });
        const sequence = b.reshape(b.transpose(both, [2, 0, 1, 3]), [-1, 9, 8]);
        const normal = b.op('RMSNormalization', [sequence, weight([8], 'rms')]);
        const tables = [0, 1].map((k) =>
          b.constant(
            float32(
              [9, 2],
              Array.from({ length: 18 }, (_, i) => (k ? Math.sin : Math.cos)(i)),
            ),
          ),
        );
        const positions = b.op('Cast', [b.op('Shape', [normal])], { to: 7 });
        const rows = b.op('Expand', [
          b.constant({ type: 'int64', dims: [1, 9], data: BigInt64Array.from({ length: 9 }, (_, i) => BigInt(i)) }),
          b.concat([b.op('Slice', [positions, b.ints([0]), b.ints([1])]), b.ints([9])], 0),
        ]);
        const q = b.op('RotaryEmbedding', [b.matmul(normal, weight([8, 8])), ...tables, rows], { num_heads: 2 });
        const attended = b.op('Attention', [q, normal, normal], { q_num_heads: 2, kv_num_heads: 2 });
        return b.op('ReduceMean', [attended, b.ints([1])], { keepdims: 0 });
      }),
    );
    expect(parameters.total).toBe(8 * 48 + 8 + 2 * (16 * 8 + 16 * 4 + 32) + 8 + 64 + head);
  });

  test('whose weights a batch norm standardises, whose norms share their start, with a scalar added and a mask', async () => {
    const { parameters } = await trained(
      network((b, x, weight) => {
        const vector = (value: number, name: string) => b.constant(float32([8], new Float32Array(8).fill(value)), name);
        const [one, zero] = [vector(1, 'one'), vector(0, 'zero')];
        const w = b.reshape(weight([8, 3, 3, 3]), [1, 8, 27]);
        const statistics = [b.mean(w, [0, 2]), b.mean(b.mul(w, w), [0, 2])];
        const [standard = ''] = b.ops('BatchNormalization', [w, one, zero, ...statistics], 3, { training_mode: 1 });
        const kernel = { kernel_shape: [3, 3], pads };
        let y = b.op('Conv', [x, b.reshape(standard, [8, 3, 3, 3])], { ...kernel, strides: [2, 2] });
        y = b.op('PRelu', [b.op('BatchNormalization', [y, one, zero, zero, one]), weight([8, 1, 1])]);
        y = b.op('Conv', [b.add(y, b.scalar(0)), weight([8, 8, 3, 3])], kernel);
        y = b.op('HardSigmoid', [b.op('BatchNormalization', [y, one, zero, zero, one])]);
        return pooled(b, y);
      }),
    );
    // Both norms learn scales and shifts of their own; the one of the weights learns nothing.
    expect(parameters.total).toBe(8 * 27 + 16 + 8 + 8 * 72 + 16 + head);
  });
});
