/** JSON files that may be absent or broken. */
import { readFile } from 'node:fs/promises';
import { messageOf, UserError, WorkError } from './errors.js';
import { fileError } from './files.js';

/**
 * The parsed file, or undefined when there is none.
 * @param repair for files that toehold itself wrote: what to do about a broken one ('delete it and run again')
 * @throws UserError when a user's file is not JSON, WorkError when it is one of ours
 */
export async function readJson(path: string, repair?: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError(error, path);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = `${path} is not JSON: ${messageOf(error)}`;
    throw repair === undefined ? new UserError(reason) : new WorkError(`${reason}; ${repair}`);
  }
}
