/** Which networks count. */
import type { CopyRun } from './schema.js';

/** A network that ended and learned something. */
export type Sound = CopyRun & { readonly score: number };

/** Whether a run has a score and learned something. */
export const isSound = (run: CopyRun): run is Sound =>
  run.status === 'done' && run.score !== undefined && run.failedToTrain !== true;
