/** Training curves in the files of other programs' loggers. */
import { writeFileAtomic } from '../../base/index.js';
import type { Curve } from './curve.js';
import { mlflowFiles } from './mlflow.js';
import { tensorboardFiles } from './tensorboard.js';

export type { Curve } from './curve.js';
export { eventFile } from './tensorboard.js';

/** Programs whose files curves can be written as. */
export const loggers = ['tensorboard', 'mlflow'] as const;
/** The name of such a program. */
export type Logger = (typeof loggers)[number];

/** The folder that a logger's program is to be pointed to, within that of the run. */
export const logFolder: Readonly<Record<Logger, string>> = { tensorboard: 'tensorboard', mlflow: 'mlruns' };

/**
 * Writes curves into the folder of a run; the same curves replace what they wrote before.
 * @param name of the run as a whole
 */
export async function writeCurves(logger: Logger, root: string, name: string, curves: readonly Curve[]): Promise<void> {
  if (curves.length === 0) return;
  const files: ReadonlyMap<string, string | Uint8Array> =
    logger === 'mlflow' ? mlflowFiles(name, curves) : tensorboardFiles(curves);
  for (const [file, content] of files) await writeFileAtomic({ root, file }, content);
}
