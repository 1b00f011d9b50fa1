// @ts-check
/** A thread of workers.ts: holds one session and answers its requests in turn. */
import { parentPort } from 'node:worker_threads';
import { createSession, loadRuntime } from './session.js';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
/** @type {import('./session.js').Session | undefined} */
let session;

/**
 * The runtime reads and writes memory of this thread only.
 * @type {Map<string, import('../../ir/index.js').Tensor>}
 */
const own = new Map();

/** @param {Readonly<Record<string, any>>} shared */
function twins(shared) {
  return Object.fromEntries(
    Object.entries(shared).map(([name, tensor]) => {
      // Strings come with the message, not in shared memory.
      if (!ArrayBuffer.isView(tensor.data)) return [name, tensor];
      let twin = own.get(name);
      if (twin?.data.length !== tensor.data.length || twin?.type !== tensor.type) {
        twin = { ...tensor, data: tensor.data.slice() };
        own.set(name, /** @type {import('../../ir/index.js').Tensor} */ (twin));
      }
      return [name, { ...tensor, data: twin?.data }];
    }),
  );
}

/** @param {{ feeds: any, fetches: readonly string[], into: any }} request */
async function run({ feeds, fetches, into }) {
  const [inputs, outputs] = [twins(feeds), twins(into)];
  for (const [name, { data }] of Object.entries(inputs)) {
    if (ArrayBuffer.isView(data)) /** @type {Uint8Array} */ (data).set(feeds[name].data);
  }
  const results = await session?.run(inputs, fetches, outputs);
  for (const [name, { data }] of Object.entries(outputs)) into[name].data.set(data);
  return Object.fromEntries(fetches.map((name) => [name, results?.[name]]));
}

/** @param {any} request one of workers.ts */
async function answer(request) {
  if ('parts' in request) {
    session = await createSession(await loadRuntime(), request.parts, request.options);
    return { inputs: session.inputs, outputInfo: session.outputInfo };
  }
  if ('feeds' in request) return run(request);
  await session?.release();
  port.close();
  return undefined;
}

/** @param {any} request */
async function handle(request) {
  try {
    const result = await answer(request);
    const outputs = 'feeds' in request ? Object.values(result ?? {}).map((t) => t.data) : [];
    const moved = outputs
      .filter((data) => ArrayBuffer.isView(data))
      .map((data) => /** @type {ArrayBuffer} */ (data.buffer));
    port.postMessage({ result }, [...new Set(moved)]);
  } catch (error) {
    port.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
}

let last = Promise.resolve();
port.on('message', (request) => {
  last = last.then(() => handle(request));
});
