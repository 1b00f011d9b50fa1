/** The command line in tests: within the test's process, which is fast, or as a process of its own. */
import { execFile } from 'node:child_process';
import { vi } from 'vitest';
import { runCommandLine } from '../../src/cli/program.js';

export interface Outcome {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program; never throws. A signal stands in place of the exit code. */
export function runProgram(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env, maxBuffer: 64 << 20 };
    execFile(file, [...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? (error.signal ?? error.code ?? 1) : 0, stdout, stderr });
    });
  });
}

/** What Node needs to run a file of the sources. */
export const nodeArguments = ['--import', 'tsx'];
/** The program as it is shipped, which test/support/build.ts has put together. */
export const commandLine = [process.env.TOEHOLD_TESTED as string];

/** `toehold ...args` as a process, with these variables changed. */
export function toeholdProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return runProgram(process.execPath, [...commandLine, ...args], { ...process.env, ...env });
}

/** What `work` prints, and the exit code that it sets. */
export async function captured(work: () => void | Promise<void>): Promise<Outcome> {
  const text = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk) => {
      text[name] += String(chunk);
      return true;
    }),
  );
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await work();
    return { code: process.exitCode ?? 0, ...text };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}

/** `toehold ...args` within this process. */
export function toehold(...args: string[]): Promise<Outcome> {
  return captured(() => runCommandLine(args));
}
