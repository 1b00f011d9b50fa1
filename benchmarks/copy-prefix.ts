/**
 * What computing frozen layers once is worth: a network of the layer-copy study with n of 8 layers frozen, trained with their
 * activations kept, and through them in every step. Rounds alternate; the figures are minima over rounds.
 *
 * usage: npx tsx benchmarks/copy-prefix.ts [--frozen 5] [--epochs 8] [--images 2240] [--size 24] [--threads 1] [--rounds 3]
 */
import { parseArgs } from 'node:util';
import { Random } from '../src/base/index.js';
import { resolvePreprocess } from '../src/data/index.js';
import { createEngine } from '../src/engine/index.js';
import { buildArchitecture } from '../src/graph/index.js';
import { imagesInMemory, mergeOptions, train } from '../src/transfer/index.js';
import { writeResults } from './support.js';

const { values } = parseArgs({
  options: {
    frozen: { type: 'string', default: '5' },
    epochs: { type: 'string', default: '8' },
    images: { type: 'string', default: '2240' },
    size: { type: 'string', default: '24' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
  },
});
const [frozen, epochs, n, size, threads, rounds] = [
  values.frozen,
  values.epochs,
  values.images,
  values.size,
  values.threads,
  values.rounds,
].map(Number) as [number, number, number, number, number, number];

const engine = await createEngine({ engine: 'onnxruntime', device: 'cpu', threads });
const { preprocess } = await resolvePreprocess('imagenet', undefined, { size: [size, size] });
const random = new Random(0, 'images');
const pixels = Uint8Array.from({ length: n * size * size * 3 }, () => random.integer(256));
const images = imagesInMemory(
  pixels,
  [size, size],
  Int32Array.from({ length: n }, (_, i) => i % 5),
);
const network = (seed: number) => buildArchitecture('caffenet-32', { classes: 5, size, seed });
const source = network(1);

async function seconds(prefixBytes: number): Promise<{ seconds: number; loss: number }> {
  const began = performance.now();
  const { train: end } = await train(engine, {
    model: network(0),
    fresh: true,
    copyFrom: source,
    treatment: { name: 'AnB', layers: frozen },
    classes: ['a', 'b', 'c', 'd', 'e'],
    preprocess,
    train: images,
    unfoldNorms: 'no',
    options: mergeOptions('yosinski', {
      epochs,
      batch: 32,
      learningRate: 0.003,
      augmentation: 'none',
      prefixBytes,
    }),
  });
  return { seconds: (performance.now() - began) / 1000, loss: end.loss };
}

const best = { kept: Number.POSITIVE_INFINITY, through: Number.POSITIVE_INFINITY };
for (let round = 0; round < rounds; round++) {
  const kept = await seconds(2 ** 31);
  const through = await seconds(0);
  best.kept = Math.min(best.kept, kept.seconds);
  best.through = Math.min(best.through, through.seconds);
  const difference = Math.abs(kept.loss - through.loss);
  if (difference > 1e-3 * through.loss) throw new Error(`losses differ: ${kept.loss} and ${through.loss}`);
  console.log(`round ${round + 1}: kept ${kept.seconds.toFixed(1)} s, through ${through.seconds.toFixed(1)} s`);
}
const ratio = best.through / best.kept;
console.log(`${frozen} of 8 layers frozen: ${ratio.toFixed(1)} times as fast with their activations kept`);
await writeResults('copy-prefix', 'Layer-copy networks with frozen layers', [
  {
    figure: `AnB, ${frozen} of 8 layers frozen: training through them / with their activations kept`,
    value: ratio,
    must: 2,
    aim: 5,
    detail: `${best.through.toFixed(1)} against ${best.kept.toFixed(1)} s, caffenet-32, ${epochs} epochs of ${n} images of ${size} pixels, batch 32, ${threads} thread, minima of ${rounds} rounds; start and first pass included`,
  },
]);
