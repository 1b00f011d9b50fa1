/** A session of onnxruntime, of Node or of the browser, as a program. */
import { WorkError } from '../../base/index.js';
import type { ValueInfo } from '../../ir/index.js';
import { checkFeeds, checkFetches } from '../check.js';
import type { Program, Tensors } from '../engine.js';
import { explainRun } from './explain.js';
import type { Session } from './session.js';
import type { WorkerSession } from './workers.js';

/** What went wrong on one of several devices begins with its name. */
export function onDevice(explained: Error, error: unknown): Error {
  const { device } = error as { readonly device?: string };
  if (device !== undefined) explained.message = `device '${device}': ${explained.message}`;
  return explained;
}

export function programOf(
  session: Session & Partial<Pick<WorkerSession, 'narrow'>>,
  declared: readonly ValueInfo[],
): Program {
  const outputs = session.outputInfo.map((o) => o.name);
  let disposed = false;
  return {
    inputs: session.inputs,
    outputs,
    outputInfo: session.outputInfo,
    async run(feeds: Tensors, fetches?: readonly string[], into?: Tensors) {
      if (disposed) throw new WorkError('the program was disposed of and cannot run');
      const wanted = fetches ?? (into ? [] : outputs);
      checkFeeds(declared, feeds);
      checkFetches(outputs, [...wanted, ...Object.keys(into ?? {})]);
      try {
        return await session.run(feeds, wanted, into);
      } catch (error) {
        throw onDevice(explainRun(error), error);
      }
    },
    async narrow(workers) {
      await session.narrow?.(workers);
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await session.release();
    },
  };
}
