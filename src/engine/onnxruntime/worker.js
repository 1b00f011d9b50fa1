// @ts-check
/** A thread of workers.ts: holds one session and answers its requests in turn. */
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { createSession, loadRuntime } from './session.js';

/**
 * @typedef {import('./session.js').Tensor} Tensor
 * @typedef {import('./session.js').Tensors} Tensors
 * @typedef {import('./workers.js').Request} Request
 * @typedef {Extract<Request, { feeds: Tensors }>} RunRequest
 */

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {import('./session.js').Session | undefined} */
let session;

/**
 * Keeps this thread, and those that it starts, to some logical processors: what it allocates then lies beside them. Without
 * Linux' taskset it goes where the system puts it.
 * @param {readonly number[]} processors
 */
function keepTo(processors) {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1) ?? '';
    spawnSync('taskset', ['-cp', processors.join(), thread], { stdio: 'ignore' });
  } catch {
    // Another system.
  }
}

/**
 * The runtime reads and writes memory of this thread only.
 * @type {Map<string, Tensor>}
 */
const own = new Map();

/**
 * Tensors of the same types and dims in this thread's memory.
 * @param {Tensors} shared
 * @returns {Tensors}
 */
function twins(shared) {
  return Object.fromEntries(
    Object.entries(shared).map(([name, tensor]) => {
      const { type, dims, data } = tensor;
      // Strings come with the message, not in shared memory.
      if (!ArrayBuffer.isView(data)) return [name, tensor];
      let twin = own.get(name);
      if (twin?.data.length !== data.length || twin.type !== type) {
        twin = { type, dims, data: data.slice() };
        own.set(name, twin);
      }
      return [name, { type, dims, data: twin.data }];
    }),
  );
}

/**
 * @param {Tensors} from
 * @param {Tensors} to
 */
function copy(from, to) {
  for (const [name, { data }] of Object.entries(to)) {
    if (ArrayBuffer.isView(data)) /** @type {Uint8Array} */ (data).set(/** @type {Uint8Array} */ (from[name]?.data));
  }
}

/**
 * @param {RunRequest} request
 * @returns {Promise<Record<string, Tensor | undefined>>}
 */
async function run({ feeds, fetches, into }) {
  const [inputs, outputs] = [twins(feeds), twins(into)];
  copy(feeds, inputs);
  const results = await session?.run(inputs, fetches, outputs);
  copy(outputs, into);
  return Object.fromEntries(fetches.map((name) => [name, results?.[name]]));
}

/** @param {Request} request */
async function handle(request) {
  try {
    if ('parts' in request) {
      if (request.processors) keepTo(request.processors);
      // The thread that starts this one has turned telemetry off and loaded the library.
      session = await createSession(await loadRuntime(), request.parts, request.options);
      port.postMessage({ result: { inputs: session.inputs, outputInfo: session.outputInfo } });
    } else if ('feeds' in request) {
      const result = await run(request);
      const buffers = Object.values(result).flatMap((t) => (ArrayBuffer.isView(t?.data) ? [t.data.buffer] : []));
      port.postMessage({ result }, [...new Set(/** @type {ArrayBuffer[]} */ (buffers))]);
    } else {
      try {
        await session?.release();
      } finally {
        port.close();
      }
    }
  } catch (error) {
    port.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
}

let last = Promise.resolve();
port.on('message', (/** @type {Request} */ request) => {
  last = last.then(() => handle(request));
});
