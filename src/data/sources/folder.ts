/** Folders of images: labels are the names of folders, where images lie in some. */
import { join } from 'node:path';
import { UserError } from '../../base/index.js';
import type { Dataset, Example, UnlabelledDataset } from '../example.js';
import { formatNames } from '../format.js';
import { canonicalSplits, isSplitName, spellingWarnings } from '../splits.js';
import { indexLabels } from '../targets.js';
import { counted, quoteSome } from '../text.js';
import { type ListedImage, labelsNotAsked, splitOfPath, unlabelledOf, type WithoutLabels } from './listed.js';
import { imagesWithoutClass, LeftOut, type Listing, listFolder, walkImages } from './listing.js';
import type { DataSource, OpenOptions, Place } from './source.js';

const remedy = 'put the images of each class in a folder of its own, or add labels.csv with columns file,label';

/**
 * A folder of class folders, with or without train/, val/ and test/ (by any usual name) above them. Images that lie directly in
 * the folder, or directly in its splits, have no labels where no class folder holds any.
 */
export const folder: DataSource = {
  name: 'a folder of images',
  recognises: ({ entries }) => entries !== undefined,
  open: readFolder,
};

interface Found {
  readonly file: string;
  readonly class: string;
  readonly split: string;
}

/**
 * A class called 'train' is not a split as long as other classes lie beside it.
 * @throws UserError when there are no images, or some have a class and others none
 */
async function readFolder(
  { path: root, shown }: Place,
  { target }: OpenOptions = {},
): Promise<Dataset | UnlabelledDataset> {
  if (target === 'none') return everyImage(root, shown, labelsNotAsked);
  const leftOut = new LeftOut();
  const top = await listFolder(root, '', leftOut);
  const splits = await splitFolders(root, shown, top, leftOut);
  if (typeof splits === 'string') return everyImage(root, shown, { reason: splits, remedy });
  const found: Found[] = [];
  const empty: string[] = [];
  const parts = splits ?? [{ prefix: '', split: 'train', classes: top.folders }];
  for (const { prefix, split, classes } of parts) {
    const before = found.length;
    for (const name of classes) {
      const own = found.length;
      await walkImages(root, `${prefix}${name}`, leftOut, (file) =>
        found.push({ file, class: name.normalize('NFC'), split }),
      );
      if (found.length === own) empty.push(`${prefix}${name}`);
    }
    if (splits && found.length === before) throw new UserError(`${shown}/${prefix} holds no images; ${remedy}`);
  }
  if (found.length === 0 && top.images.length > 0)
    return everyImage(root, shown, { reason: `images lie directly in ${shown}`, remedy });
  if (found.length === 0) throw nothingFound(shown, leftOut);
  const { labels: classes, indexOf } = indexLabels(found.map((f) => f.class));
  const examples = found.map(
    (f): Example => ({ ...f, image: join(root, f.file), label: indexOf.get(f.class) as number, extra: {} }),
  );
  const warnings = [
    ...imagesWithoutClass(top.images.length, shown),
    ...(splits ? splitWarnings(top) : []),
    ...emptyWarnings(empty),
    ...leftOut.warnings(),
  ];
  return { kind: 'class', root, classes, examples, warnings };
}

/** All images of a folder without a label each; those below a folder that is called as a split are of that split. */
async function everyImage(root: string, shown: string, why: WithoutLabels): Promise<UnlabelledDataset> {
  const leftOut = new LeftOut();
  const images: ListedImage[] = [];
  await walkImages(root, '', leftOut, (file) =>
    images.push({ file, image: join(root, file), split: splitOfPath(file), at: file }),
  );
  if (images.length === 0) throw nothingFound(shown, leftOut);
  return unlabelledOf(root, shown, images, why, leftOut.warnings());
}

/**
 * The folders that are splits, by name and content; undefined when the top folders are classes, a sentence when no split
 * has any class.
 */
async function splitFolders(root: string, shown: string, top: Listing, leftOut: LeftOut) {
  const names = top.folders.filter(isSplitName);
  if (names.length === 0) return undefined;
  const beside = new LeftOut();
  const listings = await Promise.all(names.map((name) => listFolder(join(root, name), `${name}/`, beside)));
  const bad = listings.findIndex((l) => l.folders.length === 0 || l.images.length > 0);
  if (bad < 0) {
    const canonical = canonicalSplits(names);
    // What lies beside the class folders of a split is walked by nobody else.
    leftOut.files.push(...beside.files);
    leftOut.odd.push(...beside.odd);
    return names.map((name, i) => ({
      prefix: `${name}/`,
      split: canonical.get(name) as string,
      classes: (listings[i] as Listing).folders,
    }));
  }
  if (names.length < top.folders.length) return undefined;
  const flat = listings.findIndex((l) => l.images.length > 0);
  if (flat >= 0 && listings.every((l) => l.folders.length === 0))
    return `images lie directly in ${shown}/${names[flat]}`;
  const where = `${shown}/${names[bad]}`;
  if ((listings[bad] as Listing).images.length === 0) throw new UserError(`${where} holds no images; ${remedy}`);
  throw new UserError(`labels are missing: images lie directly in ${where}; ${remedy}`);
}

function nothingFound(shown: string, { files }: LeftOut): UserError {
  const hint = files[0] ? ` (${files[0]} is none of ${formatNames}: convert it to PNG)` : '';
  return new UserError(`${shown} holds no images${hint}; ${remedy}`);
}

function splitWarnings(top: Listing): string[] {
  const rest = top.folders.filter((name) => !isSplitName(name));
  return [
    ...spellingWarnings(canonicalSplits(top.folders.filter(isSplitName))),
    ...(rest.length > 0 ? [`${counted(rest.length, 'folder')} beside the splits: left out (${quoteSome(rest)})`] : []),
  ];
}

function emptyWarnings(empty: readonly string[]): string[] {
  if (empty.length === 0) return [];
  const what = empty.length === 1 ? '1 class folder holds' : `${empty.length} class folders hold`;
  return [`${what} no images: left out (${quoteSome(empty)})`];
}
