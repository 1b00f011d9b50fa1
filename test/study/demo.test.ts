import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Random, sha256 } from '../../src/base/index.js';
import { loadBackbone } from '../../src/features/index.js';
import { Canvas, hsv } from '../../src/study/demo/draw.js';
import { drawExamples } from '../../src/study/demo/tasks.js';
import { demoConfig, prepareDemo, resolveConfig, sourceTask, targetTasks } from '../../src/study/index.js';
import { testEngine } from '../support/run.js';

const model = fileURLToPath(new URL('../../assets/demo/figures.onnx', import.meta.url));

describe('drawn tasks', () => {
  test.each([sourceTask, ...targetTasks].map((t) => [t.name, t] as const))(
    '%s: the same bytes for the same seed',
    (_, task) => {
      const digest = (seed: number) =>
        sha256(
          drawExamples(task, 'train', 20, seed)
            .map((e) => `${e.label} ${sha256(e.pixels)}`)
            .join(),
        );
      expect(digest(3)).toBe(digest(3));
      expect(digest(3)).not.toBe(digest(4));
    },
  );

  test('classes are balanced and splits differ', () => {
    for (const task of targetTasks) {
      const n = 5 * task.classes.length;
      const counts = new Array<number>(task.classes.length).fill(0);
      const train = drawExamples(task, 'train', n, 0);
      for (const { label } of train) counts[label] = (counts[label] as number) + 1;
      expect(new Set(counts)).toEqual(new Set([5]));
      const images = new Set(train.map((e) => sha256(e.pixels)));
      expect(drawExamples(task, 'test', n, 0).filter((e) => images.has(sha256(e.pixels)))).toEqual([]);
    }
  });

  test('a figure covers the area that it should, wherever it is turned', () => {
    const square = (x: number, y: number) => Math.abs(x) <= 1 && Math.abs(y) <= 1;
    for (const turn of [0, 0.3, Math.PI / 4]) {
      const canvas = new Canvas().shape(square, 16, 16, 6, turn, [255, 255, 255]);
      const area = canvas.pixels.reduce((sum, v) => sum + v, 0) / (3 * 255);
      expect(area).toBeCloseTo(144, -0.5);
    }
  });

  test('colours by hue', () => {
    expect(hsv(0, 1, 1)).toEqual([255, 0, 0]);
    expect(hsv(1 / 3, 1, 1).map(Math.round)).toEqual([0, 255, 0]);
    expect(hsv(0.5, 0, 0.5)).toEqual([127.5, 127.5, 127.5]);
  });

  test('noise is centred', () => {
    const { pixels } = new Canvas().fill([100, 100, 100]).noise(new Random(0), 10);
    expect(pixels.reduce((a, b) => a + b, 0) / pixels.length).toBeCloseTo(100, 0);
  });
});

describe('the shipped backbone', () => {
  test('is under 1 MB, opens, and knows its preprocessing', async () => {
    expect(statSync(model).size).toBeLessThan(1e6);
    const backbone = await loadBackbone(model, await testEngine());
    expect(backbone.preprocess.size).toEqual([32, 32]);
    expect(backbone.notes).toEqual([]);
  });

  test('the demo is a head2toe study in its lite form, and says what it gives up', () => {
    // Its data is drawn when it runs: here any path that exists will do.
    const config = demoConfig();
    for (const task of Object.values(config.tasks)) task.data = model;
    const study = resolveConfig(config, '/');
    expect(study.config.protocol).toBe('head2toe');
    expect(study.scaledDown.length).toBeGreaterThan(3);
  });

  test('draws its tasks into a folder named relative to where it is started', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toehold-demo-'));
    try {
      const { config } = await prepareDemo(join(relative(process.cwd(), folder), 'data'));
      expect(Object.keys(config.tasks)).toEqual(targetTasks.map((t) => t.name));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
