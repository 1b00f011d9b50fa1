/** The command line as a process of its own. */
import { execFile } from 'node:child_process';

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

export const nodeArguments = ['--import', 'tsx'];
export const commandLine = [...nodeArguments, 'src/cli/main.ts'];

/** `toehold ...args` from the sources, with these variables changed. */
export function toehold(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return runProgram(process.execPath, [...commandLine, ...args], { ...process.env, ...env });
}
