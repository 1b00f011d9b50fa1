/** The version of this package, and the commit that it was made from. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ownFile } from './own-file.js';

interface Manifest {
  readonly version: string;
  /** Of a published package. */
  readonly gitHead?: string;
}

const root = () => dirname(ownFile('package.json'));
const manifest = () => JSON.parse(readFileSync(ownFile('package.json'), 'utf8')) as Manifest;

export const packageVersion = (): string => manifest().version;

/** The commit of a package, or what a checkout stands at; undefined where neither is known. */
export const packageCommit = (): string | undefined => manifest().gitHead ?? headOf(root());

/** What HEAD of a git checkout stands at, from git's files. @param folder the checkout's top */
export function headOf(folder: string): string | undefined {
  const git = gitFolder(folder);
  const head = git && read(git, 'HEAD');
  if (!git || !head) return undefined;
  const [, ref] = /^ref: (.+)$/.exec(head) ?? [];
  if (ref === undefined) return hash(head);
  // A worktree has its own HEAD, and the branches of the repository.
  const common = resolve(git, read(git, 'commondir') ?? '.');
  return hash(read(common, ref)) ?? hash(packed(common, ref));
}

/** .git is a folder, or in a worktree the file that names it. */
function gitFolder(folder: string): string | undefined {
  if (read(folder, '.git/HEAD') !== undefined) return resolve(folder, '.git');
  const [, named] = /^gitdir: (.+)$/.exec(read(folder, '.git') ?? '') ?? [];
  return named === undefined ? undefined : resolve(folder, named);
}

const packed = (git: string, ref: string): string | undefined =>
  read(git, 'packed-refs')
    ?.split('\n')
    .find((line) => line.endsWith(` ${ref}`))
    ?.split(' ')[0];

const hash = (text: string | undefined): string | undefined =>
  text !== undefined && /^[0-9a-f]{40,64}$/.test(text) ? text : undefined;

function read(folder: string, file: string): string | undefined {
  try {
    return readFileSync(resolve(folder, file), 'utf8').trim();
  } catch {
    return undefined;
  }
}
