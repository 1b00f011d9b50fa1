/** Data sets whose labels are folder names. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileError, UserError } from '../../base/index.js';
import type { Dataset, Example } from '../example.js';
import { canonicalSplits, isSplitName, spellingWarnings } from '../splits.js';
import { indexLabels } from '../targets.js';
import { byCodePoint, counted } from '../text.js';
import type { DataSource, Place } from './source.js';

/** Formats that the decoder reads, by their usual endings. */
const imageEndings = new Set(['.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.webp', '.tif', '.tiff', '.gif', '.avif']);
const otherEndings = ['.bmp', '.heic', '.heif', '.ppm', '.pgm', '.jp2', '.jxl', '.svg', '.ico', '.psd', '.dcm', '.raw'];
const otherImages = new Set(otherEndings);

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

/** A folder of class folders, with or without train/, val/ and test/ (by any usual name) above them. */
export const folder: DataSource = {
  name: 'a folder of images',
  recognises: ({ entries }) => entries !== undefined && !entries.includes('labels.csv'),
  open: readFolder,
};

interface Found {
  readonly file: string;
  readonly class: string;
  readonly split: string;
}

/**
 * A class called 'train' is not a split as long as other classes lie beside it.
 * @throws UserError when there are no images, or images without a class
 */
async function readFolder({ path: root, shown }: Place): Promise<Dataset> {
  const top = await list(root);
  const splits = await splitFolders(root, shown, top);
  const found: Found[] = [];
  const others: string[] = [];
  const parts = splits ?? [{ prefix: '', split: 'train', classes: top.folders }];
  for (const { prefix, split, classes } of parts) {
    const before = found.length;
    for (const name of classes) {
      await walk(root, `${prefix}${name}`, others, (file) => found.push({ file, class: name, split }));
    }
    if (splits && found.length === before) throw new UserError(`${shown}/${prefix} holds no images; ${howTo}`);
  }
  if (found.length === 0) throw nothingFound(shown, top, others);
  const { labels: classes, indexOf } = indexLabels(found.map((f) => f.class));
  const examples = found.map(
    (f): Example => ({ ...f, image: join(root, f.file), label: indexOf.get(f.class) as number, extra: {} }),
  );
  return { kind: 'class', root, classes, examples, warnings: warningsOf(shown, top, splits !== undefined, others) };
}

/** The folders that are splits, by name and content; undefined when the top folders are classes. */
async function splitFolders(root: string, shown: string, top: Listing) {
  const names = top.folders.filter(isSplitName);
  if (names.length === 0) return undefined;
  const listings = await Promise.all(names.map((name) => list(join(root, name))));
  const bad = listings.findIndex((l) => l.folders.length === 0 || l.images.length > 0);
  if (bad < 0) {
    const canonical = canonicalSplits(names);
    return names.map((name, i) => ({
      prefix: `${name}/`,
      split: canonical.get(name) as string,
      classes: (listings[i] as Listing).folders,
    }));
  }
  if (names.length < top.folders.length) return undefined;
  const where = `${shown}/${names[bad]}`;
  if ((listings[bad] as Listing).images.length === 0) throw new UserError(`${where} holds no images; ${howTo}`);
  throw new UserError(`labels are missing: images lie directly in ${where}; ${howTo}`);
}

function nothingFound(shown: string, top: Listing, others: readonly string[]): UserError {
  if (top.images.length > 0) return new UserError(`labels are missing: images lie directly in ${shown}; ${howTo}`);
  const hint = others[0] ? ` (${others[0]} is in a format that is not read: convert it to PNG)` : '';
  return new UserError(`${shown} holds no images${hint}; ${howTo}`);
}

function warningsOf(shown: string, top: Listing, bySplit: boolean, others: readonly string[]): string[] {
  const warnings: string[] = [];
  if (top.images.length > 0) {
    warnings.push(`${counted(top.images.length, 'image')} directly in ${shown} without a class: left out`);
  }
  if (bySplit) {
    warnings.push(...spellingWarnings(canonicalSplits(top.folders.filter(isSplitName))));
    const rest = top.folders.filter((name) => !isSplitName(name));
    if (rest.length > 0) warnings.push(`folders beside the splits are left out: ${rest.slice(0, 5).join(', ')}`);
  }
  if (others.length > 0) {
    warnings.push(
      `${counted(others.length, 'file')} in a format that is not read: left out (${others[0]}${others.length > 1 ? ', ...' : ''})`,
    );
  }
  return warnings;
}

/** Visits every image below a folder, depth first in code-point order. */
async function walk(root: string, below: string, others: string[], visit: (file: string) => void): Promise<void> {
  const listing = await list(join(root, below));
  for (const name of listing.images) visit(`${below}/${name}`);
  for (const name of listing.others) others.push(`${below}/${name}`);
  for (const name of listing.folders) await walk(root, `${below}/${name}`, others, visit);
}
