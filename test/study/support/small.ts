/** A study small enough for tests: drawn pictures, a network of random weights, all kinds of units. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../../src/base/index.js';
import { writeModel } from '../../../src/graph/index.js';
import { demoNetwork } from '../../../src/study/demo/backbone.js';
import { side } from '../../../src/study/demo/draw.js';
import { drawExamples, targetTasks } from '../../../src/study/demo/tasks.js';
import type { Executors, Json } from '../../../src/study/index.js';
import { score } from '../../../src/study/units/score.js';

/** Writes model.onnx, other.onnx and a folder per task; the labels of `split` may be changed afterwards. */
export async function writeSmallData(folder: string, names = ['position', 'textures'], train = 54, test = 36) {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.onnx'), writeModel(demoNetwork(12, 1)));
  await writeFile(join(folder, 'other.onnx'), writeModel(demoNetwork(12, 2)));
  for (const name of names) {
    const task = targetTasks.find((t) => t.name === name) as (typeof targetTasks)[number];
    const rows = ['file,label,class'];
    for (const [split, n] of [
      ['train', train],
      ['test', test],
    ] as const) {
      await mkdir(join(folder, name, split), { recursive: true });
      for (const [i, { label, pixels }] of drawExamples(task, split, n, 7).entries()) {
        const file = `${split}/${i}.png`;
        await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
          .png()
          .toFile(join(folder, name, file));
        rows.push(`${file},${label},${task.classes[label]}`);
      }
    }
    await writeFile(join(folder, name, 'labels.csv'), `${rows.join('\n')}\n`);
  }
}

export const smallConfig = `protocol: head2toe
lite: true
backbones:
  small: {model: model.onnx, preprocess: cifar, pool: 'target:64'}
  other: {model: other.onnx, preprocess: cifar}
control: other
tasks:
  position: {data: position}
  textures: {data: textures}
methods: [linear, control, oracle, all-l2, head2toe, finetune, scratch]
seeds: [0, 1]
probe: {folds: 2, lambdas: 5, fractions: [0.1, 0.5], rankWindows: true}
train: {epochs: 1, scratchEpochs: 1, size: 32, batch: 18, learningRates: [0.01, 0.02]}
`;

/** Executors that invent results from the units' ids in no time; scores are real. */
export function pretend(labelsOf: (task: string) => readonly number[], options: { failing?: RegExp } = {}): Executors {
  const check = (label: string) => {
    if (options.failing?.test(label)) throw new Error('it was told to fail');
  };
  const predictions = (random: Random, labels: readonly number[], skill: number) =>
    labels.map((label) => (random.uniform() < skill ? label : random.integer(Math.max(...labels) + 1)));
  const sourceTask = (sources: Json) => labelsOf((sources as { task: string }).task);
  const cost = { trainMacs: 1e6, storedBytes: 1000 };
  const taps = ['stem', 'middle', 'features'];
  return {
    extract: async ({ unit }) => {
      check(unit.label);
      return {
        store: 'none',
        taps: taps.map((alias, i) => ({ alias, name: alias, depth: (i + 1) / 3, features: 10, params: 1, macs: 1 })),
        features: 30,
        images: 90,
        cost,
      };
    },
    probe: async ({ unit }) => {
      check(unit.label);
      const { method } = unit.inputs as { method: string };
      const random = new Random(unit.id);
      const labels = sourceTask(unit.sources);
      if (method === 'layers') {
        const singles = taps.map((alias) => ({
          alias,
          alone: predictions(random, labels, 0.4),
          withLast: predictions(random, labels, 0.6),
        }));
        return { singles, features: 30, taps: 3, settings: {}, cost };
      }
      return {
        predicted: predictions(random, labels, method === 'linear' ? 0.4 : 0.7),
        validation: random.uniform(),
        features: 12,
        taps: 2,
        settings: { lambda: 0.1 },
        cost,
        ...(method === 'head2toe'
          ? {
              kept: [{ alias: 'middle', kept: 12, share: 1 }],
              windows: [{ offset: 0, size: 10, predicted: predictions(random, labels, 0.5) }],
              fractions: [{ fraction: 0.5, features: 15, accuracy: 0.7 }],
              chosenFraction: 0.5,
            }
          : {}),
      };
    },
    train: async ({ unit }) => {
      check(unit.label);
      const random = new Random(unit.id);
      const { evaluate } = unit.inputs as { evaluate: string };
      const base = { settings: { learningRate: 0.01 }, steps: 3, validation: random.uniform(), cost };
      return evaluate === 'validation'
        ? base
        : { ...base, predicted: predictions(random, sourceTask(unit.sources), 0.8) };
    },
    score: async ({ unit, needs }) => score(needs[0]?.result as never, sourceTask(unit.sources)) as unknown as Json,
  };
}
