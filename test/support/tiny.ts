/** Small networks and images for tests that must not need the assets. */

import { mkdtempSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random, writeFileAtomic } from '../../src/base/index.js';
import { float32, type Graph, GraphBuilder, writeModel } from '../../src/graph/index.js';

export function temporaryFolder(name = 'toehold-'): string {
  return mkdtempSync(join(tmpdir(), name));
}

/**
 * A residual network on 16 x 16 images: conv-relu, one residual block at 16 x 16, a strided conv-relu to 8 x 8, pooled
 * features, four logits.
 */
export function tinyNetwork(seed = 1): Graph {
  const random = new Random(seed, 'tiny network');
  const b = new GraphBuilder();
  const weight = (dims: number[], scale: number) =>
    b.constant(
      float32(
        dims,
        Float32Array.from({ length: dims.reduce((x, y) => x * y) }, () => random.normal() * scale),
      ),
    );
  const conv = (x: string, cin: number, cout: number, k: number, stride: number, name: string) =>
    b.op(
      'Conv',
      [x, weight([cout, cin, k, k], Math.sqrt(2 / (cin * k * k))), weight([cout], 0.1)],
      { kernel_shape: [k, k], pads: [k >> 1, k >> 1, k >> 1, k >> 1], strides: [stride, stride] },
      name,
    );
  const x = b.input('input', 'float32', ['N', 3, 'H', 'W']);
  const stem = b.op('Relu', [conv(x, 3, 8, 3, 1, 'stem.conv')], {}, 'stem.relu');
  const inside = b.op('Relu', [conv(stem, 8, 8, 3, 1, 'block.conv1')], {}, 'block.relu');
  const sum = b.op('Add', [stem, conv(inside, 8, 8, 1, 1, 'block.conv2')], {}, 'block.add');
  const deep = b.op('Relu', [conv(sum, 8, 16, 3, 2, 'deep.conv')], {}, 'deep.relu');
  const features = b.op('Flatten', [b.op('GlobalAveragePool', [deep], {}, 'pool')], { axis: 1 }, 'features');
  b.output(b.op('Gemm', [features, weight([4, 16], 0.3), weight([4], 0.1)], { transB: 1 }, 'logits'));
  return b.build();
}

export async function writeTinyModel(folder: string, graph = tinyNetwork()): Promise<string> {
  const path = join(folder, 'tiny.onnx');
  await writeFileAtomic(path, writeModel(graph));
  return path;
}

/** A data set of `perClass` images in each split and class, whose colour tells the class; folders train/ and test/. */
export async function writeImages(
  folder: string,
  classes: readonly string[],
  perClass: number,
  size = 16,
  seed = 1,
): Promise<string> {
  const random = new Random(seed, 'images');
  for (const split of ['train', 'test']) {
    for (const [label, name] of classes.entries()) {
      await mkdir(join(folder, split, name), { recursive: true });
      for (let i = 0; i < perClass; i++) {
        const data = Uint8Array.from({ length: size * size * 3 }, (_, k) =>
          Math.min(255, random.integer(120) + (k % 3 === label % 3 ? 120 : 0)),
        );
        const file = join(folder, split, name, `${String(i).padStart(3, '0')}.png`);
        await sharp(data, { raw: { width: size, height: size, channels: 3 } })
          .png()
          .toFile(file);
      }
    }
  }
  return folder;
}
