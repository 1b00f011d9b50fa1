/**
 * A lock that several processes, also on several machines, can hold on one folder: a file created exclusively, in which
 * the holder counts on. Who waits watches the count by its own clock alone, since clocks of machines differ and file systems
 * keep times of their own: a count that stood still for `staleSeconds` belonged to a process that died. On one machine, and
 * within one container, a holder whose process is gone is known at once.
 */
import { randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fileError } from './files.js';

export interface Lock {
  release(): Promise<void>;
}

export interface LockOptions {
  /** How long a count may stand still. */
  readonly staleSeconds?: number;
}

const defaultStaleSeconds = 90;
const heartbeatSeconds = 4;
/** Digits of the count, which stands at the end of the file. */
const digits = 12;

/** Where process ids mean the same: this host, and on Linux this namespace of processes (a container has its own). */
function placeOfProcesses(): string {
  try {
    return `${hostname()}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** Takes the lock, or returns undefined when another live process holds it. */
export async function tryLock(
  path: string,
  { staleSeconds = defaultStaleSeconds }: LockOptions = {},
): Promise<Lock | undefined> {
  const token = `${placeOfProcesses()} ${process.pid} ${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (error) {
    throw fileError(error, path);
  }
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeFile(path, `${token} ${'0'.repeat(digits)}`, { flag: 'wx' });
      seen.delete(path);
      return hold(path, token);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fileError(error, path);
    }
    const stale = await staleToken(path, staleSeconds);
    if (stale === undefined) return undefined;
    // Renaming is atomic: of several processes that see the same stale lock, one removes it. What was renamed may
    // be the fresh lock of another process that was faster: that one goes back.
    const grave = `${path}.${randomBytes(4).toString('hex')}.stale`;
    await rename(path, grave).catch(() => undefined);
    const buried = await readFile(grave, 'utf8').catch(() => undefined);
    if (buried !== undefined && tokenOf(buried) !== stale) await link(grave, path).catch(() => undefined);
    await rm(grave, { force: true });
  }
  return undefined;
}

/** Waits for the lock; `onWait` is called once when another process holds it. */
export async function waitForLock(path: string, onWait: () => void, options: LockOptions = {}): Promise<Lock> {
  for (let waiting = false; ; waiting = true) {
    const lock = await tryLock(path, options);
    if (lock) return lock;
    if (!waiting) onWait();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** The lock without its count. */
const tokenOf = (text: string) => text.split(' ').slice(0, 3).join(' ');

/** What locks held when they were looked at, and since when, by this process's clock that only runs forward. */
const seen = new Map<string, { text: string; since: number }>();

/** The token of a lock whose owner is gone ('' when it vanished meanwhile); undefined while the owner lives. */
async function staleToken(path: string, staleSeconds: number): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return '';
  }
  const [place, pid] = text.split(' ');
  if (place === placeOfProcesses() && pid && !isAlive(Number(pid))) return tokenOf(text);
  const before = seen.get(path);
  const now = performance.now();
  if (before?.text !== text) {
    seen.set(path, { text, since: now });
    return undefined;
  }
  return now - before.since > staleSeconds * 1000 ? tokenOf(text) : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Counts on in the held locks from a thread of its own: an engine's run may block the main one for long. A lock that was
 * taken over is another file by the same name: the open one is written to, and nobody reads it.
 */
const heart = `
const { parentPort, workerData } = require('node:worker_threads');
const { closeSync, openSync, writeSync } = require('node:fs');
const held = new Map();
parentPort.on('message', ({ path, at, on }) => {
  try {
    if (on) held.set(path, { file: openSync(path, 'r+'), at });
    else {
      const lock = held.get(path);
      held.delete(path);
      if (lock) closeSync(lock.file);
    }
  } catch {}
});
let count = 0;
setInterval(() => {
  const text = String(++count).padStart(workerData.digits, '0');
  for (const { file, at } of held.values()) try { writeSync(file, text, at); } catch {}
}, workerData.milliseconds);
`;
let heartbeat: Worker | undefined;

function beat(path: string, at: number, on: boolean): void {
  heartbeat ??= new Worker(heart, { eval: true, workerData: { milliseconds: heartbeatSeconds * 1000, digits } });
  heartbeat.unref();
  heartbeat.postMessage({ path, at, on });
}

function hold(path: string, token: string): Lock {
  const at = Buffer.byteLength(token) + 1;
  beat(path, at, true);
  return {
    async release() {
      beat(path, at, false);
      const held = await readFile(path, 'utf8').catch(() => '');
      if (tokenOf(held) === token) await rm(path, { force: true });
    },
  };
}
