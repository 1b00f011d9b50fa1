/** Flags that several commands share. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import {
  addEngineFlags,
  addOutput,
  number,
  type OutputOption,
  positiveNumber,
  wholeNumber,
} from '../../src/cli/flags.js';

const parsed = (command: Command, ...args: string[]) =>
  command
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .parse(args, { from: 'user' })
    .opts();

const output = (option: Partial<OutputOption> = {}) =>
  addOutput(new Command('x'), { kind: 'dir', text: 'where to', ...option });

test('an output is -o or --output; it is absent, has a fallback, or is required', () => {
  expect(parsed(output(), '-o', 'a')).toEqual({ output: 'a' });
  expect(parsed(output(), '--output', 'a')).toEqual({ output: 'a' });
  expect(parsed(output())).toEqual({});
  expect(parsed(output({ fallback: 'b' }))).toEqual({ output: 'b' });
  expect(() => parsed(output({ required: true }))).toThrow(/-o, --output <dir>/);
});

test('an older spelling works everywhere and is not shown', () => {
  const former = () => output({ formerly: '--out', required: true });
  expect(parsed(former(), '--out', 'a')).toMatchObject({ output: 'a' });
  expect(parsed(former(), '--output', 'a')).toMatchObject({ output: 'a' });
  expect(parsed(output({ formerly: '--out', fallback: 'b' }), '--out=a')).toMatchObject({ output: 'a' });
  expect(former().helpInformation()).not.toMatch(/--out /);
});

test('the engine flags have the defaults of the engine', () => {
  expect(parsed(addEngineFlags(new Command('x')))).toEqual({ engine: 'onnxruntime', device: 'cpu', threads: 0 });
});

test('numbers are numbers and nothing else', () => {
  expect([number('1e-3'), number('-2'), wholeNumber('0'), positiveNumber('12')]).toEqual([0.001, -2, 0, 12]);
  for (const text of ['', ' ', 'x', '1x', 'NaN', 'Infinity']) expect(() => number(text)).toThrow('a number');
  for (const text of ['', '-1', '1.5', 'x']) expect(() => wholeNumber(text)).toThrow('0 or more');
  for (const text of ['0', '-1', '1.5', '']) expect(() => positiveNumber(text)).toThrow('1 or more');
});
