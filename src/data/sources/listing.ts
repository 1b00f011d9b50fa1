/** What lies in folders of images: every file is an image, or is counted. */
import { open, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileError } from '../../base/index.js';
import { formatNames, formatOf, headLength, imageEndings } from '../format.js';
import { byCodePoint, counted } from '../text.js';

/** What is left out, by what it is; paths from where the listing began. */
export class LeftOut {
  /** Files that are no images of a format that is read. */
  readonly files: string[] = [];
  /** Links that lead nowhere, pipes, devices. */
  readonly odd: string[] = [];
  /** Links to a folder above them. */
  readonly loops: string[] = [];

  warnings(): string[] {
    const said = (names: readonly string[], one: string, many: string): string[] => {
      if (names.length === 0) return [];
      const shown = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', ...' : ''}`;
      return [`${names.length === 1 ? `1 ${one}` : `${names.length} ${many}`}: left out (${shown})`];
    };
    return [
      ...said(this.files, `file is no image (${formatNames})`, `files are no images (${formatNames})`),
      ...said(
        this.odd,
        'entry is neither a file nor a folder, or a link that leads nowhere',
        'entries are neither files nor folders, or links that lead nowhere',
      ),
      ...said(this.loops, 'link leads to a folder that it lies in', 'links lead to folders that they lie in'),
    ];
  }
}

export interface Listing {
  readonly folders: readonly string[];
  readonly images: readonly string[];
}

/** What lies directly in a folder, in code-point order; hidden entries are passed over. Symbolic links are followed. */
export async function listFolder(path: string, shown: string, leftOut: LeftOut): Promise<Listing> {
  const listing = { folders: [] as string[], images: [] as string[] };
  const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
    throw fileError(error, path);
  });
  for (const entry of entries.sort((a, b) => byCodePoint(a.name, b.name))) {
    const { name } = entry;
    if (name.startsWith('.')) continue;
    const kind = entry.isSymbolicLink() ? await stat(join(path, name)).catch(() => undefined) : entry;
    if (kind?.isDirectory()) listing.folders.push(name);
    else if (!kind?.isFile()) leftOut.odd.push(`${shown}${name}`);
    else if (imageEndings.has(extname(name).toLowerCase()) || (await isImage(join(path, name)))) {
      listing.images.push(name);
    } else leftOut.files.push(`${shown}${name}`);
  }
  return listing;
}

async function isImage(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return false;
  try {
    const head = Buffer.alloc(headLength);
    const { bytesRead } = await file.read(head, 0, headLength, 0);
    return formatOf(head.subarray(0, bytesRead)) !== undefined;
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

/**
 * Visits every image below a folder, depth first in code-point order. A link to a folder above it is not followed.
 * @param below the folder, relative to `root`; '' for the root itself
 */
export async function walkImages(
  root: string,
  below: string,
  leftOut: LeftOut,
  visit: (file: string) => void,
): Promise<void> {
  const parts = below === '' ? [] : below.split('/');
  const above = parts.map((_, i) => identityOf(join(root, ...parts.slice(0, i))));
  await walk(root, below, leftOut, visit, await Promise.all(above));
}

/** The same for two paths of one folder. */
async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true }).catch((error) => {
    throw fileError(error, path);
  });
  return `${dev}:${ino}`;
}

async function walk(
  root: string,
  below: string,
  leftOut: LeftOut,
  visit: (file: string) => void,
  above: readonly string[],
): Promise<void> {
  const path = join(root, below);
  const id = await identityOf(path);
  if (above.includes(id)) {
    leftOut.loops.push(below);
    return;
  }
  const prefix = below === '' ? '' : `${below}/`;
  const { images, folders } = await listFolder(path, prefix, leftOut);
  for (const name of images) visit(`${prefix}${name}`);
  for (const name of folders) await walk(root, `${prefix}${name}`, leftOut, visit, [...above, id]);
}

export function imagesWithoutClass(count: number, where: string): string[] {
  return count === 0 ? [] : [`${counted(count, 'image')} directly in ${where} without a class: left out`];
}

/** Every image below a folder, by its path from there, and what was left out. */
export async function imagesBelow(folder: string): Promise<{ files: string[]; warnings: string[] }> {
  const files: string[] = [];
  const leftOut = new LeftOut();
  await walkImages(folder, '', leftOut, (file) => files.push(file));
  return { files, warnings: leftOut.warnings() };
}
