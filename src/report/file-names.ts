/** Names that users give, as parts of file names. */
import { createHash } from 'node:crypto';

/**
 * A name as one part of a file name: ordinary lower-case names are their own, every other becomes what is readable of it,
 * '~' and a hash. Different names get different parts, also where file systems ignore case; none leaves its folder.
 */
export function slug(name: string): string {
  if (/^[a-z0-9_][a-z0-9._-]{0,99}$/.test(name) && !name.endsWith('.')) return name;
  const readable = name
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  return `${readable}~${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
}
