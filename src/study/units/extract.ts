/** Extraction: one pass of a backbone over a task's images. Knows no test labels, and stores none. */
import type { Engine } from '../../engine/index.js';
import { type ExtractionRequest, extract } from '../../features/index.js';
import type { StudyBackbone } from '../backbones.js';
import { type Executor, executor } from '../runner.js';
import type { StudyTask } from '../tasks.js';
import { extraction } from './kinds.js';

/** A task as units see it: what is true of its test examples is not part of it. */
export type UnseenTask = Omit<StudyTask, 'targets'>;

export interface UnitWorld {
  readonly engine: Engine;
  readonly tasks: ReadonlyMap<string, UnseenTask>;
  readonly backbones: ReadonlyMap<string, StudyBackbone>;
}

/** Folder of an extraction's feature store, relative to the run folder. */
const storeOf = (id: string): string => `features/${id}`;

export function extractExecutor({ engine, tasks, backbones }: UnitWorld): Executor {
  return executor(extraction, async (_, { unit, run, progress }) => {
    const task = tasks.get(unit.sources.task ?? '') as UnseenTask;
    const backbone = backbones.get(unit.sources.backbone ?? '') as StudyBackbone;
    const store = storeOf(unit.id);
    progress(0);
    const { meta } = await extract(backbone.model, requestOf(task), engine, {
      output: run.file(store),
      taps: backbone.taps,
      pool: backbone.pool,
      quiet: true,
    });
    return {
      store,
      taps: meta.taps.map(({ alias, name, depth, features, params, macs }) => ({
        alias,
        name,
        depth,
        features,
        params,
        macs,
      })),
      images: task.train.inputs.length + task.test.inputs.length,
      cost: { trainMacs: task.train.inputs.length * backbone.macs, storedBytes: 0 },
    };
  });
}

/** The task's images as a training split with its labels and a test split without any. */
function requestOf({ root, classes, train, test }: UnseenTask): ExtractionRequest {
  const n = train.inputs.length;
  return {
    root,
    classes,
    inputs: [...train.inputs, ...test.inputs],
    splits: [
      { name: 'train', rows: train.inputs.map((_, i) => i), labels: train.labels },
      { name: 'test', rows: test.inputs.map((_, i) => n + i) },
    ],
    warnings: [],
  };
}
