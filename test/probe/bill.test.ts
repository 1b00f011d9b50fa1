import { beforeEach, describe, expect, test } from 'vitest';
import { createOnnxRuntime, type Engine } from '../../src/engine/index.js';
import { billed, SharedWork } from '../../src/probe/bill.js';
import { countMacs, macsOf } from '../../src/solver/index.js';

let engine: Engine;
beforeEach(async () => {
  engine = await createOnnxRuntime({ threads: 1 });
});

/** Work of some multiply-adds, by itself or after other work. */
const work = (macs: number, ...needs: SharedWork<void>[]) =>
  new SharedWork<void>(engine, async () => {
    for (const need of needs) await need.ask();
    await new Promise((resolve) => setTimeout(resolve, 1));
    countMacs(engine, macs);
  });

const macsFor = (...asked: SharedWork<void>[]) =>
  billed(engine, async (cost) => {
    countMacs(engine, 1000);
    for (const own of asked) await own.ask();
    return cost().macs;
  });

describe('what a method costs', () => {
  test('is its own work and every piece that it needs, each once, however often it is asked for', async () => {
    macsOf(engine);
    const kernel = work(1);
    const [ridge, taps] = [work(10, kernel), work(100, kernel)];
    expect(await macsFor(ridge, taps, kernel, ridge)).toBe(1111);
    expect(macsOf(engine).done).toBe(1111);
  });

  test('is the same whoever had the shared work made', async () => {
    macsOf(engine);
    const kernel = work(1);
    const ridge = work(10, kernel);
    expect(await macsFor(kernel)).toBe(1001);
    expect(await macsFor(ridge)).toBe(1011);
    expect(await macsFor(ridge)).toBe(1011);
    expect(await macsFor()).toBe(1000);
  });

  test('counts seconds so too, and work that failed', async () => {
    const failing = new SharedWork<void>(engine, async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('no');
    });
    const first = await billed(engine, async (cost) => {
      await expect(failing.ask()).rejects.toThrow('no');
      return cost().seconds;
    });
    const second = await billed(engine, async (cost) => {
      await expect(failing.ask()).rejects.toThrow('no');
      return cost().seconds;
    });
    expect(first).toBeGreaterThan(0.015);
    expect(second).toBeGreaterThan(0.015);
    expect(second).toBeLessThan(2 * first);
  });
});
