/** Whose a folder or file is, before anything is written there: nothing of the user's is replaced unless they say so. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { UserError } from './errors.js';
import { fileError, followed, protectFile, writeFileAtomic } from './files.js';

/** The file that marks a folder as ours; it holds the name of what is written there. */
const marker = '.toehold';

export interface ClaimOptions {
  /** Takes what is not ours, too. */
  readonly force?: boolean | undefined;
  /** Files and folders that the work reads: it may write neither over nor into them. */
  readonly inputs?: readonly (string | undefined)[] | undefined;
  /** Names of files that the work will write into the folder: none may be an input. */
  readonly files?: readonly string[] | undefined;
}

/**
 * Makes a folder the output of a kind of work ('a feature store', 'a study'): it is new, empty, or was
 * claimed by the same kind before. What the work reads is protected: see protectFile.
 * @throws UserError for any other folder unless forced; for an input and what lies in one, and the root of a file system, always
 */
export async function claimFolder(
  folder: string,
  kind: string,
  { force, inputs = [], files = [] }: ClaimOptions = {},
): Promise<void> {
  const real = await followed(resolve(folder));
  if (dirname(real) === real) throw new UserError(`-o ${folder} is the root of a file system: name a folder in it`);
  const written = new Set(await Promise.all(files.map((file) => followed(join(real, file)))));
  for (const input of inputs) {
    if (input === undefined) continue;
    const found = await stat(input).catch(() => undefined);
    const at = await followed(resolve(input));
    if (found?.isDirectory() && isWithin(at, real)) {
      throw new UserError(`-o ${folder} lies in ${input}, which is read: choose a folder outside of it`);
    }
    if (written.has(at)) {
      throw new UserError(`${input} is read, and would be written over: choose another folder with -o`);
    }
    if (found && !found.isDirectory()) await protectFile(input);
  }
  // In this order: another process that claims the folder at this moment writes its mark before anything else.
  const entries = await entriesOf(folder);
  const owner = await readMarker(folder);
  if (owner === kind) return;
  if (owner !== undefined && !force) {
    throw new UserError(
      `${folder} holds ${owner}, not ${kind}: choose another folder with -o, or write into it with --force`,
    );
  }
  const others = entries.filter((name) => !name.startsWith(marker));
  if (others.length > 0 && !force) {
    throw new UserError(
      `${folder} is not empty and not a folder of toehold's (it holds ${others.slice(0, 2).join(', ')}${others.length > 2 ? ', ...' : ''}): choose another with -o, or write into it with --force`,
    );
  }
  await writeFileAtomic({ root: folder, file: marker }, `${kind}\n`);
}

async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError(error, folder);
  });
}

async function readMarker(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, marker), 'utf8').catch(() => undefined);
  return text?.slice(0, 40).trim();
}

/**
 * Makes a file the output of a command.
 * @param isOurs whether a file that is there is one that the command writes
 * @throws UserError for any other file unless forced; for an input and a folder always
 */
export async function claimFile(
  path: string,
  isOurs: (path: string) => Promise<boolean>,
  { force, inputs = [] }: ClaimOptions = {},
): Promise<void> {
  const real = await followed(resolve(path));
  for (const input of inputs) {
    if (input === undefined) continue;
    if ((await followed(resolve(input))) === real)
      throw new UserError(`${path} is the file that is read: name another`);
    await protectFile(input);
  }
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new UserError(`${path} is a folder where a file is needed`);
  if (!found || force || (found.isFile() && (found.size === 0 || (await isOurs(path))))) return;
  throw new UserError(
    `${path} is there and was not written by toehold: choose another name with -o, or replace it with --force`,
  );
}

function isWithin(folder: string, path: string): boolean {
  const inside = relative(folder, path);
  return inside === '' || !(inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside));
}
