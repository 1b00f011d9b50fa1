/**
 * A lock that several processes, also on several machines, can hold on one folder: a file created exclusively, kept
 * alive by touching it. A lock that was not touched for `staleSeconds` belonged to a process that died and is taken over.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
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
    const stale = await staleToken(path);
    if (stale === undefined) return undefined;
    // Renaming is atomic: of several processes that see the same stale lock, one removes it. What was renamed may
    // be the fresh lock of another process that was faster: that one goes back.
    const grave = `${path}.${randomBytes(4).toString('hex')}.stale`;
    await rename(path, grave).catch(() => undefined);
    if ((await readFile(grave, 'utf8').catch(() => stale)) !== stale) await link(grave, path).catch(() => undefined);
    await rm(grave, { force: true });
  }
  return undefined;
}

/** Waits for the lock; `onWait` is called once when another process holds it. */
export async function waitForLock(path: string, onWait: () => void): Promise<Lock> {
  for (let waiting = false; ; waiting = true) {
    const lock = await tryLock(path);
    if (lock) return lock;
    if (!waiting) onWait();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** What a lock holds when its owner is gone ('' when it vanished meanwhile); undefined while the owner lives. */
async function staleToken(path: string): Promise<string | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    const [host, pid] = text.split(' ');
    const dead = host === hostname() && pid && !isAlive(Number(pid));
    return dead || Date.now() - mtimeMs > staleSeconds * 1000 ? text : undefined;
  } catch {
    return '';
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

/** Touches the held locks from a thread of its own: an engine's run may block the main one for long. */
const heart = `
const { parentPort, workerData } = require('node:worker_threads');
const { utimesSync } = require('node:fs');
const held = new Set();
parentPort.on('message', ({ path, on }) => (on ? held.add(path) : held.delete(path)));
setInterval(() => {
  for (const path of held) try { const now = new Date(); utimesSync(path, now, now); } catch {}
}, workerData.milliseconds);
`;
let heartbeat: Worker | undefined;

function beat(path: string, on: boolean): void {
  heartbeat ??= new Worker(heart, { eval: true, workerData: { milliseconds: heartbeatSeconds * 1000 } });
  heartbeat.unref();
  heartbeat.postMessage({ path, on });
}

function hold(path: string, token: string): Lock {
  beat(path, true);
  return {
    async release() {
      beat(path, false);
      const held = await readFile(path, 'utf8').catch(() => '');
      if (held === token) await rm(path, { force: true });
    },
  };
}
