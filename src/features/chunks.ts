/**
 * Chunks of an unfinished pass: the pooled features of a run of examples, for all taps of the pass, in one file that
 * is whole or absent. A killed pass resumes after its last whole chunk.
 *
 * Layout: 4 bytes length of a JSON header, the header, then per tap a float32 block (features, rows).
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileWithin, nameForFile, writeFileAtomic } from '../base/index.js';

export interface BadImage {
  /** Index into the split's images. */
  readonly index: number;
  readonly message: string;
}

export interface ChunkHeader {
  readonly start: number;
  readonly rows: number;
  readonly bad: readonly BadImage[];
}

export function chunkPath(directory: string, split: string, index: number): string {
  return join(directory, `${nameForFile(split)}-${String(index).padStart(6, '0')}.chunk`);
}

export async function writeChunk(target: FileWithin, header: ChunkHeader, data: Float32Array): Promise<void> {
  const text = new TextEncoder().encode(JSON.stringify(header).padEnd(4));
  const padded = Math.ceil((4 + text.length) / 64) * 64;
  const head = new Uint8Array(padded).fill(0x20);
  new DataView(head.buffer).setUint32(0, padded - 4, true);
  head.set(text, 4);
  await writeFileAtomic(target, head, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** Header of a chunk, or undefined when there is none. */
export async function readChunkHeader(path: string): Promise<(ChunkHeader & { offset: number }) | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return undefined;
  try {
    const length = Buffer.alloc(4);
    await file.read(length, 0, 4, 0);
    const text = Buffer.alloc(length.readUInt32LE(0));
    await file.read(text, 0, text.length, 4);
    return { ...(JSON.parse(text.toString('utf8')) as ChunkHeader), offset: 4 + text.length };
  } finally {
    await file.close();
  }
}
