/**
 * A lock that several processes, also on several machines, can hold on one folder: a file created exclusively, kept
 * alive by touching it. A lock that was not touched for `staleSeconds` belonged to a process that died and is taken over.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { fileError } from './files.js';

export interface Lock {
  release(): Promise<void>;
}

const staleSeconds = 20;
const heartbeatSeconds = 4;

/** Takes the lock, or returns undefined when another live process holds it. */
export async function tryLock(path: string): Promise<Lock | undefined> {
  const token = `${hostname()} ${process.pid} ${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (error) {
    throw fileError(error, path);
  }
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeFile(path, token, { flag: 'wx' });
      return hold(path, token);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fileError(error, path);
    }
    if (!(await isStale(path))) return undefined;
    // Renaming is atomic: of several processes that see the same stale lock, one removes it.
    const grave = `${path}.${randomBytes(4).toString('hex')}.stale`;
    await rename(path, grave).catch(() => undefined);
    await rm(grave, { force: true });
  }
  return undefined;
}

/** Waits for the lock; `onWait` is called once when another process holds it. */
export async function waitForLock(path: string, onWait: () => void): Promise<Lock> {
  for (let told = false; ; told = true) {
    const lock = await tryLock(path);
    if (lock) return lock;
    if (!told) onWait();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function isStale(path: string): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    const [host, pid] = text.split(' ');
    if (host === hostname() && pid && !isAlive(Number(pid))) return true;
    return Date.now() - mtimeMs > staleSeconds * 1000;
  } catch {
    return true;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function hold(path: string, token: string): Lock {
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => undefined);
  }, heartbeatSeconds * 1000);
  beat.unref();
  return {
    async release() {
      clearInterval(beat);
      const held = await readFile(path, 'utf8').catch(() => '');
      if (held === token) await rm(path, { force: true });
    },
  };
}
