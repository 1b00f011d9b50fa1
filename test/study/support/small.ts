/** A study small enough for tests: drawn pictures, a network of random weights, all kinds of units. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { Random } from '../../../src/base/index.js';
import { writeModel } from '../../../src/graph/index.js';
import type { ClassTargets } from '../../../src/record/index.js';
import { probeNamed } from '../../../src/study/catalogue.js';
import { demoNetwork } from '../../../src/study/demo/backbone.js';
import { side } from '../../../src/study/demo/draw.js';
import { drawExamples, targetTasks } from '../../../src/study/demo/tasks.js';
import {
  type Executor,
  executor,
  extraction,
  probe,
  training,
  trial,
  type Unit,
  type UnitContext,
} from '../../../src/study/index.js';
import { scoreExecutor } from '../../../src/study/units/score.js';

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
train: {epochs: 1, scratchEpochs: 1, batch: 18, learningRates: [0.01, 0.02], scratchLearningRates: [0.05]}
`;

/** A study that probes and fine-tunes one network of random weights on one task, written where it is run from. @returns its config */
export async function writeTrainedStudy(folder: string): Promise<string> {
  await writeSmallData(folder, ['position']);
  const config = join(folder, 'study.yaml');
  await writeFile(
    config,
    `protocol: head2toe
lite: true
backbones: {small: {model: model.onnx, preprocess: cifar}}
tasks: {position: {data: position}}
methods: [linear, finetune]
seeds: [0]
probe: {folds: 2, perTap: false}
train: {epochs: 2, learningRates: [0.01], batch: 27}
`,
  );
  return config;
}

/** Executors that invent results from the units' ids in no time; scores are real. */
export function pretend(taskTargets: (task: string) => ClassTargets, options: { failing?: RegExp } = {}): Executor[] {
  const targetsOf = (unit: Pick<Unit, 'sources'>) => taskTargets(unit.sources.task ?? '');
  const begin = ({ unit }: Pick<UnitContext, 'unit'>) => {
    if (options.failing?.test(unit.label)) throw new Error('it was told to fail');
    const random = new Random(unit.id);
    const labels = Array.from(targetsOf(unit).labels);
    const predictions = (skill: number) => ({
      kind: 'class' as const,
      predicted: labels.map((label) => (random.uniform() < skill ? label : random.integer(Math.max(...labels) + 1))),
    });
    return { random, predictions };
  };
  const cost = { trainMacs: 1e6, storedBytes: 1000 };
  const taps = ['stem', 'middle', 'features'];
  const cellOf = (method: string) => ({
    status: 'done' as const,
    method,
    seconds: 0.5,
    cost,
    converged: true,
    notes: [],
  });
  return [
    executor(extraction, async (_, context) => {
      begin(context);
      return {
        store: 'none',
        taps: taps.map((alias, i) => ({ alias, name: alias, depth: (i + 1) / 3, features: 10, params: 1, macs: 1 })),
        images: 90,
        cost,
      };
    }),
    executor(probe, async ({ method, perTap }, context) => {
      const { random, predictions } = begin(context);
      const answer = (skill: number) => ({
        validation: skill,
        l2: 0.01,
        converged: true,
        predictions: predictions(skill),
      });
      const tapSheets = perTap
        ? taps.map((alias) => ({
            alias,
            alone: answer(0.4),
            ...(perTap === 'withLast' ? { withLast: answer(0.6) } : {}),
          }))
        : [];
      if (method === null) return { taps: tapSheets };
      const probed = probeNamed(method);
      if (probed?.card.role === 'bound') {
        const alternatives = taps.map((name) => ({ name, predictions: predictions(0.6) }));
        return { sheet: { cell: cellOf(method), alternatives }, taps: tapSheets };
      }
      return {
        taps: tapSheets,
        sheet: {
          predictions: predictions(probed?.card.simplicity === 0 ? 0.4 : 0.7),
          cell: {
            ...cellOf(method),
            validation: random.uniform(),
            features: 12,
            taps: 2,
            settings: { lambda: 0.1 },
            ...(probed?.ranks
              ? {
                  selection: {
                    features: 12,
                    shares: [
                      { tap: 'stem', kept: 0, share: 0 },
                      { tap: 'middle', kept: 12, share: 1 },
                      { tap: 'features', kept: 0, share: 0 },
                    ],
                    keepFractions: {
                      split: 'validation' as const,
                      points: [{ fraction: 0.5, features: 15, score: 0.7 }],
                      chosen: 0.5,
                    },
                    rankWindows: [{ first: 0, count: 10, validation: 0.5, converged: true }],
                  },
                }
              : {}),
          },
          ...(probed?.ranks ? { windows: [predictions(0.5)] } : {}),
        },
      };
    }),
    executor(trial, async ({ learningRates, place, budget }, context) => {
      const { random } = begin(context);
      const learningRate = learningRates[place] ?? 0;
      return { learningRate, epochs: budget.epochs, validation: random.uniform(), learned: true, steps: 3, cost };
    }),
    executor(training, async ({ method }, context) => {
      const { random, predictions } = begin(context);
      const cell = { ...cellOf(method), validation: random.uniform(), triedRates: 3 };
      const fit = { settings: { learningRate: 0.01 }, steps: 3, trainLoss: 1, trainAccuracy: 0.5 };
      return { ...fit, model: 'model.onnx', cost, sheet: { predictions: predictions(0.8), cell } };
    }),
    scoreExecutor(targetsOf),
  ];
}
