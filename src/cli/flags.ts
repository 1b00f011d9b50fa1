/** Flags that several commands have, and how flags are read. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../base/index.js';
import { defaultMaxPixels, setMaxPixels } from '../data/index.js';
import { devices, type EngineOptions, engineDefaults, engineNames, parseDevices } from '../engine/index.js';
import { type Logger, loggers } from '../transfer/index.js';

export { createEngine } from '../engine/index.js';

export type EngineFlags = EngineOptions;

/** @throws UserError for several devices, where a command uses one */
export function assertOneDevice(device: string, who: string): void {
  const { ordinals } = parseDevices(device);
  if (ordinals.length > 1)
    throw new UserError(
      `${who} uses one device, and '${device}' are ${ordinals.length}: name one, for example cuda:${ordinals[0]}`,
    );
}

/** @param several whether the command can use several devices */
export function addEngineFlags(command: Command, { several = false } = {}): Command {
  const device = (name: string) => {
    const known: readonly string[] = devices;
    if (!known.includes(parseDevices(name).device))
      throw new InvalidArgumentError(`Allowed choices are ${devices.join(', ')}.`);
    if (!several) assertOneDevice(name, `toehold ${command.name()}`);
    return name;
  };
  return command
    .addOption(
      new Option('--engine <name>', 'library that runs the networks')
        .choices(engineNames)
        .default(engineDefaults.engine),
    )
    .addOption(
      new Option('--device <name>', `where it runs them; of several GPUs cuda:1${several ? ', or cuda:0,1' : ''}`)
        .choices(devices)
        .argParser(device)
        .default(engineDefaults.device),
    )
    .option('--threads <n>', 'threads of one run; 0 takes every core', wholeNumber, engineDefaults.threads);
}

export interface OutputOption {
  /** 'dir' or 'file', as help shows it. */
  readonly kind: 'dir' | 'file';
  readonly text: string;
  /** Used when the flag is absent. Without it and without `required`, nothing is written then. */
  readonly fallback?: string;
  readonly required?: boolean;
  /** An older spelling that still works and that help does not show: '--out'. */
  readonly formerly?: `--${string}`;
}

export interface OutputFlags {
  output: string;
  force?: boolean;
}

/** Declares `-o, --output`, which arrives as `output`, and `--force`. */
export function addOutput(command: Command, { kind, text, fallback, required, formerly }: OutputOption): Command {
  const option = new Option(`-o, --output <${kind}>`, text).makeOptionMandatory(required === true);
  command.addOption(fallback === undefined ? option : option.default(fallback));
  command.option(
    '--force',
    kind === 'dir' ? 'write into a folder that holds something else' : 'replace a file that toehold did not write',
  );
  if (formerly !== undefined) {
    const alias = new Option(`${formerly} <${kind}>`).hideHelp();
    command.addOption(alias);
    command.on(`option:${alias.name()}`, (value: string) => command.setOptionValueWithSource('output', value, 'cli'));
  }
  return command;
}

/** Declares `--max-pixels`, which holds for the whole process. */
export function addPixelFlag(command: Command): Command {
  return command.option(
    '--max-pixels <n>',
    `largest image that is decoded (default: ${defaultMaxPixels})`,
    (text: string) => {
      const pixels = positiveNumber(text);
      setMaxPixels(pixels);
      return pixels;
    },
  );
}

/** Declares `--log`, which may be given several times. */
export function addLogFlag(command: Command): Command {
  return command.option(
    `--log <${loggers.join('|')}>`,
    "training curves for that program, too, in the run's folder; may be repeated",
    (text: string, before: readonly Logger[] = []): readonly Logger[] => {
      const logger = loggers.find((name) => name === text);
      if (!logger) throw new InvalidArgumentError(`Allowed choices are ${loggers.join(', ')}.`);
      return [...new Set([...before, logger])];
    },
  );
}

/** Parser of a flag that is a number. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('it must be a number.');
  return value;
}

const units: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Parser of a flag that is a size of memory, as Slurm takes it: 16G, 500M. */
export function bytes(text: string): number {
  const [, value, unit = ''] = /^(\d+(?:\.\d+)?(?:e\d+)?)([KMGT])?(?:i?B)?$/i.exec(text.trim()) ?? [];
  const size = Number(value) * (units[unit.toUpperCase()] ?? 1);
  if (!(size > 0)) throw new InvalidArgumentError('it must be a size, for example 16G.');
  return size;
}

/** Parser of a span of time. */
export function positiveSpan(text: string): number {
  const value = number(text);
  if (!(value > 0)) throw new InvalidArgumentError('it must be positive.');
  return value;
}

/** Parser of --margin. */
export function margin(text: string): number {
  const value = number(text);
  if (value < 0 || value > 50) throw new InvalidArgumentError('it must be from 0 to 50 points.');
  return value;
}
export const marginHelp = 'difference in accuracy that does not matter, in points (1 by default)';

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < least) {
      throw new InvalidArgumentError(`it must be a whole number, ${least} or more.`);
    }
    return value;
  };
}

/** Parser of a flag that is a whole number, zero included. */
export const wholeNumber = wholeFrom(0);
/** Parser of a flag that is a whole number from 1. */
export const positiveNumber = wholeFrom(1);
