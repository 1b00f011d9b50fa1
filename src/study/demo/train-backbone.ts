/** Draws the source task, trains the demo's backbone on it and writes assets/demo/: `npm run demo:train`. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canonicalJson, createProgress, Random, sha256, writeFileAtomic } from '../../base/index.js';
import { parsePreprocess, preprocessPresets } from '../../data/index.js';
import { createOnnxRuntime } from '../../engine/index.js';
import { writeModel } from '../../graph/index.js';
import { type ClassPredictions, score } from '../../record/index.js';
import { imagesInMemory, train, trainDefaults } from '../../transfer/index.js';
import { demoNetwork } from './backbone.js';
import { side } from './draw.js';
import { drawExamples, sourceTask } from './tasks.js';

const seed = 0;
const images = { train: sourceTask.train, test: 2_000 };
const folder = fileURLToPath(new URL('../../../assets/demo/', import.meta.url));

function source(split: 'train' | 'test') {
  const drawn = drawExamples(sourceTask, split, images[split], seed);
  const data = new Uint8Array(drawn.length * side * side * 3);
  for (const [i, { pixels }] of drawn.entries()) data.set(pixels, i * pixels.length);
  return imagesInMemory(
    data,
    [side, side],
    Int32Array.from(drawn, (d) => d.label),
  );
}

const sources = { train: source('train'), test: source('test') };
const engine = await createOnnxRuntime();
const progress = createProgress({ label: 'training the demo backbone', total: 1, unit: 'steps' });
const preprocess = parsePreprocess(preprocessPresets.cifar, 'the demo');
const result = await train(engine, {
  model: demoNetwork(sourceTask.classes.length, new Random(seed, 'demo').uint32()),
  fresh: true,
  treatment: { name: 'scratch' },
  classes: sourceTask.classes,
  preprocess,
  ...sources,
  init: 'he',
  unfoldNorms: 'no',
  options: { ...trainDefaults, epochs: 15, batch: 64, learningRate: 0.05, seed },
  onStep: ({ step, steps, loss, accuracy }) =>
    progress.update(
      step / steps,
      `step ${step}/${steps}  loss ${loss.toFixed(3)}  ${(100 * (accuracy ?? 0)).toFixed(1)} %`,
    ),
});
const { labels } = sources.test;
const { accuracy } = score(result.predictions as ClassPredictions, {
  kind: 'class',
  classes: sourceTask.classes,
  labels,
});
const model = writeModel(result.model);
await writeFileAtomic(join(folder, 'figures.onnx'), model);
await writeFileAtomic(join(folder, 'figures.preprocess.json'), `${JSON.stringify(preprocess, null, 1)}\n`);
const card = {
  trainedOn: `${images.train} drawn pictures of ${sourceTask.classes.length} figures`,
  classes: sourceTask.classes,
  testAccuracy: accuracy,
  parameters: result.parameters.total,
  bytes: model.length,
  engine: engine.name,
  sha256: sha256(model),
};
await writeFileAtomic(join(folder, 'figures.json'), `${JSON.stringify(JSON.parse(canonicalJson(card)), null, 1)}\n`);
progress.end(`test accuracy ${(100 * accuracy).toFixed(1)} %, ${model.length} bytes, ${folder}`);
