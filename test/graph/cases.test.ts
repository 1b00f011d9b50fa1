/**
 * The small networks of shared/cases that were once read wrongly, each for one thing that real exports have: what their taps, layouts
 * and parameters are. Skipped where the folder is absent.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findTaps, readNetwork, specialise } from '../../src/graph/index.js';
import { testEngine } from '../support/run.js';

const root = fileURLToPath(new URL('../../../shared/cases/networks/', import.meta.url));
if (!existsSync(root)) console.warn(`shared/cases is absent (looked in ${root}): its networks are not read`);

interface Case {
  readonly file: string;
  /** Default taps: alias, layout, shape. */
  readonly taps: readonly string[];
  readonly params: number;
}

const cases: readonly Case[] = [
  {
    file: 'if_capture',
    taps: ['s1.b1.act1 NCHW 16,16,16', 'features NC 16', 'logits NC 5'],
    params: 16 * 27 + 16 + 16 * 5,
  },
  // The classifier is a convolution before the pooling.
  { file: 'logits_4d', taps: ['features NCHW 16,16,16', 'logits NCHW 5,1,1'], params: 16 * 27 + 16 * 5 },
  // The mask of 16 x 16 numbers is a buffer.
  {
    file: 'mask_is_trained',
    taps: ['block01.attn NTC 16,16', 'block01.mid NTC 16,16', 'features NC 16', 'logits NC 5'],
    params: 16 * 192 + 16 + 2 * 16 * 8 + 16 * 5,
  },
  {
    file: 'nhwc_blocks',
    taps: [
      ...['s1.b1.act1 NHWC 8,8,48', 's1.b1.sum NHWC 8,8,24', 's1.b2.act1 NHWC 8,8,48', 's1.b2.sum NHWC 8,8,24'],
      ...['features NC 24', 'logits NC 5'],
    ],
    params: 24 * 48 + 24 + 4 * 24 * 48 + 24 * 5,
  },
  { file: 'pad_maxpool', taps: ['features NC 8', 'logits NC 5'], params: 8 * 27 + 8 + 8 * 5 },
  // Exported for one image, it runs on two.
  {
    file: 'static_batch_cls',
    taps: [
      'block01.hidden NTC 17,32',
      'block01.mlp NTC 17,16',
      'block01.out NTC 17,16',
      'features NC 16',
      'logits NC 5',
    ],
    params: 16 * 192 + 16 + 16 + 2 * 16 * 32 + 16 * 5,
  },
  // Two heads that are averaged read one vector.
  { file: 'two_heads', taps: ['s1.b1.act1 NCHW 16,16,16', 'features NC 16', 'logits NC 5'], params: 16 * 27 + 2 * 85 },
];

describe.skipIf(!existsSync(root))('a network of the cases folder', () => {
  test.each(cases)('$file is read as what it is', async ({ file, taps, params }) => {
    const engine = await testEngine();
    const network = await specialise(await readNetwork(`${root}${file}.onnx`, engine), engine, [2, 3, 32, 32]);
    const found = findTaps(network);
    const standard = found.filter((tap) => tap.standard);
    expect(standard.map(({ alias, layout, shape }) => `${alias} ${layout?.axes} ${shape}`)).toEqual(taps);
    expect(found.find(({ alias }) => alias === 'logits')?.params).toBe(params);
  });
});
