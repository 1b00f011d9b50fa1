import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { train } from '../../src/transfer/index.js';
import { testEngine } from '../support/run.js';
import { parityRun, steps } from './parity.js';

const file = new URL('../fixtures/transfer/losses.json', import.meta.url);
const fixture = JSON.parse(readFileSync(file, 'utf8')) as Record<'resnet20' | 'vit-tiny', number[]>;

describe("50 steps from the same weights and batches lose what PyTorch's do", () => {
  // The learning rate of the rectifier network is small: an activation that rounds to the other side of zero moves the
  // gradient by some thousandths, and at larger rates PyTorch's own float32 and float64 runs part.
  test.each(['resnet20', 'vit-tiny'] as const)('%s, within 1e-3', async (name) => {
    const losses: number[] = [];
    await train(await testEngine(), { ...parityRun(name), onStep: ({ loss }) => losses.push(loss) });
    expect(losses).toHaveLength(steps);
    losses.forEach((loss, i) => {
      expect(Math.abs(loss - (fixture[name][i] as number)), `step ${i + 1}`).toBeLessThan(1e-3);
    });
  });
});
