/** From the chunks of a finished pass to one .npy file per split and tap. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { type FileWithin, nameForFile, npyHeader, WorkError, writeInPieces } from '../base/index.js';
import type { PassPlan } from './chunk-pass.js';
import { type BadImage, chunkPath, readChunkHeader } from './chunks.js';
import { isConstant, type Precision, type StoredValues, storages } from './precision.js';
import type { PooledTap } from './tapped.js';

/** Feature values held at once while one file is put together. */
const bytesAtOnce = 24 * 2 ** 20;

interface OpenChunk {
  readonly file: FileHandle;
  readonly offset: number;
  readonly rows: number;
  readonly bad: readonly BadImage[];
  readonly start: number;
}

export interface JoinedSplit {
  /** Indices into the split's images of the rows that stay: all but the unreadable ones. */
  readonly rows: readonly number[];
  readonly bad: readonly BadImage[];
}

/** All chunks of one split, opened. @throws WorkError when one is missing. */
export class SplitChunks {
  private constructor(
    private readonly chunks: readonly OpenChunk[],
    private readonly taps: readonly PooledTap[],
    private readonly precision: Precision,
    readonly rows: readonly number[],
    readonly bad: readonly BadImage[],
  ) {}

  static async open(
    { chunks: folder, taps, precision }: Pick<PassPlan, 'chunks' | 'taps' | 'precision'>,
    split: string,
    images: number,
  ): Promise<SplitChunks> {
    const chunks: OpenChunk[] = [];
    for (let start = 0; start < images; ) {
      const path = chunkPath(folder, split, chunks.length);
      const header = await readChunkHeader(path);
      if (!header || header.start !== start) {
        await Promise.all(chunks.map((c) => c.file.close()));
        throw new WorkError(`${path} is gone: another process changed the store; run extract again`);
      }
      chunks.push({ ...header, file: await open(path, 'r') });
      start += header.rows;
    }
    const bad = chunks.flatMap((c) => c.bad);
    const missing = new Set(bad.map((b) => b.index));
    const rows = Array.from({ length: images }, (_, i) => i).filter((i) => !missing.has(i));
    return new SplitChunks(chunks, taps, precision, rows, bad);
  }

  async close(): Promise<void> {
    await Promise.all(this.chunks.map((c) => c.file.close()));
  }

  /**
   * Writes the (n, p) Fortran-order file of one tap.
   * @returns features that have one value in all rows, and the sha256 of the file
   */
  async write(tap: PooledTap, target: FileWithin): Promise<{ constant: number[]; sha256: string }> {
    const before = this.taps.slice(0, this.taps.indexOf(tap)).reduce((sum, t) => sum + t.features, 0);
    const n = this.rows.length;
    const piece = Math.max(1, Math.min(tap.features, Math.floor(bytesAtOnce / (8 * Math.max(1, n)))));
    const constant: number[] = [];
    const { dtype, array } = storages[this.precision];
    const buffer = array(piece * n);
    const hash = createHash('sha256');
    await writeInPieces(target, async (writePiece) => {
      const write = async (bytes: Uint8Array) => {
        hash.update(bytes);
        await writePiece(bytes);
      };
      await write(npyHeader(dtype, [n, tap.features], true));
      for (let first = 0; first < tap.features; first += piece) {
        const count = Math.min(piece, tap.features - first);
        const columns = await this.#columns(before + first, count, buffer.subarray(0, count * n));
        for (let j = 0; j < count; j++) {
          if (isConstant(columns.subarray(j * n, (j + 1) * n))) constant.push(first + j);
        }
        await write(new Uint8Array(columns.buffer, columns.byteOffset, columns.byteLength));
      }
    });
    return { constant, sha256: hash.digest('hex') };
  }

  /** Features [first, first + count) of the pass, of all rows that stay: (count, n). */
  async #columns(first: number, count: number, out: StoredValues): Promise<StoredValues> {
    const n = this.rows.length;
    const { bytes, array } = storages[this.precision];
    const blocks = array(count * Math.max(...this.chunks.map((c) => c.rows)));
    let row = 0;
    for (const { file, offset, rows, bad, start } of this.chunks) {
      const block = blocks.subarray(0, count * rows);
      await readFully(file, new Uint8Array(block.buffer, 0, block.byteLength), offset + first * rows * bytes);
      const missing = new Set(bad.map((b) => b.index - start));
      const kept = Array.from({ length: rows }, (_, i) => i).filter((i) => !missing.has(i));
      for (let j = 0; j < count; j++) {
        if (kept.length === rows) out.set(block.subarray(j * rows, (j + 1) * rows), j * n + row);
        else for (const [k, i] of kept.entries()) out[j * n + row + k] = block[j * rows + i] as number;
      }
      row += kept.length;
    }
    return out;
  }
}

async function readFully(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, Math.min(into.length - done, 1 << 30), position + done);
    if (bytesRead === 0) throw new WorkError('a chunk of features is cut off: remove the folder .chunks and run again');
    done += bytesRead;
  }
}

/** Folder of a split within a store. */
function splitFolder(split: string): string {
  return nameForFile(split, ['meta.json']);
}

/** Where a tap's features of a split lie within a store. */
export function tapFile(split: string, alias: string): string {
  return `${splitFolder(split)}/${nameForFile(alias, ['labels'])}.npy`;
}

/** Where a split's labels lie within a store. */
export function labelsFile(split: string): string {
  return `${splitFolder(split)}/labels.npy`;
}
