#!/usr/bin/env node
/** The command line: one file per command; parses, calls, prints. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { fail } from './output.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Commands load only when they are asked for, so that none pays for another's libraries. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  taps: async () => (await import('./taps.js')).registerTaps,
  extract: async () => (await import('./extract.js')).registerExtract,
  probe: async () => (await import('./probe.js')).registerProbe,
  train: async () => (await import('./train.js')).registerTrain,
  run: async () => (await import('./run.js')).registerRun,
  report: async () => (await import('./report.js')).registerReport,
  export: async () => (await import('./export.js')).registerExport,
  predict: async () => (await import('./predict.js')).registerPredict,
  demo: async () => (await import('./demo.js')).registerDemo,
  schema: async () => (await import('./schema.js')).registerSchema,
  doctor: async () => (await import('./doctor.js')).registerDoctor,
};

const program = new Command('toehold')
  .description('Which layers of a pretrained network already know your task?')
  .version(version)
  .exitOverride()
  .showSuggestionAfterError();

const asked = process.argv[2] ?? '';
const needed = commands[asked] ? [commands[asked]] : Object.values(commands);
for (const load of needed) (await load())(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else fail(error);
}
