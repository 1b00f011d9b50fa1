/** Extraction: one pass of a backbone over a task's images. Knows no test labels, and stores none. */
import { type ExtractionRequest, type ExtractOptions, extract, extractShare } from '../../features/index.js';
import { type Executor, executor, type UnitContext } from '../runner.js';
import { extraction, extractionShare } from './kinds.js';
import type { UnitWorld, UnseenTask } from './world.js';

/** Folder of an extraction's feature store, relative to the run folder. */
const storeOf = (id: string): string => `features/${id}`;

export function extractExecutor({ engine, taskOf, backboneOf }: UnitWorld): Executor {
  return executor(extraction, async (_, context) => {
    const { unit, progress } = context;
    const [task, backbone] = [taskOf(unit), backboneOf(unit)];
    progress(0);
    const options = optionsOf(backbone, context, unit.id);
    const { meta } = await extract(backbone.model, requestOf(task), engine, options);
    return {
      store: storeOf(unit.id),
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

/** Leaves its chunks in the extraction's folder. */
export function extractShareExecutor({ engine, taskOf, backboneOf }: UnitWorld): Executor {
  return executor(extractionShare, async ({ extraction: id, index, count }, context) => {
    const { unit, run, progress } = context;
    // Whoever made the store needs no share of it any more.
    if (run.has(id)) return { images: 0 };
    const backbone = backboneOf(unit);
    progress(0);
    const options = optionsOf(backbone, context, id);
    const share = { index, count };
    const { images } = await extractShare(backbone.model, requestOf(taskOf(unit)), engine, options, share);
    return { images };
  });
}

const optionsOf = (
  { taps, pool, precision }: Pick<ExtractOptions, 'taps' | 'pool' | 'precision'>,
  { run, progress, signal }: UnitContext,
  id: string,
) => ({
  output: run.file(storeOf(id)),
  taps,
  pool,
  precision,
  quiet: true,
  onImages: (done: number, total: number) => progress(done / total),
  signal,
});

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
