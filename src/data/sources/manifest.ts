/** Manifests: tables with one row an image. */
import { dirname, join } from 'node:path';
import type { Dataset, UnlabelledDataset } from '../example.js';
import { datasetOf, unlabelledOf } from './listed.js';
import type { DataSource, OpenOptions } from './source.js';
import { isTable } from './table.js';
import { listTable } from './table-rows.js';

/** A table of its own, or the labels.csv of a folder. */
export const manifest: DataSource = {
  name: 'a manifest (.csv, .tsv, .jsonl)',
  recognises: ({ path, entries }) => entries?.includes('labels.csv') ?? isTable(path),
  open: ({ path, entries }, options) => readManifest(entries ? join(path, 'labels.csv') : path, options),
};

/**
 * Reads `file,label[,class,split,group,...]` with a header line, its columns by any usual name (see columns.ts). `file` is
 * relative to the manifest's folder; labels need not be numbers; without `label`, `class` is the label. Without `split`, a
 * path that starts with train/, test/, val/ or another usual name gives it, and everything else is 'train'. Other columns
 * are kept in `extra`. Without a label, a class or any other column, the images have no labels.
 *
 * @throws UserError naming the line when a column, a label or a file is missing or a label has two classes
 */
async function readManifest(path: string, options: OpenOptions = {}): Promise<Dataset | UnlabelledDataset> {
  const root = dirname(path);
  const table = await listTable(path, { root }, options);
  if ('unlabelled' in table) return unlabelledOf(root, path, table.unlabelled, table.why, table.warnings);
  return datasetOf(root, path, table.listed, table.warnings);
}
