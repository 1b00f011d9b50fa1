/**
 * The tiny vision transformer (Dosovitskiy et al. 2021; Touvron et al. 2021, DeiT-Ti without distillation):
 * patches of 16 pixels, 12 blocks of width 192 with 3 heads; 5.7 million parameters, 1.26 billion multiply-adds at 224.
 */
import { UserError } from '../../base/index.js';
import type { Graph } from '../../ir/index.js';
import { type ArchitectureOptions, Layers } from './layers.js';

const PATCH = 16;
const WIDTH = 192;
const HEADS = 3;
const BLOCKS = 12;

export function vitTiny(options: ArchitectureOptions): Graph {
  if (options.size % PATCH !== 0) {
    throw new UserError(`vit-tiny takes images whose side is a multiple of ${PATCH} pixels, not ${options.size}`);
  }
  const l = new Layers('vit-tiny', options);
  let x = embedding(l, (options.size / PATCH) ** 2);
  for (let i = 0; i < BLOCKS; i++) {
    const name = `blocks.${i}`;
    x = l.add(x, attention(l, l.layerNorm(x, WIDTH, `${name}.norm1`), name), `${name}.mid`);
    x = l.add(x, mlp(l, l.layerNorm(x, WIDTH, `${name}.norm2`), name), `${name}.out`);
  }
  const tokens = l.layerNorm(x, WIDTH, 'norm');
  const index = l.parameter('first', { type: 'int64', dims: [], data: BigInt64Array.of(0n) });
  const features = l.builder.op('Gather', [tokens, index], { axis: 1 }, 'features');
  return l.finish(l.dense(features, WIDTH, options.classes, 'logits'), features, WIDTH);
}

/** (N, 3, size, size) -> (N, 1 + patches, width). The class token stands in a place that padding makes. */
function embedding(l: Layers, patches: number): string {
  const { builder } = l;
  const map = l.convolution(l.input, 3, WIDTH, 'patch', { kernel: PATCH, stride: PATCH, bias: 0 });
  const rows = builder.op('Reshape', [map, builder.ints([0, WIDTH, patches])], {}, 'patch.rows');
  const tokens = builder.op('Transpose', [rows], { perm: [0, 2, 1] }, 'patch.tokens');
  const cls = l.weight('cls_token', [1, 1, WIDTH], { outAxis: 1 });
  const position = l.weight('pos_embed', [1, 1 + patches, WIDTH], { outAxis: 1 });
  const withPlace = builder.op('Pad', [tokens, builder.ints([0, 1, 0, 0, 0, 0])], {}, 'tokens');
  const clsPadded = builder.op('Pad', [cls, builder.ints([0, 0, 0, 0, patches, 0])], {}, 'cls_token.padded');
  const offset = l.add(position, clsPadded, 'pos_embed.cls');
  return l.add(withPlace, offset, 'embedding');
}

function attention(l: Layers, x: string, name: string): string {
  const { builder } = l;
  const size = WIDTH / HEADS;
  const qkv = l.tokensDense(x, WIDTH, 3 * WIDTH, `${name}.qkv`);
  const parts = builder.ops('Split', [qkv, builder.ints([WIDTH, WIDTH, WIDTH])], 3, { axis: -1 }, `${name}.part`);
  const heads = (part: number, role: string, perm: number[]) => {
    const split = builder.op('Reshape', [parts[part] as string, builder.ints([0, -1, HEADS, size])]);
    return builder.op('Transpose', [split], { perm }, `${name}.${role}`);
  };
  const q = builder.op(
    'Mul',
    [heads(0, 'q', [0, 2, 1, 3]), builder.scalar(1 / Math.sqrt(size))],
    {},
    `${name}.q.scaled`,
  );
  const scores = builder.op('MatMul', [q, heads(1, 'k', [0, 2, 3, 1])], {}, `${name}.scores`);
  const weights = builder.op('Softmax', [scores], { axis: -1 }, `${name}.weights`);
  const mixed = builder.op('MatMul', [weights, heads(2, 'v', [0, 2, 1, 3])], {}, `${name}.mixed`);
  const joined = builder.op('Transpose', [mixed], { perm: [0, 2, 1, 3] }, `${name}.joined`);
  const rows = builder.op('Reshape', [joined, builder.ints([0, -1, WIDTH])], {}, `${name}.heads`);
  return l.tokensDense(rows, WIDTH, WIDTH, `${name}.attn`);
}

function mlp(l: Layers, x: string, name: string): string {
  const hidden = gelu(l, l.tokensDense(x, WIDTH, 4 * WIDTH, `${name}.fc1`), `${name}.gelu`);
  return l.tokensDense(hidden, 4 * WIDTH, WIDTH, `${name}.mlp`);
}

/** x (1 + erf(x / sqrt 2)) / 2, in the form that engines recognise. */
function gelu(l: Layers, x: string, name: string): string {
  const { builder } = l;
  const erf = builder.op('Erf', [builder.op('Div', [x, builder.scalar(Math.SQRT2)])]);
  const twice = builder.op('Mul', [x, builder.op('Add', [erf, builder.scalar(1)])]);
  return builder.op('Mul', [twice, builder.scalar(0.5)], {}, name);
}
