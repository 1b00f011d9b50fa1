/** Data sets whose labels are folder names. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileError, UserError } from '../base/index.js';
import { byCodePoint, counted, type Dataset, type Example, sortLabels, splitNamed } from './example.js';

/** Formats that the decoder reads, by their usual endings. */
const imageEndings = new Set('.jpg .jpeg .jpe .jfif .png .webp .tif .tiff .gif .avif'.split(' '));
const otherImages = new Set('.bmp .heic .heif .ppm .pgm .jp2 .jxl .svg .ico .psd .dcm .raw'.split(' '));

interface Listing {
  readonly folders: string[];
  readonly images: string[];
  /** Images in formats that are not read. */
  readonly others: string[];
}

/** What lies directly in a folder, in code-point order; hidden entries and non-images are passed over. */
async function list(path: string): Promise<Listing> {
  const listing: Listing = { folders: [], images: [], others: [] };
  const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
    throw fileError(error, path);
  });
  for (const entry of entries.sort((a, b) => byCodePoint(a.name, b.name))) {
    if (entry.name.startsWith('.')) continue;
    const kind = entry.isSymbolicLink() ? await stat(join(path, entry.name)).catch(() => undefined) : entry;
    const ending = extname(entry.name).toLowerCase();
    if (kind?.isDirectory()) listing.folders.push(entry.name);
    else if (kind?.isFile() && imageEndings.has(ending)) listing.images.push(entry.name);
    else if (kind?.isFile() && otherImages.has(ending)) listing.others.push(entry.name);
  }
  return listing;
}

const howTo = 'put the images of each class in a folder of its own, or add labels.csv with columns file,label';

/**
 * Reads class folders, with or without train/, test/ and val/ above them. A class called 'train' is no split as long
 * as other classes lie beside it.
 * @param shown how messages name the folder
 * @throws UserError when there are no images, or images without a class
 */
export async function readFolder(root: string, shown: string): Promise<Dataset> {
  const top = await list(root);
  const splitFolders = top.folders.filter((name) => splitNamed(name) !== undefined);
  const listings = await Promise.all(splitFolders.map((name) => list(join(root, name))));
  const bySplit = splitFolders.length > 0 && listings.every((l) => l.folders.length > 0 && l.images.length === 0);

  if (!bySplit && splitFolders.length > 0 && splitFolders.length === top.folders.length) {
    const at = listings.findIndex((l) => l.images.length > 0 || l.folders.length === 0);
    const where = `${shown}/${splitFolders[at]}`;
    if ((listings[at] as Listing).images.length === 0) throw new UserError(`${where} holds no images; ${howTo}`);
    throw new UserError(`labels are missing: images lie directly in ${where}; ${howTo}`);
  }
  const found: { file: string; class: string; split: string }[] = [];
  const others: string[] = [];
  const sources = bySplit
    ? splitFolders.map((name, i) => ({ prefix: `${name}/`, split: splitNamed(name) as string, listing: listings[i] }))
    : [{ prefix: '', split: 'train', listing: top }];
  for (const { prefix, split, listing } of sources) {
    const before = found.length;
    for (const name of (listing as Listing).folders) {
      await walk(root, `${prefix}${name}`, others, (file) => found.push({ file, class: name, split }));
    }
    if (bySplit && found.length === before) throw new UserError(`${shown}/${prefix} holds no images; ${howTo}`);
  }
  if (found.length === 0) {
    if (top.images.length > 0) {
      throw new UserError(`labels are missing: images lie directly in ${shown}; ${howTo}`);
    }
    const hint = others[0] ? ` (${others[0]} is in a format that is not read: convert it to PNG)` : '';
    throw new UserError(`${shown} holds no images${hint}; ${howTo}`);
  }
  const classes = sortLabels(new Set(found.map((f) => f.class)));
  const labels = new Map(classes.map((name, i) => [name, i]));
  const examples = found.map((f): Example => ({ ...f, label: labels.get(f.class) as number, extra: {} }));
  const warnings: string[] = [];
  if (top.images.length > 0) {
    warnings.push(`${counted(top.images.length, 'image')} directly in ${shown} without a class: left out`);
  }
  if (bySplit && splitFolders.length < top.folders.length) {
    const rest = top.folders.filter((name) => splitNamed(name) === undefined);
    warnings.push(`folders beside the splits are left out: ${rest.slice(0, 5).join(', ')}`);
  }
  if (others.length > 0) {
    warnings.push(
      `${counted(others.length, 'file')} in a format that is not read: left out (${others[0]}${others.length > 1 ? ', ...' : ''})`,
    );
  }
  return { root, classes, examples, warnings };
}

/** Visits every image below `folder`, depth first in code-point order. */
async function walk(root: string, folder: string, others: string[], visit: (file: string) => void): Promise<void> {
  const listing = await list(join(root, folder));
  for (const name of listing.images) visit(`${folder}/${name}`);
  for (const name of listing.others) others.push(`${folder}/${name}`);
  for (const name of listing.folders) await walk(root, `${folder}/${name}`, others, visit);
}
