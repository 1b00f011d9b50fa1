/** Names that users give (splits, taps, tasks, backbones, classes) as names of files and folders. */
import { createHash } from 'node:crypto';

/** Letters, digits, '_', '-' and '.', without a leading dot: such names are their own file names. */
const ordinary = /^[\p{L}\p{M}\p{N}_-][\p{L}\p{M}\p{N}._-]*$/u;
/** Names that Windows keeps for devices, with any ending. */
const device = /^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$/i;
const longest = 150;

/**
 * One path segment for any name: an ordinary name is its own, every other becomes what is readable of it, '~' and a hash
 * of the whole. Different names get different segments (apart from case, on file systems that ignore it); no segment is
 * hidden, leaves its folder, or is longer than 160 bytes.
 * @param taken names of files that lie in the same folder already; they count as not ordinary
 */
export function nameForFile(name: string, taken: readonly string[] = []): string {
  const isOwn =
    ordinary.test(name) &&
    !name.endsWith('.') &&
    !device.test(name) &&
    name === name.normalize('NFC') &&
    Buffer.byteLength(name) <= longest &&
    !taken.includes(name.toLowerCase());
  if (isOwn) return name;
  const readable = name.replace(/[^A-Za-z0-9._-]+/g, '_').replace(/^\.+/, '');
  return `${readable.slice(-60)}~${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}
