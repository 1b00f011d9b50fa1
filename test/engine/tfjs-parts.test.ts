/** Operators that TensorFlow.js has no kernel for, computed in their parts: those of onnxruntime. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Engine } from '../../src/engine/index.js';
import { GraphBuilder } from '../../src/ir/index.js';
import { agree, check, sample, tried } from './tfjs-agree.js';

describe('operators in their parts', () => {
  test('Attention: heads of their own, flat ones that share keys, masks and what came before', () =>
    check(
      fc.asyncProperty(
        fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 })),
        async ([queries, keys]) => {
          const [q, k, v] = [
            sample([2, 3, queries, 4], 'q'),
            sample([2, 3, keys, 4], 'k'),
            sample([2, 3, keys, 4], 'v'),
          ];
          await agree(
            (b) => {
              b.domain('', 23);
              const mask = b.constant(sample([queries, keys], 'm'));
              return [
                b.op('Attention', ['q', 'k', 'v', mask]),
                b.op('Attention', ['q', 'k', 'v'], { softcap: 2, scale: 0.7 }),
              ];
            },
            { q, k, v },
          );
          await agree(
            (b) => {
              b.domain('', 23);
              return [b.op('Attention', ['q', 'k', 'k'], { q_num_heads: 4, kv_num_heads: 2 })];
            },
            { q: sample([2, queries, 12], 'q'), k: sample([2, keys, 6], 'k') },
          );
        },
      ),
      6,
    ));

  test('RotaryEmbedding, by halves and interleaved', () =>
    agree(
      (b) => {
        b.domain('', 23);
        const tables = [b.constant(sample([2, 3, 2], 'cos')), b.constant(sample([2, 3, 2], 'sin'))] as const;
        return [
          b.op('RotaryEmbedding', ['x', ...tables]),
          b.op('RotaryEmbedding', ['x', ...tables], { interleaved: 1 }),
        ];
      },
      { x: sample([2, 2, 3, 4], 'x') },
    ));

  for (const op of ['LSTM', 'GRU', 'RNN'] as const) {
    const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op];
    test(`${op}, both ways`, () =>
      agree(
        (b) => {
          const weights = [
            [2, gates * 5, 3],
            [2, gates * 5, 5],
            [2, 2 * gates * 5],
          ].map((dims, i) => b.constant(sample(dims, `w${i}`, (value) => value / 2)));
          return b.ops<string>(op, ['x', ...weights], op === 'LSTM' ? 3 : 2, {
            hidden_size: 5,
            direction: 'bidirectional',
          });
        },
        { x: sample([4, 2, 3], 'x') },
      ));
  }

  for (const mode of ['linear', 'nearest', 'cubic'])
    test(`GridSample, ${mode}`, () =>
      check(
        fc.asyncProperty(fc.constantFrom('zeros', 'border', 'reflection'), fc.constantFrom(0, 1), (padding, align) =>
          agree((b) => [b.op('GridSample', ['x', 'g'], { mode, padding_mode: padding, align_corners: align })], {
            x: sample([2, 3, 5, 4], 'x'),
            g: sample([2, 3, 2, 2], 'g', (value) => 0.8 * value),
          }),
        ),
        6,
      ));

  test('the plan follows its shapes', async () => {
    const b = new GraphBuilder();
    b.domain('', 23);
    b.input('x', 'float32', [1, 1, null, 4]);
    b.output(b.op('Attention', ['x', 'x', 'x']), 'y');
    const engine = await (tried.javascript as Promise<Engine>);
    const program = await engine.compile(b.build());
    for (const tokens of [3, 5, 3]) {
      const { y } = await program.run({ x: sample([1, 1, tokens, 4], 'x') });
      expect(y?.dims).toEqual([1, 1, tokens, 4]);
    }
    await program.dispose();
  });
});
