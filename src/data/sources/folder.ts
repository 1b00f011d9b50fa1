/** Data sets whose labels are folder names. */
import { join } from 'node:path';
import { UserError } from '../../base/index.js';
import type { Dataset, Example } from '../example.js';
import { formatNames } from '../format.js';
import { canonicalSplits, isSplitName, spellingWarnings } from '../splits.js';
import { indexLabels } from '../targets.js';
import { counted, quoteSome } from '../text.js';
import { imagesWithoutClass, LeftOut, type Listing, listFolder, walkImages } from './listing.js';
import type { DataSource, Place } from './source.js';

const howTo = 'put the images of each class in a folder of its own, or add labels.csv with columns file,label';

/** A folder of class folders, with or without train/, val/ and test/ (by any usual name) above them. */
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
 * @throws UserError when there are no images, or images without a class
 */
async function readFolder({ path: root, shown }: Place): Promise<Dataset> {
  const leftOut = new LeftOut();
  const top = await listFolder(root, '', leftOut);
  const splits = await splitFolders(root, shown, top, leftOut);
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
    if (splits && found.length === before) throw new UserError(`${shown}/${prefix} holds no images; ${howTo}`);
  }
  if (found.length === 0) throw nothingFound(shown, top, leftOut);
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

/** The folders that are splits, by name and content; undefined when the top folders are classes. */
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
  const where = `${shown}/${names[bad]}`;
  if ((listings[bad] as Listing).images.length === 0) throw new UserError(`${where} holds no images; ${howTo}`);
  throw new UserError(`labels are missing: images lie directly in ${where}; ${howTo}`);
}

function nothingFound(shown: string, top: Listing, { files }: LeftOut): UserError {
  if (top.images.length > 0) return new UserError(`labels are missing: images lie directly in ${shown}; ${howTo}`);
  const hint = files[0] ? ` (${files[0]} is none of ${formatNames}: convert it to PNG)` : '';
  return new UserError(`${shown} holds no images${hint}; ${howTo}`);
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
