/** Tapped extraction with TensorFlow.js against onnxruntime, on real networks. */
import { describe, expect } from 'vitest';
import { Random } from '../../src/base/index.js';
import { parsePreprocess } from '../../src/data/index.js';
import { createEngine, type Engine } from '../../src/engine/index.js';
import { compilePass, parsePool, pixelShape, poolTaps, tapsOf } from '../../src/features/index.js';
import { readNetwork, selectTaps, sizeOf, type Tensor } from '../../src/graph/index.js';
import { assetsTest, backbonePath, backbones } from '../support/assets.js';

const batch = 2;
const items = parsePool('gap,target:64');

/** Pooled features of random images, by the engine alone: its own observing, folding and compiling. */
async function features(name: string, engine: Engine) {
  const size = name.startsWith('cifar') ? 32 : 224;
  const preprocess = parsePreprocess({ size }, 'test');
  const path = backbonePath(name);
  const backbone = { graph: await readNetwork(path, engine), path, preprocess };
  const taps = poolTaps(selectTaps((await tapsOf(backbone, engine)).taps), items);
  const { program } = await compilePass(engine, { backbone, taps, items, batch });
  const dims = pixelShape(preprocess, batch);
  const random = new Random(7, name);
  const data = Uint8Array.from({ length: sizeOf(dims) }, () => Math.floor(random.uniform() * 256));
  const [[input = ''], [output = '']] = [program.inputs, program.outputs];
  const results = await program.run({ [input]: { type: 'uint8', dims, data } });
  await program.dispose();
  return { taps, values: (results[output] as Tensor).data as Float32Array };
}

describe('pooled taps of a backbone are those of onnxruntime', () => {
  for (const name of backbones) {
    assetsTest(name, async () => {
      const expected = await features(name, await createEngine({ threads: 2 }));
      const found = await features(name, await createEngine({ engine: 'tfjs', device: 'wasm', threads: 1 }));
      expect(found.taps).toEqual(expected.taps);
      let from = 0;
      const width = expected.values.length / batch;
      for (const tap of expected.taps) {
        const of = (values: Float32Array) =>
          Array.from({ length: batch }, (_, i) => [
            ...values.slice(i * width + from, i * width + from + tap.features),
          ]).flat();
        const [x, y] = [of(expected.values), of(found.values)];
        const scale = Math.max(...x.map(Math.abs));
        expect(Math.max(...x.map((v, i) => Math.abs(v - (y[i] as number)))) / scale, tap.name).toBeLessThan(1e-4);
        from += tap.features;
      }
    });
  }
});
