/** With --json every command answers a mistake with one document, whatever the mistake is. */
import { describe, expect, test } from 'vitest';
import { commandNames } from '../../src/cli/program.js';
import { toehold } from '../support/cli.js';
import { temporaryFolder } from '../support/tiny.js';

const nowhere = `${temporaryFolder()}/nowhere`;
/** What a command cannot do without, so that it is the rest that is wrong. */
const needed: Readonly<Record<string, readonly string[]>> = {
  train: ['-o', nowhere],
  run: ['-o', nowhere],
  plan: ['-o', nowhere],
  unit: ['-o', nowhere],
  features: ['--format', 'npy', '-o', nowhere],
};

/** One error document on stdout, its sentence on stderr, exit code 2. */
async function expectError(args: readonly string[], message: RegExp) {
  const { code, stdout, stderr } = await toehold(...args, '--json');
  expect(code, args.join(' ')).toBe(2);
  const document = JSON.parse(stdout) as { error: { kind: string; message: string } };
  expect(document, args.join(' ')).toEqual({ error: { kind: 'request', message: expect.stringMatching(message) } });
  expect(stderr).toBe(`toehold: ${document.error.message}\n`);
}

describe.each(commandNames)('%s', (name) => {
  const own = [name, ...(needed[name] ?? [])];

  test('a flag that is not there', () => expectError([...own, '--nonsense'], /^unknown option '--nonsense'/));

  test('files that are not there, or too many of them', () =>
    expectError(
      [...own, ...Array.from({ length: 4 }, (_, i) => `${nowhere}/${i}`)],
      /nowhere|too many arguments|schema|shell/,
    ));
});

test('a command that is not there', () => expectError(['nonsense'], /^unknown command 'nonsense'/));

test('too many arguments are one sentence', () =>
  expectError(['taps', 'one', 'two'], /^too many arguments for 'taps': it takes 1, and 2 are given$/));
