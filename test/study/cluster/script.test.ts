import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { quoted } from '../../../src/study/cluster/index.js';
import { jobScript } from '../../../src/study/cluster/script.js';

const temporary: string[] = [];
afterAll(async () => {
  for (const path of temporary) await rm(path, { recursive: true, force: true });
});

/** A run folder with a job of two elements, and a scontrol that only writes down what it is asked. */
async function job(body: string) {
  const folder = await mkdtemp(join(tmpdir(), 'a "run" $(touch pwned) \'é-'));
  temporary.push(folder);
  for (const part of ['slurm/ends', 'bin']) await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, 'slurm', '000001.units'), 'train-1 score-1\ntrain-2 score-2\n');
  const work = join(folder, "wor'k");
  await program(work, body);
  await program(join(folder, 'bin', 'scontrol'), `echo "$@" >>"${'$'}RUN/asked"; exit 1`);
  await writeFile(join(folder, 'job.sh'), jobScript([work, 'unit', 'a $(touch pwned).yaml', '-o', folder]));
  return folder;
}

async function program(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** Of scontrol. */
  readonly asked: string;
}

async function run(folder: string, env: Record<string, string> = {}, signal?: NodeJS.Signals): Promise<Ended> {
  const child = spawn('sh', [join(folder, 'job.sh'), '000001', '1', '000001'], {
    cwd: folder,
    env: {
      ...process.env,
      PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
      RUN: folder,
      SLURM_ARRAY_JOB_ID: '77',
      SLURM_ARRAY_TASK_ID: '1',
      ...env,
    },
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
    if (signal && output.includes('working')) child.kill(signal);
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const asked = await readFile(join(folder, 'asked'), 'utf8').catch(() => '');
  return { code, output, asked };
}

describe('the script of a job', () => {
  test('does the units of its own element, with arguments as they are, and writes down how they ended', async () => {
    const folder = await job('for word; do echo "<$word>"; done');
    const { code, output } = await run(folder);
    expect(code).toBe(0);
    const words = output.split('\n').filter((line) => line.startsWith('<'));
    expect(words).toEqual(['<unit>', '<a $(touch pwned).yaml>', '<-o>', `<${folder}>`, '<train-2>', '<score-2>']);
    expect(await readFile(join(folder, 'slurm', 'ends', '000001_1'), 'utf8')).toBe('0\n');
    await expect(readFile(join(folder, 'pwned'))).rejects.toThrow('ENOENT');
  });

  test('fails with its units, and does not start again what failed by itself', async () => {
    const { code, asked } = await run(await job('exit 1'));
    expect([code, asked]).toEqual([1, '']);
  });

  test('starts again what a signal ended, twice and not more', async () => {
    const folder = await job('kill -KILL $$');
    for (const count of ['0', '1']) {
      const { code } = await run(folder, { SLURM_RESTART_COUNT: count });
      expect(code).toBe(137);
    }
    const { asked } = await run(folder, { SLURM_RESTART_COUNT: '2' });
    expect(asked).toBe('requeue 77_1\nrequeue 77_1\n');
  });

  test('hands the warning before the time limit on, waits for the end, and starts again', async () => {
    const body = 'trap "echo checkpoint written; exit 138" USR1\necho working\nwhile :; do sleep 0.05; done';
    const { code, output, asked } = await run(await job(body), {}, 'SIGUSR1');
    expect(output).toContain('checkpoint written');
    expect([code, asked]).toEqual([138, 'requeue 77_1\n']);
  });

  test('that is cancelled ends its units and stays ended', async () => {
    const body = 'trap "exit 143" TERM\necho working\nwhile :; do sleep 0.05; done';
    const { code, asked } = await run(await job(body), {}, 'SIGTERM');
    expect([code, asked]).toEqual([143, '']);
  });
});

describe('a word for a shell', () => {
  test.each(["it's", 'a b', '$(x)', '`x`', '"', '\\', 'a\nb', '*', '', '~', ';', '!', 'é', '-o'])(
    'is %j',
    async (word) => {
      const child = spawn('sh', ['-c', `printf %s ${quoted(word)}`]);
      let output = '';
      child.stdout.on('data', (data) => {
        output += data;
      });
      await new Promise((resolve) => child.on('close', resolve));
      expect(output).toBe(word);
    },
  );
});
