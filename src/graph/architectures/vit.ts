/**
 * The tiny vision transformer (Dosovitskiy et al. 2021; Touvron et al. 2021, DeiT-Ti without distillation):
 * patches of 16 pixels, 12 blocks of width 192 with 3 heads; 5.7 million parameters, 1.26 billion multiply-adds at 224.
 */
import { UserError } from '../../base/index.js';
import { type Graph, int64 } from '../../ir/index.js';
import { ArchitectureBuilder, type ArchitectureOptions } from './architecture-builder.js';

const PATCH = 16;
const WIDTH = 192;
const HEADS = 3;
const BLOCKS = 12;

export function vitTiny(options: ArchitectureOptions): Graph {
  if (options.size % PATCH !== 0) {
    throw new UserError(`vit-tiny takes images whose side is a multiple of ${PATCH} pixels, not ${options.size}`);
  }
  const b = new ArchitectureBuilder('vit-tiny', options);
  let x = embedding(b, (options.size / PATCH) ** 2);
  for (let i = 0; i < BLOCKS; i++) {
    const name = `blocks.${i}`;
    x = b.add(x, attention(b, b.layerNorm(x, WIDTH, `${name}.norm1`), name), `${name}.mid`);
    x = b.add(x, mlp(b, b.layerNorm(x, WIDTH, `${name}.norm2`), name), `${name}.out`);
  }
  const tokens = b.layerNorm(x, WIDTH, 'norm');
  const index = b.constant(int64([0], []), 'first');
  const features = b.gather(tokens, index, 1, 'features');
  return b.finish(b.dense(features, WIDTH, options.classes, 'logits'), features, WIDTH);
}

/** (N, 3, size, size) -> (N, 1 + patches, width). The class token stands in a place that padding makes. */
function embedding(b: ArchitectureBuilder, patches: number): string {
  const map = b.convolution(b.image, 3, WIDTH, 'patch', { kernel: PATCH, stride: PATCH, bias: 0 });
  const rows = b.reshape(map, [0, WIDTH, patches], 'patch.rows');
  const tokens = b.transpose(rows, [0, 2, 1], 'patch.tokens');
  const cls = b.weight('cls_token', [1, 1, WIDTH], { outAxis: 1 });
  const position = b.weight('pos_embed', [1, 1 + patches, WIDTH], { outAxis: 1 });
  const withPlace = b.op('Pad', [tokens, b.ints([0, 1, 0, 0, 0, 0])], {}, 'tokens');
  const clsPadded = b.op('Pad', [cls, b.ints([0, 0, 0, 0, patches, 0])], {}, 'cls_token.padded');
  const offset = b.add(position, clsPadded, 'pos_embed.cls');
  return b.add(withPlace, offset, 'embedding');
}

function attention(b: ArchitectureBuilder, x: string, name: string): string {
  const size = WIDTH / HEADS;
  const qkv = b.tokensDense(x, WIDTH, 3 * WIDTH, `${name}.qkv`);
  const parts = b.ops('Split', [qkv, b.ints([WIDTH, WIDTH, WIDTH])], 3, { axis: -1 }, `${name}.part`);
  const heads = (part: number, role: string, perm: number[]) => {
    const split = b.reshape(parts[part] as string, [0, -1, HEADS, size]);
    return b.transpose(split, perm, `${name}.${role}`);
  };
  const q = b.mul(heads(0, 'q', [0, 2, 1, 3]), b.scalar(1 / Math.sqrt(size)), `${name}.q.scaled`);
  const scores = b.matmul(q, heads(1, 'k', [0, 2, 3, 1]), `${name}.scores`);
  const weights = b.softmax(scores, -1, `${name}.weights`);
  const mixed = b.matmul(weights, heads(2, 'v', [0, 2, 1, 3]), `${name}.mixed`);
  const joined = b.transpose(mixed, [0, 2, 1, 3], `${name}.joined`);
  const rows = b.reshape(joined, [0, -1, WIDTH], `${name}.heads`);
  return b.tokensDense(rows, WIDTH, WIDTH, `${name}.attn`);
}

function mlp(b: ArchitectureBuilder, x: string, name: string): string {
  const hidden = gelu(b, b.tokensDense(x, WIDTH, 4 * WIDTH, `${name}.fc1`), `${name}.gelu`);
  return b.tokensDense(hidden, 4 * WIDTH, WIDTH, `${name}.mlp`);
}

/** x (1 + erf(x / sqrt 2)) / 2, in the form that engines recognise. */
function gelu(b: ArchitectureBuilder, x: string, name: string): string {
  const erf = b.unary('Erf', b.div(x, b.scalar(Math.SQRT2)));
  const twice = b.mul(x, b.add(erf, b.scalar(1)));
  return b.mul(twice, b.scalar(0.5), name);
}
