/**
 * Chunks of an unfinished pass: the pooled features of a run of examples, for all taps of the pass, in one file that
 * is whole or absent. A killed pass resumes after its last whole chunk.
 *
 * Layout: 4 bytes length of a JSON header, the header, then per tap a block (features, rows) in the store's precision.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as z from 'zod';
import { type FileWithin, nameForFile, writeFileAtomic } from '../base/index.js';
import type { StoredValues } from './precision.js';

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

const headerSchema = z.object({
  start: z.int().min(0),
  rows: z.int().min(1),
  bad: z.array(z.object({ index: z.int().min(0), message: z.string() })),
  /** Of the values. */
  crc32: z.int(),
});

export async function writeChunk(target: FileWithin, header: ChunkHeader, data: StoredValues): Promise<void> {
  const values = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const text = new TextEncoder().encode(JSON.stringify({ ...header, crc32: crc32(values) }));
  const padded = Math.ceil((4 + text.length) / 64) * 64;
  const head = new Uint8Array(padded).fill(0x20);
  new DataView(head.buffer).setUint32(0, padded - 4, true);
  head.set(text, 4);
  await writeFileAtomic(target, head, values);
}

/** Header of a chunk, or undefined when there is none that can be read. */
export async function readChunkHeader(path: string): Promise<(ChunkHeader & { offset: number }) | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return undefined;
  try {
    return await headerOf(file);
  } finally {
    await file.close();
  }
}

async function headerOf(file: FileHandle) {
  const { size } = await file.stat();
  const length = Buffer.alloc(4);
  await file.read(length, 0, 4, 0);
  const bytes = length.readUInt32LE(0);
  if (4 + bytes > size) return undefined;
  const text = Buffer.alloc(bytes);
  await file.read(text, 0, bytes, 4);
  try {
    return { ...headerSchema.parse(JSON.parse(text.toString('utf8'))), offset: 4 + bytes };
  } catch {
    return undefined;
  }
}

/** The header of a chunk whose values are those that were written, so many bytes for each row; undefined for any other file. */
export async function readWholeChunk(path: string, rowBytes: number): Promise<ChunkHeader | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return undefined;
  try {
    const header = await headerOf(file);
    if (!header || (await file.stat()).size !== header.offset + rowBytes * header.rows) return undefined;
    const piece = Buffer.alloc(1 << 20);
    let sum = 0;
    for (let at = header.offset; ; ) {
      const { bytesRead } = await file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) break;
      sum = crc32(piece.subarray(0, bytesRead), sum);
      at += bytesRead;
    }
    return sum === header.crc32 ? header : undefined;
  } finally {
    await file.close();
  }
}
