/**
 * The cache on disk, shared with Python's huggingface_hub: one folder a repository, with `blobs` named by their hash, `snapshots`
 * of links to them by commit, and `refs` that say which commit a branch was at.
 */
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, symlink, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { UserError, writeFileAtomic } from '../base/index.js';
import type { HubName } from './name.js';

/** HF_HOME, else `huggingface` in the user's cache. */
export function hubHome(env: NodeJS.ProcessEnv = process.env): string {
  return env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
}

export const isCommit = (revision: string) => /^[0-9a-f]{40}$/.test(revision);

/** What is kept of one repository. */
export class RepoCache {
  readonly #folder: string;

  constructor({ type, repo }: Pick<HubName, 'type' | 'repo'>, env: NodeJS.ProcessEnv = process.env) {
    const root = env.HF_HUB_CACHE || join(hubHome(env), 'hub');
    this.#folder = join(root, `${type}s--${repo.replace('/', '--')}`);
  }

  /** The commit that a revision was at when it was last asked for; undefined where it never was. */
  commitOf(revision: string): string | undefined {
    if (isCommit(revision)) return existsSync(this.snapshot(revision)) ? revision : undefined;
    try {
      return readFileSync(this.#within('refs', revision), 'utf8').trim() || undefined;
    } catch {
      return undefined;
    }
  }

  async note(revision: string, commit: string): Promise<void> {
    if (!isCommit(revision)) await writeFileAtomic(this.#within('refs', revision), commit);
  }

  snapshot(commit: string): string {
    return this.#within('snapshots', commit);
  }

  /** Where a file of a commit is, or is to be. @throws UserError when its name leads out of the snapshot */
  path(commit: string, file: string): string {
    const folder = this.snapshot(commit);
    const path = resolve(folder, file);
    if (!path.startsWith(folder + sep)) throw new UserError(`the repository names a file outside of itself: ${file}`);
    return path;
  }

  blob(hash: string): string {
    return this.#within('blobs', hash);
  }

  /** Names of the files of a commit that are here, with forward slashes. */
  async filesOf(commit: string): Promise<string[]> {
    const folder = this.snapshot(commit);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => existsSync(path) && /\.\w+$/.test(path))
      .map((path) => relative(folder, path).split(sep).join('/'))
      .sort();
  }

  /** Makes a blob known as a file of a commit: a relative link, or a copy where there are none. */
  async link(commit: string, file: string, hash: string): Promise<string> {
    const path = this.path(commit, file);
    await mkdir(dirname(path), { recursive: true });
    if (await lstat(path).catch(() => undefined)) await unlink(path);
    const blob = this.blob(hash);
    await symlink(relative(dirname(path), blob), path).catch(() => copyFile(blob, path));
    return path;
  }

  #within(...parts: string[]): string {
    const path = resolve(this.#folder, ...parts);
    if (!path.startsWith(resolve(this.#folder) + sep)) throw new UserError(`'${parts.at(-1)}' is no name of the hub`);
    return path;
  }
}
