/** Extraction: one pass of a backbone over a task's images. Knows no test labels, and stores none. */
import { type ExtractionRequest, extract } from '../../features/index.js';
import { type Executor, executor } from '../runner.js';
import { extraction } from './kinds.js';
import type { UnitWorld, UnseenTask } from './world.js';

/** Folder of an extraction's feature store, relative to the run folder. */
const storeOf = (id: string): string => `features/${id}`;

export function extractExecutor({ engine, taskOf, backboneOf }: UnitWorld): Executor {
  return executor(extraction, async (_, { unit, run, progress }) => {
    const [task, backbone] = [taskOf(unit), backboneOf(unit)];
    const store = storeOf(unit.id);
    progress(0);
    const { meta } = await extract(backbone.model, requestOf(task), engine, {
      output: run.file(store),
      taps: backbone.taps,
      pool: backbone.pool,
      precision: backbone.precision,
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
