/** However the process that works ends, the one that was started ends with a code of the contract and a sentence. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { endingOf } from '../../src/cli/ending.js';
import { nodeArguments, runProgram } from '../support/cli.js';

const nothing = { printed: false, doing: undefined };

test.each([0, 1, 2] as const)('code %d is handed on without a word', (code) => {
  expect(endingOf(code, null, nothing)).toEqual({ exitCode: code });
});

test('a native library that died is named with what was done', () => {
  const { exitCode, sentence } = endingOf(null, 'SIGSEGV', { printed: false, doing: 'opening model.onnx' });
  expect(exitCode).toBe(1);
  expect(sentence).toMatch(/^the process died \(SIGSEGV\) while it was opening model.onnx: a native library/);
  expect(endingOf(13, null, nothing)).toMatchObject({ exitCode: 1, sentence: expect.stringContaining('code 13') });
});

test('SIGKILL is explained by memory, and what somebody sends is obeyed', () => {
  expect(endingOf(null, 'SIGKILL', nothing)).toMatchObject({
    exitCode: 1,
    sentence: expect.stringContaining('memory'),
  });
  expect(endingOf(null, 'SIGTERM', nothing)).toMatchObject({
    reraise: true,
    sentence: expect.stringContaining('stopped by SIGTERM'),
  });
});

/** The command line, whose working process does `code` first. */
const command = (code: string, ...args: string[]) => {
  const inWorker = `if (process.env.TOEHOLD_WORKER) { ${code} }`;
  return [
    ...nodeArguments,
    '--import',
    `data:text/javascript,${encodeURIComponent(inWorker)}`,
    'src/cli/main.ts',
    ...args,
  ];
};
const posix = test.skipIf(process.platform === 'win32');

posix('a real death, with --json: one document', async () => {
  const args = command(`setTimeout(() => process.kill(process.pid, 'SIGSEGV'), 10)`, 'taps', 'x.onnx', '--json');
  const { code, stdout, stderr } = await runProgram(process.execPath, args, process.env);
  expect(code).toBe(1);
  const { error } = JSON.parse(stdout);
  expect(error).toEqual({ kind: 'work', message: expect.stringMatching(/^the process died \(SIGSEGV\)/) });
  expect(stderr).toBe(`toehold: ${error.message}\n`);
});

posix('whoever stops the command stops the work, and sees that it was obeyed', async () => {
  const args = command(
    `process.stderr.write('working '); setInterval(() => {}, 1000); await new Promise(() => {})`,
    'taps',
    'x.onnx',
  );
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => {
    said += String(text);
    if (said === 'working ') child.kill('SIGTERM');
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGTERM');
  expect(said).toMatch(/^working toehold: stopped by SIGTERM; what is finished stays/);
});

posix('whoever kills the command kills the work', async () => {
  const forever = `process.stderr.write('working'); setTimeout(() => {}, 2 ** 30)`;
  const child = spawn(process.execPath, command(forever, 'taps', 'x.onnx'), { stdio: ['ignore', 'ignore', 'pipe'] });
  await once(child.stderr, 'data');
  child.kill('SIGKILL');
  // Its stderr is closed when all are gone that were started with it.
  await once(child, 'close');
});
