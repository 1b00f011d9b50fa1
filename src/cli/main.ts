#!/usr/bin/env node
/** The process of the command line: whatever happens, it ends with a code of the contract and a sentence. */
import { fail } from './output.js';
import { runCommandLine } from './program.js';

let ended = false;

// A reader that has seen enough (`toehold taps model.onnx | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  ended = true;
  if (error.code !== 'EPIPE') fail(error);
  process.exit();
});
process.on('uncaughtException', (error) => {
  ended = true;
  fail(error);
  process.exit();
});
process.on('exit', () => {
  if (!ended) fail(new Error('the work stopped before its end'));
});

runCommandLine(process.argv.slice(2)).then(() => {
  ended = true;
});
