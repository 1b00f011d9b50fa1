/** What a hub answers: which files a repository has at a revision, and their bytes. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { activity, fileError, messageOf, UserError, WorkError } from '../base/index.js';
import { hubHome, isCommit, RepoCache } from './cache.js';
import type { HubName } from './name.js';

export interface HubFile {
  /** In the repository, with forward slashes. */
  readonly path: string;
  readonly size: number;
  /** sha256 of a large file, git's hash of a small one. */
  readonly hash: string;
  readonly large: boolean;
}

/** A repository at one commit. */
export interface Snapshot {
  readonly name: HubName;
  readonly commit: string;
  readonly files: readonly HubFile[];
  readonly cache: RepoCache;
  /** What a user should know: that the hub was not asked. */
  readonly notes: readonly string[];
}

/** Where the hub and its cache are, and who is told of progress. */
export interface HubOptions {
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Called with a file's name, the bytes that are here, and of all. */
  readonly onProgress?: ((file: string, done: number, total: number) => void) | undefined;
}

const endpointOf = (env: NodeJS.ProcessEnv) => (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
const isOffline = (env: NodeJS.ProcessEnv) => /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? '');

/** HF_TOKEN, else the file that Python's login writes. It goes to the hub's own address alone and into no message. */
async function authorised(env: NodeJS.ProcessEnv): Promise<typeof fetch> {
  const file = env.HF_TOKEN_PATH || join(hubHome(env), 'token');
  const token = (env.HF_TOKEN || (await readFile(file, 'utf8').catch(() => ''))).trim();
  const origin = new URL(endpointOf(env)).origin;
  return (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (token !== '' && url.origin === origin) headers.set('Authorization', `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
}

async function library() {
  try {
    return await import('@huggingface/hub');
  } catch {
    throw new UserError('names of a hub need one more package: npm install @huggingface/hub');
  }
}

/**
 * Looks at a repository. Offline, or where the hub cannot be reached, what the cache holds of it is what there is.
 * @throws UserError when there is no such repository or revision, WorkError when the hub cannot be reached and nothing is here
 */
export async function lookUp(name: HubName, { env = process.env }: HubOptions = {}): Promise<Snapshot> {
  const cache = new RepoCache(name, env);
  if (isOffline(env)) return cached(name, cache, 'HF_HUB_OFFLINE is set');
  activity(`asking the hub for ${name.repo}`);
  const hub = await library();
  const asked = {
    hubUrl: endpointOf(env),
    fetch: await authorised(env),
    revision: name.revision,
  };
  try {
    const question = { ...asked, name: name.repo, additionalFields: ['sha' as const] };
    const { sha: commit } = await (name.type === 'model' ? hub.modelInfo(question) : hub.datasetInfo(question));
    if (!isCommit(commit)) throw new WorkError(`the hub names no commit of ${name.repo}`);
    const files: HubFile[] = [];
    for await (const entry of hub.listFiles({
      ...asked,
      repo: { type: name.type, name: name.repo },
      revision: commit,
      recursive: true,
    })) {
      const hash = entry.lfs?.oid ?? entry.oid;
      if (entry.type === 'file' && hash !== undefined && /^[0-9a-f]{40,64}$/.test(hash))
        files.push({ path: entry.path, size: entry.lfs?.size ?? entry.size, hash, large: entry.lfs !== undefined });
    }
    await cache.note(name.revision, commit);
    return { name, commit, files, cache, notes: [] };
  } catch (error) {
    if (error instanceof WorkError || error instanceof UserError) throw error;
    return fallback(name, cache, error);
  }
}

/** The snapshot that the cache holds. @throws UserError when it holds none */
async function cached(name: HubName, cache: RepoCache, why: string): Promise<Snapshot> {
  const commit = cache.commitOf(name.revision);
  const files = commit === undefined ? [] : await cache.filesOf(commit);
  if (commit === undefined || files.length === 0) {
    throw new UserError(
      `${name.repo} at '${name.revision}' is not in the cache, and ${why}: fetch it once with a network`,
    );
  }
  const known = files.map((path) => ({ path, size: 0, hash: '', large: false }));
  return { name, commit, files: known, cache, notes: [`${name.repo}: from the cache, since ${why}`] };
}

/** What is left where the hub gives no list: its reason as a sentence, or the cache. */
async function fallback(name: HubName, cache: RepoCache, error: unknown): Promise<Snapshot> {
  const status = (error as { statusCode?: number }).statusCode;
  const what = name.type === 'model' ? 'model' : 'data set';
  if (status === 401 || status === 403 || status === 404) {
    const hidden = status === 404 ? '' : ', or it is private or gated: set HF_TOKEN, and accept its terms on its page';
    const revision = name.revision === 'main' ? '' : ` at '${name.revision}'`;
    throw new UserError(`there is no ${what} ${name.repo}${revision} on the hub${hidden}`);
  }
  const reason = status === undefined ? 'the hub cannot be reached' : `the hub answers ${status}`;
  const known = await cached(name, cache, reason).catch(() => undefined);
  if (known) return known;
  throw new WorkError(`${name.repo}: ${reason} (${causeOf(error)}); try again, or set HF_ENDPOINT to a mirror`);
}

function causeOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return messageOf(cause ?? error).split('\n')[0] ?? '';
}

/** Waits between tries, in milliseconds. */
const pauses = [500, 2000, 5000];

/**
 * The path of a file of a snapshot, fetched unless it is here. What was fetched before a break is kept and continued.
 * @throws WorkError when the connection breaks again and again, or what comes is not what was listed
 */
export async function fetchFile(snapshot: Snapshot, file: HubFile, options: HubOptions = {}): Promise<string> {
  const { cache, commit } = snapshot;
  const path = cache.path(commit, file.path);
  if (existsSync(path)) return path;
  const blob = cache.blob(file.hash);
  if (!existsSync(blob)) {
    for (let attempt = 0; ; attempt++) {
      try {
        await download(snapshot, file, `${blob}.incomplete`, options);
        break;
      } catch (error) {
        if (error instanceof UserError || error instanceof WorkError || attempt === pauses.length) {
          throw error instanceof UserError || error instanceof WorkError ? error : broken(snapshot, file, error);
        }
        await new Promise((done) => setTimeout(done, pauses[attempt]));
      }
    }
    await rename(`${blob}.incomplete`, blob);
  }
  return cache.link(commit, file.path, file.hash);
}

function broken({ name }: Snapshot, file: HubFile, error: unknown): WorkError {
  return new WorkError(
    `${name.repo}/${file.path}: the download broke off (${causeOf(error)}); run again to continue it`,
  );
}

async function download(
  { name, commit }: Snapshot,
  file: HubFile,
  into: string,
  { env = process.env, onProgress = () => undefined }: HubOptions,
): Promise<void> {
  await mkdir(dirname(into), { recursive: true });
  const before = await stat(into).then(
    ({ size }) => (size > file.size ? 0 : size),
    () => 0,
  );
  let done = before;
  if (before < file.size || file.size === 0) {
    const url = `${endpointOf(env)}/${name.type === 'dataset' ? 'datasets/' : ''}${name.repo}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
    activity(`fetching ${name.repo}/${file.path}`);
    const get = await authorised(env);
    const response = await get(url, { headers: before > 0 ? { Range: `bytes=${before}-` } : {} });
    if (!response.ok || !response.body) {
      throw new WorkError(`${name.repo}/${file.path}: the hub answers ${response.status}; try again later`);
    }
    // A server that knows no ranges sends all of it.
    const continues = response.status === 206;
    if (!continues) done = 0;
    const out = await open(into, continues ? 'a' : 'w').catch((error) => {
      throw fileError(error, into);
    });
    try {
      for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
        done += piece.length;
        if (done > file.size) break;
        await out.writeFile(piece);
        onProgress(file.path, done, file.size);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw fileError(error, into);
      throw error;
    } finally {
      await out.close();
    }
  }
  if (done < file.size) throw new Error(`${done} of ${file.size} bytes came`);
  if ((await hashOf(into, file)) !== file.hash) {
    await rm(into, { force: true });
    throw new WorkError(`${name.repo}/${file.path} is not the file that the hub lists (its hash differs): run again`);
  }
}

/** sha256, or git's: sha1 of a header and the bytes. */
async function hashOf(path: string, { large, size }: HubFile): Promise<string> {
  const hash = createHash(large ? 'sha256' : 'sha1');
  if (!large) hash.update(`blob ${size}\0`);
  const file = await open(path, 'r');
  try {
    for await (const piece of file.createReadStream({ autoClose: false })) hash.update(piece as Uint8Array);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
