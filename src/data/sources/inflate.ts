/** Files as bytes that can be read at any place: in place, or in memory where they are compressed. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { fileError, UserError } from '../../base/index.js';
import { readPart } from '../image.js';

/** Bytes at a place of a file's content. */
export interface Content {
  readonly path: string;
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** What is inflated is held in memory. */
export const mostInflated = 2 ** 31 - 1;

/** @throws UserError when the file is missing, damaged, or too large to be held */
export async function contentOf(path: string): Promise<Content> {
  return path.toLowerCase().endsWith('.gz') ? inMemory(path, await gunzipped(path)) : inPlace(path);
}

export function inPlace(path: string, start = 0, size?: number): Content {
  let whole: number;
  try {
    whole = statSync(path).size - start;
  } catch (error) {
    throw fileError(error, path);
  }
  const own = Math.min(whole, size ?? whole);
  return { path, size: own, read: (offset, length) => readPart(path, start + offset, length) };
}

export function inMemory(path: string, bytes: Uint8Array): Content {
  return { path, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

async function gunzipped(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((error) => {
    throw fileError(error, path);
  });
  const damaged = new UserError(`${path} is no whole gzip file: copy it again`);
  if (bytes.length < 18) throw damaged;
  // Its last four bytes say how large the content is; more is a lie.
  const said = bytes.readUInt32LE(bytes.length - 4);
  if (said > mostInflated) throw new UserError(`${path} holds ${said} bytes, too many to keep: gunzip it first`);
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: Math.max(1, said) });
  } catch {
    throw damaged;
  }
}
