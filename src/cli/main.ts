#!/usr/bin/env node
/** The command line: one file per command; parses, calls, prints. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { registerDemo } from './demo.js';
import { registerExtract } from './extract.js';
import { fail } from './output.js';
import { registerReport } from './report.js';
import { registerRun } from './run.js';
import { registerSchema } from './schema.js';
import { registerTaps } from './taps.js';
import { registerTrain } from './train.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('toehold')
  .description('Which layers of a pretrained network already know your task?')
  .version(version)
  .exitOverride()
  .showSuggestionAfterError()
  .configureHelp({ showGlobalOptions: false });

for (const register of [
  registerTaps,
  registerExtract,
  registerTrain,
  registerRun,
  registerReport,
  registerDemo,
  registerSchema,
])
  register(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else fail(error);
}
