/** Data sets that are one file or several: shards by a pattern, or those of a folder. */
import { join, posix, relative, sep } from 'node:path';
import { UserError } from '../../base/index.js';
import { isSplitName } from '../splits.js';
import { byCodePoint } from '../text.js';
import type { Place } from './source.js';

export interface Shard {
  /** Absolute. */
  readonly path: string;
  /** Relative to the data set's folder, with forward slashes. */
  readonly file: string;
}

/** The named files, or the entries of a folder, that a test on their base name lets through; in code-point order. */
export function shardsOf(place: Place, fits: (name: string) => boolean): Shard[] {
  const root = rootOf(place);
  const paths = place.files ?? (place.entries ?? []).map((entry) => join(place.path, entry));
  return paths
    .map((path) => ({ path, file: relative(root, path).split(sep).join('/') }))
    .filter(({ file }) => fits(posix.basename(file)))
    .sort((a, b) => byCodePoint(a.file, b.file));
}

/** The folder that files of a place are named relative to. */
export function rootOf({ path, entries }: Place): string {
  return entries ? path : posix.dirname(path.split(sep).join('/'));
}

/** Folders, besides those that are called as splits are, that a data set may keep its files in. */
export function isInnerFolder(name: string): boolean {
  return /^(data|annotations|default)$/i.test(name);
}

/**
 * Whether a place is a folder with such files, or nothing but such files. Where folders of other names lie beside them, those are
 * classes, and the files are left over from somebody's download.
 */
export function isOf(place: Place, fits: (name: string) => boolean): boolean {
  const base = (path: string) => posix.basename(path.split(sep).join('/'));
  if (place.files) return place.files.every((path) => fits(base(path)));
  const hasClasses = place.folders?.some(
    (name) => !name.startsWith('.') && (name.includes('/') || !(isSplitName(name) || isInnerFolder(name))),
  );
  return !hasClasses && (place.entries?.some((entry) => fits(base(entry))) ?? false);
}

const braces = /^(.*?)\{([^{}]*)\}(.*)$/s;

/**
 * `{000..012}` and `{a,b}` as shells expand them.
 * @throws UserError for a range of more than a million
 */
export function expandBraces(pattern: string): string[] {
  const [, before = '', inner, after = ''] = braces.exec(pattern) ?? [];
  if (inner === undefined) return [pattern];
  const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(inner) ?? [];
  const words = from !== undefined && to !== undefined ? range(from, to, pattern) : inner.split(',');
  return words.flatMap((word) => expandBraces(`${before}${word}${after}`));
}

function range(from: string, to: string, pattern: string): string[] {
  const [first, last] = [Number(from), Number(to)];
  const count = Math.abs(last - first) + 1;
  if (count > 1e6) throw new UserError(`${pattern} names ${count} files; name a folder instead`);
  const step = last < first ? -1 : 1;
  return Array.from({ length: count }, (_, i) => String(first + step * i).padStart(from.length, '0'));
}
