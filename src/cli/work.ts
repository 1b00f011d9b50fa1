/**
 * The process that works: its every ending is said and has a code of the contract, as far as it lives to say so; main.ts
 * says the rest.
 */
import { onActivity, onRemark } from '../base/index.js';
import { fail, note, onPrinted } from './output.js';
import { runCommandLine } from './program.js';

let ended = false;

function end(error?: unknown): never {
  ended = true;
  if (error !== undefined) fail(error);
  process.exit();
}

const { channel } = process;
if (channel) {
  const tell = (news: object) => process.send?.(news, undefined, undefined, () => undefined);
  onActivity((doing) => tell({ doing }));
  onPrinted(() => tell({ printed: true }));
  channel.unref();
}

onRemark((sentence) => note(`warning: ${sentence}`));

// A reader that has seen enough (`toehold taps model.onnx | head`) is no failure; nobody has to read messages.
process.stdout.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'EPIPE' ? undefined : error));
process.stderr.on('error', () => undefined);
process.on('uncaughtException', (error) => end(error));
process.on('exit', () => {
  if (!ended) fail(new Error('the work stopped before its end'));
});

runCommandLine(process.argv.slice(2)).then(() => {
  ended = true;
});
