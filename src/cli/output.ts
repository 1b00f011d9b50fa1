/** What every command shares: engine flags, JSON on stdout, tables for people, errors as one sentence. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { messageOf, UserError, WorkError } from '../base/index.js';
import { createOnnxRuntime, type Device, devices, type Engine } from '../engine/index.js';

export interface EngineFlags {
  device: Device;
  threads: number;
}

export function addEngineFlags(command: Command): Command {
  return command
    .addOption(new Option('--device <name>', 'where the network runs').choices(devices).default('cpu'))
    .option('--threads <n>', 'threads of one run; 0 takes every core', wholeNumber, 0);
}

export function createEngine({ device, threads }: EngineFlags): Promise<Engine> {
  return createOnnxRuntime({ device, threads });
}

/** Parser of a flag that is a whole number, zero included. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0) {
    throw new InvalidArgumentError('it must be a whole number, 0 or more.');
  }
  return value;
}

/** Prints one JSON document on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Prints lines for people: on stdout where they are the result, on stderr beside JSON. */
export function printText(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** A note on stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** An aligned table; columns whose cells are all numbers (or '') are set to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const numeric = header.map((_, j) => rows.every((row) => /^[-+~<>]?[\d.,]*(e[-+]?\d+)?%?$|^$/.test(row[j] ?? '')));
  const widths = header.map((title, j) => Math.max(title.length, ...rows.map((row) => (row[j] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, j) => (numeric[j] ? cell.padStart(widths[j] ?? 0) : cell.padEnd(widths[j] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((w) => '─'.repeat(w)).join('  '), ...rows.map(line)];
}

/** 1234567 as 1.23 M. */
export function compact(value: number): string {
  for (const [size, unit] of [
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3)}${unit}`;
  }
  return String(Math.round(value));
}

/** Ends the process with the contract's exit code: 2 the request was wrong, 1 the work failed. */
export function fail(error: unknown): void {
  if (error instanceof UserError || error instanceof WorkError) {
    process.stderr.write(`toehold: ${error.message}\n`);
    process.exitCode = error instanceof UserError ? 2 : 1;
    return;
  }
  process.stderr.write(`toehold: ${messageOf(error)}\n`);
  process.stderr.write(
    'This is a fault of toehold itself; run again with TOEHOLD_TRACE=1 for the place and report it.\n',
  );
  if (process.env.TOEHOLD_TRACE && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}
