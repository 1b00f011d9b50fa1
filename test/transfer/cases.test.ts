/**
 * Training on the small networks of shared/cases, each of which has one thing that real exports have: three steps in the
 * blocked layout lose what they lose in the plain one, and the loss falls. Skipped where the folder is absent.
 */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parsePreprocess } from '../../src/data/index.js';
import type { Engine } from '../../src/engine/index.js';
import { readNetwork } from '../../src/graph/index.js';
import { imagesInMemory, mergeOptions, train } from '../../src/transfer/index.js';
import { testEngine } from '../support/run.js';

const root = fileURLToPath(new URL('../../../shared/cases/networks/', import.meta.url));
const files = existsSync(root)
  ? readdirSync(root).filter((f) => /^(act|conv|shared|identity|weight)_.*onnx$/.test(f))
  : [];
if (files.length === 0) console.warn(`shared/cases is absent (looked in ${root}): its networks are not trained`);

const side = 32;
/** Noise, brighter in the green of every second image. */
function images(n: number) {
  const data = Uint8Array.from({ length: n * side * side * 3 }, (_, i) => {
    const green = i % 3 === 1 && Math.floor(i / (side * side * 3)) % 2 === 1;
    return (Math.imul(i + 7, 2654435761) >>> 25) + (green ? 100 : 0);
  });
  return imagesInMemory(
    data,
    [side, side],
    Int32Array.from({ length: n }, (_, i) => i % 2),
  );
}

async function losses(file: string, engine: Engine): Promise<number[]> {
  const result = await train(engine, {
    model: await readNetwork(root + file, engine, { activations: 'drop' }),
    fresh: false,
    treatment: { name: 'finetune' },
    classes: ['dark', 'green'],
    preprocess: parsePreprocess({ size: side, mean: 0.5, std: 0.25 }, 'test'),
    train: images(16),
    options: mergeOptions(undefined, { epochs: 3, batch: 8, learningRate: 0.002 }),
    init: 'he',
    unfoldNorms: 'auto',
  });
  return result.epochs.map((e) => e.loss);
}

describe.skipIf(files.length === 0)('networks of the cases folder', () => {
  test.each(files)('%s trains, in either layout', async (file) => {
    const engine = await testEngine();
    const plain: Engine = { ...engine, blockWidth: async () => 0 };
    const [blocked, standard] = [await losses(file, engine), await losses(file, plain)];
    expect(blocked.at(-1)).toBeLessThan(blocked[0] as number);
    blocked.forEach((loss, i) => {
      expect(loss).toBeCloseTo(standard[i] as number, 3);
    });
  });
});
