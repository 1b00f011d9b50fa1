/** A session of onnxruntime, of Node or of the browser, as a program. */
import { WorkError } from '../../base/index.js';
import type { ValueInfo } from '../../ir/index.js';
import { checkFeeds, checkFetches } from '../check.js';
import type { Program, Tensors } from '../engine.js';
import { explainRun } from './explain.js';
import type { Session } from './session.js';

export function programOf(session: Session, declared: readonly ValueInfo[]): Program {
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
        throw explainRun(error);
      }
    },
    async dispose() {
      if (disposed) return;
      disposed = true;
      await session.release();
    },
  };
}
