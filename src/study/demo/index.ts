/** The demo: a whole study, offline, of what the package ships and what it draws. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ownFile, UserError, writeFileAtomic } from '../../base/index.js';
import { loadSharp } from '../../data/index.js';
import type { Config } from '../config/schema.js';
import type { StudyConfig } from '../config/study-config.js';
import { ConfigSchema, resolveConfig } from '../load.js';
import { side } from './draw.js';
import { type DrawnTask, drawExamples, targetTasks } from './tasks.js';

export { drawnImages } from './drawn.js';
export { type DrawnTask, sourceTask, targetTasks } from './tasks.js';

const seed = 1;
/** Pictures to test on, per task. */
const testSize = 400;

const model = ownFile('assets/demo/figures.onnx');

/** The demo's config; its tasks are folders beside it. */
export function demoConfig(): Config {
  return ConfigSchema.parse({
    title: 'Demo: what a network that names figures knows about other tasks',
    protocol: 'head2toe',
    lite: true,
    backbones: {
      // What blocks put out, not what is between: every layer is probed by itself, which is half of the work.
      figures: { model, preprocess: 'cifar', pool: 'target:256', taps: ['s1.b1.act1', '*.out', 'features'] },
    },
    tasks: Object.fromEntries(targetTasks.map((t) => [t.name, { data: t.name, labels: 'all' }])),
    methods: ['linear', 'all-l2', 'head2toe', 'finetune', 'scratch'],
    seeds: [0],
    probe: { lambdas: 12, fractions: [0.01, 0.05, 0.2], l2: [1e-2, 1e-3, 1e-4, 1e-5, 1e-6] },
    // Equal for both: what pretraining is worth is then not a question of how long and how each is trained.
    train: {
      epochs: 10,
      scratchEpochs: 10,
      batch: 24,
      learningRates: [0.02, 0.05, 0.1],
      scratchLearningRates: [0.02, 0.05, 0.1],
    },
  });
}

/** Draws the target tasks into `folder`, where they are not there yet, and returns the study over them. */
export async function prepareDemo(folder: string): Promise<StudyConfig> {
  if (!existsSync(model)) {
    throw new UserError(`${model} is missing: reinstall the package, or make it with npm run demo:train`);
  }
  for (const task of targetTasks) await writeDataset(task, join(folder, task.name));
  return resolveConfig(demoConfig(), folder);
}

/** PNG files and labels.csv, which comes last: a folder that has it is whole. */
async function writeDataset(task: DrawnTask, folder: string): Promise<void> {
  if (existsSync(join(folder, 'labels.csv'))) return;
  const sharp = await loadSharp();
  const rows = ['file,label,class'];
  for (const split of ['train', 'test'] as const) {
    await mkdir(join(folder, split), { recursive: true });
    const examples = drawExamples(task, split, split === 'train' ? task.train : testSize, seed);
    const files = examples.map((_, i) => `${split}/${String(i).padStart(4, '0')}.png`);
    await Promise.all(
      examples.map(async ({ pixels }, i) => {
        const image = sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
        await writeFileAtomic(join(folder, files[i] as string), await image.png({ compressionLevel: 3 }).toBuffer());
      }),
    );
    rows.push(...examples.map(({ label }, i) => `${files[i]},${label},${task.classes[label]}`));
  }
  await writeFileAtomic(join(folder, 'labels.csv'), `${rows.join('\n')}\n`);
}
