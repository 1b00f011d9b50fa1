/** What every long piece of work takes: somebody to tell how far it is, and a signal to stop it. */
import type { Engine, Program } from '../engine/index.js';

/** How far a piece of work is. */
export interface Progress {
  /** What is done: 'images', 'steps', or the probe's name. */
  readonly what: string;
  /** How much of how much, where that is known. */
  readonly done?: number;
  readonly total?: number;
  readonly note?: string;
}

/** What every long piece of work takes. */
export interface LongWork {
  /** Called as the work goes on. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Rejects with the signal's reason as soon as the running batch, step or product is done. */
  readonly signal?: AbortSignal | undefined;
  /** Receives what a user should know: one sentence at a time. */
  readonly onNote?: ((sentence: string) => void) | undefined;
}

/** Lends the work an engine whose programs start no run after the signal; what is left of them afterwards runs freely. */
export type Guard = (engine: Engine) => Engine;

/** Work that ends with the signal's reason when it was stopped, whatever it says itself. */
export async function stoppable<T>(signal: AbortSignal | undefined, work: (guard: Guard) => Promise<T>): Promise<T> {
  if (!signal) return work((engine) => engine);
  signal.throwIfAborted();
  let working = true;
  const check = () => {
    if (working) signal.throwIfAborted();
  };
  try {
    return await work((engine) => guarded(engine, check));
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    working = false;
  }
}

function guarded(engine: Engine, check: () => void): Engine {
  const { name, device, accelerators, threads, domains } = engine;
  return {
    name,
    device,
    accelerators,
    threads,
    domains,
    blockWidth: () => engine.blockWidth(),
    async compile(graph, options) {
      check();
      const program = await engine.compile(graph, options);
      const { inputs, outputs, outputInfo } = program;
      const run: Program['run'] = async (...request) => {
        check();
        return program.run(...request);
      };
      return {
        inputs,
        outputs,
        outputInfo,
        run,
        narrow: async (workers) => program.narrow?.(workers),
        dispose: () => program.dispose(),
      };
    },
  };
}
