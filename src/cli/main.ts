#!/usr/bin/env node
/**
 * The process that people start. The work is done in a child, because native libraries may die of a model or an image
 * without a word, and a system that runs out of memory kills without one: whatever becomes of the child, this process
 * ends with a code of the contract and a sentence.
 */
import { spawn } from 'node:child_process';
import module from 'node:module';
import { constants } from 'node:os';
import { endingOf, type News, workerVariable } from './ending.js';

// Node keeps compiled code between processes, from 22.1 on.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();

const supervised = process.env[workerVariable] !== undefined;

if (supervised) {
  // Whoever kills the process that was started wants the work to end.
  const die = () => process.kill(process.pid, 'SIGKILL');
  if (process.connected === false) die();
  process.once('disconnect', die);
  process.channel?.unref();
  // Processes that the work starts are no workers.
  delete process.env[workerVariable];
  await import('./work.js');
} else supervise();

function supervise(): void {
  const news: News = { printed: false, doing: undefined };
  const debugging = (flag: string) => /^--(inspect|debug)/.test(flag);
  const child = spawn(
    process.execPath,
    [...process.execArgv.filter((flag) => !debugging(flag)), process.argv[1] as string, ...process.argv.slice(2)],
    {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
      // The engine's library asks the environment of the process before anything of ours runs there.
      env: { ...process.env, [workerVariable]: '1', ORT_DISABLE_TELEMETRY: '1' },
    },
  );
  child.on('message', (message: Partial<News>) => Object.assign(news, message));
  // What a terminal sends to both arrives twice at the child, see onStop.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  child.on('error', () => import('./work.js'));
  child.on('exit', (code, signal) => {
    // Its last message may still be on the way.
    if (!child.connected) end(code, signal, news);
    else {
      const late = setTimeout(() => end(code, signal, news), 500);
      child.once('disconnect', () => {
        clearTimeout(late);
        end(code, signal, news);
      });
    }
  });
}

async function end(code: number | null, signal: NodeJS.Signals | null, news: News): Promise<void> {
  const { exitCode, sentence, reraise } = endingOf(code, signal, news);
  if (sentence !== undefined) {
    // Loaded for this only: most commands end by themselves.
    const { printable, printableJson } = await import('../base/index.js');
    if (process.argv.includes('--json') && !news.printed) {
      process.stdout.write(`${printableJson({ error: { kind: 'work', message: sentence } })}\n`);
    }
    process.stderr.write(`toehold: ${printable(sentence)}\n`);
  }
  process.exitCode = exitCode ?? 128 + constants.signals[signal ?? 'SIGTERM'];
  if (reraise && signal) {
    // Who sent it, a shell in a loop perhaps, is to see that it was obeyed.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
}
