/** Extraction: one pass of a backbone over a task's images. Knows no test labels. */
import type { Engine } from '../../engine/index.js';
import { type ExtractionRequest, extract } from '../../features/index.js';
import type { StudyBackbone } from '../backbones.js';
import type { Json } from '../plan.js';
import type { Executor } from '../runner.js';
import type { StudyTask } from '../tasks.js';
import type { ExtractResult, Sources } from './types.js';

export interface UnitWorld {
  readonly engine: Engine;
  readonly tasks: ReadonlyMap<string, StudyTask>;
  readonly backbones: ReadonlyMap<string, StudyBackbone>;
}

/** Folder of an extraction's feature store, relative to the run folder. */
export const storeOf = (id: string): string => `features/${id}`;

export function extractExecutor({ engine, tasks, backbones }: UnitWorld): Executor {
  return async ({ unit, run, progress }) => {
    const sources = unit.sources as Sources;
    const task = tasks.get(sources.task) as StudyTask;
    const backbone = backbones.get(sources.backbone) as StudyBackbone;
    const store = storeOf(unit.id);
    progress(0);
    const { meta } = await extract(backbone.model, requestOf(task), engine, {
      output: run.file(store),
      taps: backbone.taps,
      pool: backbone.pool,
      quiet: true,
    });
    const result: ExtractResult = {
      store,
      taps: meta.taps.map(({ alias, name, depth, features, params, macs }) => ({
        alias,
        name,
        depth,
        features,
        params,
        macs,
      })),
      features: meta.taps.reduce((sum, tap) => sum + tap.features, 0),
      images: task.train.labels.length + task.test.labels.length,
      cost: { trainMacs: task.train.labels.length * backbone.macs, storedBytes: 0 },
    };
    return result as unknown as Json;
  };
}

/** The task's images as a training split with its labels and a test split without any. */
function requestOf({ root, classes, train, test }: StudyTask): ExtractionRequest {
  const n = train.examples.length;
  return {
    root,
    classes,
    inputs: [...train.examples, ...test.examples],
    splits: [
      { name: 'train', rows: train.examples.map((_, i) => i), labels: train.labels },
      { name: 'test', rows: test.examples.map((_, i) => n + i) },
    ],
    warnings: [],
  };
}
