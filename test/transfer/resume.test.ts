import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mergeOptions, train } from '../../src/transfer/index.js';
import { testEngine } from '../support/run.js';
import { request } from './support.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-resume-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs the child; with `killAfter`, kills it (SIGKILL) once it has said so many steps. Returns the steps it said. */
function runChild(checkpoint: string, model: string, killAfter = Number.POSITIVE_INFINITY): Promise<number[]> {
  const script = fileURLToPath(new URL('resume-child.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, checkpoint, model]);
  let text = '';
  let errors = '';
  const steps = () => text.split('\n').slice(0, -1).map(Number);
  child.stdout.on('data', (chunk) => {
    text += chunk;
    if (steps().length >= killAfter) child.kill('SIGKILL');
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code, signal) => {
      if (code === 0 || signal === 'SIGKILL') resolve(steps());
      else reject(new Error(errors));
    });
  });
}

describe('a run that is killed', () => {
  test('goes on from its checkpoint to the bit-identical model', async () => {
    const straight = await runChild(join(folder, 'a.safetensors'), join(folder, 'a.onnx'));
    expect(straight).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const [checkpoint, model] = [join(folder, 'b.safetensors'), join(folder, 'b.onnx')];
    const first = await runChild(checkpoint, model, 3);
    const second = await runChild(checkpoint, model, 4);
    const third = await runChild(checkpoint, model);
    expect(first.length).toBeLessThan(20);
    // Each goes on: at most the step whose checkpoint was being written is done again.
    expect(second[0]).toBeGreaterThanOrEqual(first.at(-1) as number);
    expect(third[0]).toBeGreaterThan(second[0] as number);
    expect(third.at(-1)).toBe(20);
    expect(await readFile(model)).toEqual(await readFile(join(folder, 'a.onnx')));
  });

  test('does not take up the checkpoint of other settings', async () => {
    const engine = await testEngine();
    const other = request({
      checkpoint: join(folder, 'a.safetensors'),
      options: mergeOptions(undefined, { epochs: 5, batch: 16, learningRate: 0.04 }),
    });
    await expect(train(engine, other)).rejects.toThrow(/is the checkpoint of another run/);
  });

  test('has a checkpoint after every so many steps, whatever the time', async () => {
    const path = join(folder, 'steps.safetensors');
    const saved: number[] = [];
    await train(await testEngine(), {
      ...request({ options: mergeOptions(undefined, { epochs: 2, batch: 16, steps: 8, checkpointSteps: 3 }) }),
      checkpoint: path,
      // Called before the step's own checkpoint.
      onStep: () => {
        const text = existsSync(path) ? readFileSync(path, 'latin1') : '';
        saved.push(Number(/"step\\":(\d+)/.exec(text)?.[1] ?? 0));
      },
    });
    expect(saved).toEqual([0, 0, 0, 3, 3, 3, 6, 6]);
  });

  test('stops with a checkpoint when asked to', async () => {
    const engine = await testEngine();
    const stop = new AbortController();
    const cell = request({
      checkpoint: join(folder, 'c.safetensors'),
      signal: stop.signal,
      onStep: ({ step }) => step === 5 && stop.abort(),
    });
    await expect(train(engine, cell)).rejects.toThrow(/training stopped after step 5 of 16: run it again to resume/);
    const steps: number[] = [];
    await train(engine, { ...cell, signal: undefined, onStep: ({ step }) => steps.push(step) });
    expect(steps[0]).toBe(6);
  });
});
