/** The vectors of examples, each of norm one or zero, example by example: in memory, or in a file of their own where they are many. */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileError } from '../../base/index.js';
import type { FeatureMatrix } from '../../solver/index.js';
import type { LayerTokens } from './tokens.js';

export interface TokenRows {
  /** k, D. */
  readonly tokens: number;
  readonly width: number;
  /** Writes the vectors of an example, (k, D), into an array from `at` on. */
  fill(row: number, into: Float32Array, at: number): void;
  /** Nothing is read afterwards. */
  close(): void;
}

/** Values of several vectors of all examples that are read at once. */
const READ = 2 ** 25;

/**
 * Every vector of every example divided by its norm (zeros stay zeros) and padded with zeros.
 * @param memory bytes that they may take; beyond, they are written to a temporary file, which has no name and is gone with the process
 */
export async function readTokens(
  matrix: FeatureMatrix,
  { tokens, width: D }: LayerTokens,
  memory: number = matrix.options.memory,
): Promise<TokenRows> {
  const [n, k] = [matrix.rows, tokens.length];
  const size = k * D;
  const rows = 4 * n * size <= memory ? inMemory(k, D, n) : inFile(k, D);
  try {
    const most = Math.max(1, Math.floor(READ / (n * D)));
    for (let first = 0; first < k; first += most) {
      const some = tokens.slice(first, first + most);
      const unit = await unitVectors(matrix, some, D);
      const width = some.length * D;
      for (let i = 0; i < n; i++) rows.write(i * size + first * D, unit.subarray(i * width, (i + 1) * width));
    }
  } catch (error) {
    rows.close();
    throw error;
  }
  return rows;
}

/** Some vectors of every example, (n, tokens.length, D). */
async function unitVectors(matrix: FeatureMatrix, tokens: LayerTokens['tokens'], D: number): Promise<Float32Array> {
  const n = matrix.rows;
  const unit = new Float32Array(n * tokens.length * D);
  for (const [t, { features }] of tokens.entries()) {
    const data = await matrix.gather(features, new Float32Array(features.length * n));
    for (let i = 0; i < n; i++) {
      const to = (i * tokens.length + t) * D;
      let squares = 0;
      for (const [j, feature] of features.entries()) {
        const value = (data[j * n + i] as number) + (matrix.shift[feature] as number);
        unit[to + j] = value;
        squares += value * value;
      }
      const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
      for (let j = 0; j < features.length; j++) unit[to + j] = (unit[to + j] as number) * scale;
    }
  }
  return unit;
}

interface Writable extends TokenRows {
  write(at: number, values: Float32Array): void;
}

function inMemory(tokens: number, width: number, n: number): Writable {
  const size = tokens * width;
  const x = new Float32Array(n * size);
  return {
    tokens,
    width,
    write: (at, values) => x.set(values, at),
    fill: (row, into, at) => into.set(x.subarray(row * size, (row + 1) * size), at),
    close: () => undefined,
  };
}

function inFile(tokens: number, width: number): Writable {
  const path = join(tmpdir(), `toehold-tokens-${process.pid}-${performance.now()}`);
  const size = tokens * width;
  const file = openSync(path, 'wx+');
  unlinkSync(path);
  const bytes = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return {
    tokens,
    width,
    write(at, values) {
      try {
        writeSync(file, bytes(values), 0, values.byteLength, 4 * at);
      } catch (error) {
        throw fileError(error, path);
      }
    },
    fill: (row, into, at) => {
      readSync(file, bytes(into.subarray(at, at + size)), 0, 4 * size, 4 * row * size);
    },
    close: () => closeSync(file),
  };
}
