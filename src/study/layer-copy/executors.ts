/** Does the units of a layer-copy study. */
import { WorkError } from '../../base/index.js';
import { type Half, hexOf, scoreTaps } from '../../record/index.js';
import type { Unit } from '../plan.js';
import { type Executor, executor, needsOf } from '../runner.js';
import { StudyImages } from './images.js';
import { copy, copyScore, layers, layersScore, rate } from './kinds.js';
import { probeLayers } from './layer-probes.js';
import { Lessons } from './lessons.js';
import type { CopyWorld } from './world.js';

export function copyExecutors(world: CopyWorld): Executor[] {
  const { halves } = world;
  const lessons = new Lessons(world, new StudyImages(world.task));
  /** Scores alone ask for these. */
  const targetsOf = ({ sources }: Pick<Unit, 'sources'>) =>
    halves.of(sources.split as string, sources.half as Half).targets;
  return [
    executor(rate, (inputs, context) => lessons.tryRate(inputs, context)),
    executor(copy, (inputs, context) => lessons.train(inputs, context)),
    executor(copyScore, async (_, context) => {
      const [result] = needsOf(copy, context);
      if (!result) throw new WorkError(`${context.unit.label} needs a network`);
      const { labels } = targetsOf(context.unit);
      const right = (predicted: readonly number[]) => predicted.map((c, i) => c === labels[i]);
      const share = (predicted: readonly number[]) => right(predicted).filter(Boolean).length / labels.length;
      const best = result.along.map(share).sort((a, b) => b - a);
      return {
        score: share(result.predicted),
        ...(best.length >= 10 ? { bestTen: best.slice(0, 10).reduce((a, b) => a + b, 0) / 10 } : {}),
        correct: hexOf(right(result.predicted)),
      };
    }),
    executor(layers, (inputs, context) => probeLayers(world, inputs, context)),
    executor(layersScore, async (_, context) => {
      const [result] = needsOf(layers, context);
      if (!result) throw new WorkError(`${context.unit.label} needs probes`);
      const targets = targetsOf(context.unit);
      return {
        layers: result.layers.map(({ n, own, other, cka }) => {
          const scoreOf = (sheet: typeof own) => {
            const score = scoreTaps([sheet], targets).get(sheet.alias)?.alone?.score;
            if (score === undefined) throw new WorkError(`the probe on layer ${n} left no predictions`);
            return score;
          };
          return { n, own: scoreOf(own), other: scoreOf(other), cka };
        }),
      };
    }),
  ];
}
