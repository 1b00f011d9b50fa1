/** Sessions of one model in threads of their own, so that runs overlap, with each other and with the caller. */
import { Worker } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-node';
import { given } from '../../base/index.js';
import type { ModelParts, NumericArray, Tensor } from '../../ir/index.js';
import type { Tensors } from '../engine.js';
import type { Session } from './session.js';

type Declared = Pick<Session, 'inputs' | 'outputInfo'>;
export type Request =
  | { parts: ModelParts; options: InferenceSession.SessionOptions; processors?: readonly number[] }
  | { feeds: Tensors; fetches: readonly string[]; into: Tensors }
  | { release: true };

interface Settle {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** A session in several threads. */
export interface WorkerSession extends Session {
  /** See Program. */
  narrow(workers: number): Promise<void>;
}

/** Where a session of a program is. */
export interface WorkerStart {
  readonly options: InferenceSession.SessionOptions;
  /** Logical processors that it keeps to; any by default. */
  readonly processors?: readonly number[];
  /** Named in what goes wrong there, where there are several. */
  readonly device?: string;
}

/** What answers requests in turn. */
export interface Lane {
  /** Requests that are not answered yet. */
  readonly load: number;
  ask<T>(request: Request): Promise<T>;
  /** After its last answer. */
  release(): Promise<void>;
}

/** A lane in a thread of its own. */
class Thread implements Lane {
  // scripts/bundle.mjs puts it beside the chunks.
  readonly #worker = new Worker(new URL('./worker.js', import.meta.url));
  readonly #ended: Promise<unknown>;
  readonly #asked: Settle[] = [];
  /** Whether somebody waits for its end. */
  #releasing = false;

  constructor() {
    this.#ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#ended.then(() => this.#fail(new Error('a worker thread ended before its work')));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('message', ({ result, error }) => {
      const settle = this.#asked.shift();
      // A thread that waits for requests keeps no process alive.
      if (this.#asked.length === 0 && !this.#releasing) this.#worker.unref();
      if (error === undefined) settle?.resolve(result);
      else settle?.reject(new Error(error));
    });
    this.#worker.unref();
  }

  #fail(error: Error) {
    for (const settle of this.#asked.splice(0)) settle.reject(error);
  }

  get load(): number {
    return this.#asked.length;
  }

  ask<T>(request: Request): Promise<T> {
    this.#worker.ref();
    return new Promise<T>((resolve, reject) => {
      this.#asked.push({ resolve: resolve as (result: unknown) => void, reject });
      this.#worker.postMessage(request);
    });
  }

  async release(): Promise<void> {
    this.#releasing = true;
    this.#worker.ref();
    this.#worker.postMessage({ release: true } satisfies Request);
    await this.#ended;
  }
}

/** Memory that both sides of a request see, reused from request to request: no pixel is cloned, no buffer collected. */
class SharedMemory {
  readonly #free: SharedArrayBuffer[] = [];

  /** Tensors of the same types and dims in one shared buffer. Strings stay where they are. */
  take(...groups: Tensors[]): { buffer: SharedArrayBuffer; groups: Tensors[] } {
    const size = (tensor: Tensor) => (ArrayBuffer.isView(tensor.data) ? Math.ceil(tensor.data.byteLength / 8) * 8 : 0);
    const total = groups.flatMap((g) => Object.values(g)).reduce((sum, t) => sum + size(t), 0);
    const known = this.#free.findIndex((b) => b.byteLength === total);
    const buffer = this.#free.splice(known, known < 0 ? 0 : 1)[0] ?? new SharedArrayBuffer(total);
    let offset = 0;
    const place = (tensor: Tensor): Tensor => {
      if (!ArrayBuffer.isView(tensor.data)) return tensor;
      const View = tensor.data.constructor as new (...of: unknown[]) => NumericArray;
      const data = new View(buffer, offset, tensor.data.length);
      offset += size(tensor);
      return { ...tensor, data };
    };
    return {
      buffer,
      groups: groups.map((g) => Object.fromEntries(Object.entries(g).map(([name, t]) => [name, place(t)]))),
    };
  }

  give(buffer: SharedArrayBuffer): void {
    this.#free.push(buffer);
  }
}

function copy(from: Tensors, to: Tensors): void {
  for (const [name, { data }] of Object.entries(to)) {
    if (ArrayBuffer.isView(data)) (data as Float32Array).set(from[name]?.data as Float32Array);
  }
}

/** The bytes where every thread reads them. */
function shared(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(data.length));
  bytes.set(data);
  return bytes;
}

/** An error that says on which of several devices it came. */
function placed(error: unknown, device: string | undefined): unknown {
  if (device === undefined || !(error instanceof Error)) return error;
  return Object.assign(error, { device });
}

/**
 * @param starts a thread for each, with a session of its own: weights and working memory are held as often
 * @param lane makes a thread
 * @throws what the runtime says of the model
 */
export async function createWorkerSession(
  { model, weights }: ModelParts,
  starts: readonly WorkerStart[],
  lane: () => Lane = () => new Thread(),
): Promise<WorkerSession> {
  const threads = starts.map((start) => ({ ...start, lane: lane() }));
  const parts = { model, weights: weights.map(({ path, data }) => ({ path, data: shared(data) })) };
  const release = async () => {
    await Promise.all(threads.map((thread) => thread.lane.release()));
  };
  const started = await Promise.allSettled(
    threads.map(({ lane, options, processors }) => lane.ask<Declared>({ parts, options, ...given({ processors }) })),
  );
  const failed = started.findIndex((s) => s.status === 'rejected');
  if (failed >= 0) {
    await release();
    throw placed((started[failed] as PromiseRejectedResult).reason, threads[failed]?.device);
  }
  const memory = new SharedMemory();
  return {
    ...(started[0] as PromiseFulfilledResult<Declared>).value,
    async run(feeds, fetches, into = {}) {
      // The next request lies there when a thread is done: it does not wait for the caller's.
      const { lane, device } = threads.reduce((least, t) => (t.lane.load < least.lane.load ? t : least));
      const { buffer, groups } = memory.take(feeds, into);
      const [sharedFeeds, sharedInto] = groups as [Tensors, Tensors];
      copy(feeds, sharedFeeds);
      try {
        const results = await lane.ask<Tensors>({ feeds: sharedFeeds, fetches, into: sharedInto });
        copy(sharedInto, into);
        return { ...results, ...into };
      } catch (error) {
        throw placed(error, device);
      } finally {
        memory.give(buffer);
      }
    },
    async narrow(workers) {
      await Promise.all(threads.splice(Math.max(1, workers)).map((thread) => thread.lane.release()));
    },
    release,
  };
}
