/**
 * Keeps onnxruntime from recording and sending what it sees.
 *
 * From 1.29 on, its first session opens a database under the user's cache folder, reads the machine id and the command
 * line, and queues events that hold the model's metadata for upload; a command line of more than about 20 kB makes it
 * recurse until the process dies. ORT_DISABLE_TELEMETRY=1 stops all of it. The library asks the C environment of the
 * process, which only the main thread's `process.env` writes: a worker thread has a copy. From a worker the variable
 * is therefore set in the main thread, through the inspector, whose connection stays within the process; it reaches
 * the main thread also where that one waits or computes.
 */
import { Session } from 'node:inspector';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { messageOf, UserError } from '../../base/index.js';

const variable = 'ORT_DISABLE_TELEMETRY';
/** Handed down to threads that start after the variable was set. */
const mark = `toehold ${variable}`;

/**
 * Must be done before the first session of the process is created. Whatever the variable was, it is '1' afterwards, for
 * child processes too.
 * @throws UserError in a worker thread from which the main thread cannot be reached
 */
export async function turnOffTelemetry(): Promise<void> {
  const found = process.env[variable];
  process.env[variable] = '1';
  if (!isMainThread && getEnvironmentData(mark) === undefined) {
    try {
      await setInMainThread();
    } catch (error) {
      // Without an inspector in this Node, the user's own setting has to do.
      if (found !== '1') {
        throw new UserError(
          `onnxruntime's telemetry cannot be turned off from a worker thread here (${messageOf(error)}): start the process with ${variable}=1`,
        );
      }
    }
  }
  setEnvironmentData(mark, '1');
}

function setInMainThread(): Promise<void> {
  const session = new Session();
  session.connectToMainThread();
  // The answer alone keeps no thread alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  return new Promise<void>((resolve, reject) => {
    session.post(
      'Runtime.evaluate',
      { expression: `process.env.${variable} = '1'`, returnByValue: true },
      (error, answer) => {
        if (error || answer?.result.value !== '1') reject(error ?? new Error('the main thread did not take it'));
        else resolve();
      },
    );
  }).finally(() => {
    clearInterval(alive);
    session.disconnect();
  });
}
