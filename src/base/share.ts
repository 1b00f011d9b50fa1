/** A share of work that several processes divide among them. */
import { UserError } from './errors.js';

/** Index (from 0) of a share, and how many there are. */
export interface Share {
  readonly index: number;
  readonly count: number;
}

/** "0/4" -> the first of four. @throws UserError for anything else, naming the flag. */
export function parseShare(text: string, flag: string): Share {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [index, count] = [Number(i), Number(n)];
  if (i === undefined || count < 1 || index >= count) {
    throw new UserError(`${flag} ${text} is not i/n with i from 0 to n - 1, for example ${flag} 0/4`);
  }
  return { index, count };
}
