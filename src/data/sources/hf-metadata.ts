/** Folders of images as Hugging Face's `imagefolder` has them: metadata.csv or metadata.jsonl beside the images. */
import { join, posix } from 'node:path';
import type { Dataset, UnlabelledDataset } from '../example.js';
import { datasetOf, unlabelledOf } from './listed.js';
import type { DataSource, OpenOptions, Place } from './source.js';
import { listTable } from './table-rows.js';

const name = /^metadata\.(csv|jsonl)$/;
const tablesOf = ({ entries = [] }: Place) => entries.filter((entry) => name.test(posix.basename(entry)));

/** One metadata file for all, or one in each folder that is called as splits are. */
export const hfMetadata: DataSource = {
  name: 'a folder with metadata.csv or metadata.jsonl',
  recognises: (place) => tablesOf(place).length > 0,
  open: readMetadata,
};

/** Paths are relative to the table's own folder; where it has no label, the folders of its images are the classes. */
async function readMetadata(place: Place, options?: OpenOptions): Promise<Dataset | UnlabelledDataset> {
  const { path: root, shown } = place;
  const tables = await Promise.all(
    tablesOf(place).map((table) => {
      const folder = posix.dirname(table);
      const below = folder === '.' ? '' : `${folder}/`;
      return listTable(join(root, table), { root, below, foldersAreClasses: true }, options);
    }),
  );
  const warnings = tables.flatMap((t) => t.warnings);
  const [first] = tables;
  if (first && 'unlabelled' in first) {
    const images = tables.flatMap((t) => ('unlabelled' in t ? t.unlabelled : t.listed));
    return unlabelledOf(root, shown, images, first.why, warnings);
  }
  const listed = tables.flatMap((t) => ('listed' in t ? t.listed : []));
  return datasetOf(root, shown, listed, warnings);
}
