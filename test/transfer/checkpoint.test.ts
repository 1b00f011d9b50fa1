import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { float32 } from '../../src/graph/index.js';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from '../../src/transfer/checkpoint.js';

let full = false;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    /** A disk that is full after the first 100 bytes of a file. */
    open: async (path: string, flags: string) => {
      const file = await real.open(path, flags);
      if (full) {
        file.writeFile = async (data) => {
          await file.write((data as Uint8Array).subarray(0, 100));
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        };
      }
      return file;
    },
  };
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toehold-checkpoint-'));
});
afterAll(() => rm(folder, { recursive: true }));

const checkpoint = (step: number): Checkpoint => ({
  step,
  seconds: 1.5,
  sums: { loss: 3.25, correct: 7, images: 16, steps: 1 },
  epochs: [{ epoch: 1, step: 4, learningRate: 0.1, loss: 2, accuracy: 0.5 }],
  state: new Map([
    ['w', float32([2, 2], [step, Math.fround(0.1), -0, Number.MIN_VALUE])],
    ['momentum/w', float32([], [-1])],
  ]),
});

describe('checkpoints', () => {
  test('come back bit for bit', async () => {
    const path = join(folder, 'a.safetensors');
    await writeCheckpoint(path, 'run', checkpoint(5));
    expect(await readCheckpoint(path, 'run')).toEqual(checkpoint(5));
    expect(await readCheckpoint(join(folder, 'absent'), 'run')).toBeUndefined();
  });

  test('are safetensors files: header length, JSON header, aligned data', async () => {
    const bytes = await readFile(join(folder, 'a.safetensors'));
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    expect(header.w).toEqual({ dtype: 'F32', shape: [2, 2], data_offsets: [0, 16] });
    expect(bytes.length).toBe(8 + length + 20);
  });

  test('of another run are refused', async () => {
    const read = readCheckpoint(join(folder, 'a.safetensors'), 'other');
    await expect(read).rejects.toThrow(/checkpoint of another run .* choose another folder with -o/);
  });

  test('that are cut off or no checkpoints are refused', async () => {
    const path = join(folder, 'cut.safetensors');
    const whole = await readFile(join(folder, 'a.safetensors'));
    for (const bytes of [
      whole.subarray(0, 5),
      whole.subarray(0, 60),
      whole.subarray(0, -1),
      Buffer.from('x'.repeat(50)),
    ]) {
      await writeFile(path, bytes);
      await expect(readCheckpoint(path, 'run')).rejects.toThrow(/is damaged .* delete it and start again/);
    }
  });

  test('of which a bit has changed are refused', async () => {
    const path = join(folder, 'changed.safetensors');
    const bytes = await readFile(join(folder, 'a.safetensors'));
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1;
    await writeFile(path, bytes);
    await expect(readCheckpoint(path, 'run')).rejects.toThrow(
      /is damaged \(its checksum differs\): delete it and start again/,
    );
  });

  test('survive a full disk: the previous one stays, nothing else is left', async () => {
    const path = join(folder, 'full', 'b.safetensors');
    await writeCheckpoint(path, 'run', checkpoint(5));
    full = true;
    const written = writeCheckpoint(path, 'run', checkpoint(6));
    await expect(written).rejects.toThrow(/^disk full while writing .*b\.safetensors: free some space and run again$/);
    full = false;
    expect(await readCheckpoint(path, 'run')).toEqual(checkpoint(5));
    const { readdir } = await import('node:fs/promises');
    expect(await readdir(join(folder, 'full'))).toEqual(['b.safetensors']);
  });
});
