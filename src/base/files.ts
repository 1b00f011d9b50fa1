/** Files that are whole or absent: everything is written to a temporary name beside the target, then renamed. */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, openSync } from 'node:fs';
import { mkdir, open, realpath, rename, rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { UserError, WorkError } from './errors.js';

/** Turns the file system's error codes into sentences; anything else passes through. */
export function fileError(error: unknown, path: string): Error {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOSPC') return new WorkError(`disk full while writing ${path}: free some space and run again`);
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return new UserError(`cannot write ${path}: the folder is read-only; choose another with -o`);
  if (code === 'ENOENT') return new UserError(`no such file or folder: ${path}`);
  if (code === 'EISDIR') return new UserError(`${path} is a folder where a file is needed`);
  if (code === 'ENOTDIR' || code === 'EEXIST') return new UserError(`${path}: a file stands where a folder is needed`);
  return error instanceof Error ? error : new Error(String(error));
}

/** A file of a folder that must hold it: a path that leaves `root`, by '..' or through a symbolic link, is refused. */
export interface FileWithin {
  readonly root: string;
  /** Relative to `root`. */
  readonly file: string;
}

const protectedFiles = new Set<string>();

/** From now on, this process refuses to write to a file: it is one that somebody reads. */
export async function protectFile(path: string): Promise<void> {
  protectedFiles.add(await followed(resolve(path)));
}

/** Writes a file, part after part, by temporary name and rename, creating its folder. A failure leaves nothing behind. */
export async function writeFileAtomic(
  target: string | FileWithin,
  ...parts: readonly (string | Uint8Array)[]
): Promise<void> {
  await writeInPieces(target, async (write) => {
    for (const part of parts) await write(part);
  });
}

/**
 * Like writeFileAtomic for content that is made piece by piece.
 * @throws UserError when the file would lie outside its root
 */
export async function writeInPieces(
  target: string | FileWithin,
  make: (write: (piece: string | Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const path = typeof target === 'string' ? target : await pathWithin(target);
  if (protectedFiles.size > 0 && protectedFiles.has(await followed(resolve(path)))) {
    throw new UserError(`${path} is a file that is read, and would be written over: choose another folder with -o`);
  }
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await make((piece) => file.writeFile(piece));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(error, path);
  }
}

/** @throws UserError when the path leaves the root, as written or once its links are followed */
async function pathWithin({ root, file }: FileWithin): Promise<string> {
  const path = join(root, file);
  const isWithin =
    contains(resolve(root), resolve(path)) &&
    contains(await followed(resolve(root)), join(await followed(resolve(dirname(path))), basename(path)));
  if (!isWithin) {
    throw new UserError(`${file} lies outside ${root}, where it is to be written: change the name that it comes from`);
  }
  return path;
}

function contains(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}

/** A path with the symbolic links followed of as much of it as exists. */
export async function followed(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await followed(parent), basename(path));
  }
}

/**
 * What `read` makes of an open file, which is closed whatever happens.
 * @throws UserError or WorkError when it cannot be opened; see fileError
 */
export function withFile<T>(path: string, read: (file: number, size: number) => T): T {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw fileError(error, path);
  }
  try {
    return read(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** sha256 of a file's bytes, streamed. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch (error) {
    throw fileError(error, path);
  }
  return hash.digest('hex');
}

/** JSON with sorted keys: equal content gives equal text, whatever the order of writing. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, v) =>
    v && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  );
}
