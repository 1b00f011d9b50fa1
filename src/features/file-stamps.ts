/**
 * Whether files of a store are those that were written. A file is hashed once; as long as its size and time of change stay,
 * it is taken to be the same: `toehold verify` hashes all of them anew.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const stampsFile = '.verified.json';
const stampsSchema = z.record(z.string(), z.tuple([z.number(), z.number(), z.string()]));

export class FileStamps {
  readonly #known: Map<string, readonly [size: number, changed: number, sha256: string]>;

  constructor(
    readonly directory: string,
    /** Takes nothing for granted. */
    readonly anew = false,
  ) {
    this.#known = new Map(anew ? [] : Object.entries(readStamps(join(directory, stampsFile))));
  }

  /** @param file relative to the store; false when it is not there */
  isIntact(file: string, sha256: string): boolean {
    try {
      const { size, mtimeMs } = statSync(join(this.directory, file));
      const known = this.#known.get(file);
      if (known && known[0] === size && known[1] === mtimeMs) return known[2] === sha256;
      const found = hashOf(join(this.directory, file));
      this.#remember(file, [size, mtimeMs, found]);
      return found === sha256;
    } catch {
      return false;
    }
  }

  /** Notes a file that was just written. */
  note(file: string, sha256: string): void {
    const { size, mtimeMs } = statSync(join(this.directory, file));
    this.#remember(file, [size, mtimeMs, sha256]);
  }

  #remember(file: string, stamp: readonly [number, number, string]): void {
    this.#known.set(file, stamp);
    const path = join(this.directory, stampsFile);
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, JSON.stringify(Object.fromEntries(this.#known)));
      renameSync(temporary, path);
    } catch {
      // A store may be read-only: its files are then hashed by every command.
    }
  }
}

function readStamps(path: string): z.infer<typeof stampsSchema> {
  try {
    return stampsSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // Absent or damaged: everything is hashed.
    return {};
  }
}

function hashOf(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    const piece = Buffer.alloc(1 << 20);
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) hash.update(piece.subarray(0, read));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
