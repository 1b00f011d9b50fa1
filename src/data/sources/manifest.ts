/** CSV manifests: one row an image. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, posix, relative, sep } from 'node:path';
import { parseCsvRows, readTextFile, UserError } from '../../base/index.js';
import type { Dataset, Example } from '../example.js';
import { canonicalSplits, isSplitName, spellingWarnings } from '../splits.js';
import { checkLabels, indexLabels } from '../targets.js';
import type { DataSource, OpenOptions } from './source.js';

interface Row {
  readonly line: number;
  readonly cells: Readonly<Record<string, string>>;
}

const ownColumns = new Set(['file', 'label', 'class', 'split', 'group']);

/** A CSV file, or the labels.csv of a folder. */
export const manifest: DataSource = {
  name: 'a .csv manifest',
  recognises: ({ path, entries }) => entries?.includes('labels.csv') ?? path.toLowerCase().endsWith('.csv'),
  open: ({ path, entries }, options) => readManifest(entries ? join(path, 'labels.csv') : path, options),
};

/**
 * Reads `file,label[,class,split,group,...]` with a header line. `file` is relative to the manifest's folder; labels
 * need not be numbers; without `label`, `class` is the label. Without `split`, a path that starts with train/, test/,
 * val/ or another usual name gives it, and everything else is 'train'. Other columns are kept in `extra`.
 *
 * @throws UserError naming the line when a column, a label or a file is missing or a label has two classes
 */
async function readManifest(path: string, { allowOutside = false, encoding }: OpenOptions = {}): Promise<Dataset> {
  const rows = await parseManifest(path, encoding);
  checkColumns(path, rows);
  const root = dirname(path);
  const drafts = rows.map((row) => draft(path, root, row));
  const outside = drafts.find(({ file }) => file.startsWith('../'));
  if (outside && !allowOutside) {
    throw new UserError(
      `${path} line ${outside.line}: ${outside.file} lies outside the manifest's folder; if the manifest is to be trusted, pass --allow-outside`,
    );
  }
  const splits = canonicalSplits(drafts.map((d) => d.split));
  const nameOf = classNames(path, drafts);
  checkLabels(nameOf.keys(), path);
  const { labels, indexOf } = indexLabels(nameOf.keys());
  await checkFiles(path, root, drafts);

  const other = Object.keys(rows[0]?.cells ?? {}).filter((name) => !ownColumns.has(name));
  const examples = drafts.map(({ file, label, split, cells }): Example => {
    const example = {
      file,
      image: join(root, file),
      label: indexOf.get(label) as number,
      class: nameOf.get(label) as string,
      split: splits.get(split) as string,
      extra: Object.fromEntries(other.map((name) => [name, cells[name] ?? ''])),
    };
    return cells.group ? { ...example, group: cells.group } : example;
  });
  const grouped = examples.filter((e) => e.group !== undefined).length;
  if (grouped > 0 && grouped < examples.length) {
    const at = examples.findIndex((e) => e.group === undefined);
    throw new UserError(`${path} line ${drafts[at]?.line}: group is empty; fill it in every row or drop the column`);
  }
  const classes = labels.map((label) => nameOf.get(label) as string);
  return { kind: 'class', root, classes, examples, warnings: spellingWarnings(splits) };
}

function checkColumns(path: string, rows: readonly Row[]): void {
  if (rows.length === 0) throw new UserError(`${path} lists no images; add rows under its header file,label`);
  const columns = Object.keys(rows[0]?.cells ?? {});
  for (const wanted of ['file', 'label']) {
    if (columns.includes(wanted) || (wanted === 'label' && columns.includes('class'))) continue;
    throw new UserError(
      `${path} has no column '${wanted}' (columns: ${columns.join(', ')}); its first line must be file,label[,class,split,group]`,
    );
  }
}

interface Draft extends Row {
  readonly file: string;
  readonly label: string;
  /** As written. */
  readonly split: string;
}

function draft(path: string, root: string, row: Row): Draft {
  const { cells, line } = row;
  const given = cells.file ?? '';
  if (!given) throw new UserError(`${path} line ${line}: file is empty; fill it in or remove the row`);
  const local = isAbsolute(given) ? relative(root, given).split(sep).join('/') : given;
  const file = posix.normalize(local);
  const label = ((cells.label ?? cells.class) || '').normalize('NFC');
  if (!label) throw new UserError(`${path} line ${line}: no label for ${file}; fill it in or remove the row`);
  if (cells.split === '') {
    throw new UserError(`${path} line ${line}: split is empty for ${file}; fill it in every row or drop the column`);
  }
  const [top = ''] = file.split('/');
  return { ...row, file, label, split: cells.split ?? (isSplitName(top) ? top : 'train') };
}

/** Label -> class name, which must be one to one. */
function classNames(path: string, drafts: readonly Draft[]): Map<string, string> {
  const nameOf = new Map<string, string>();
  const labelOf = new Map<string, string>();
  for (const { label, cells, line } of drafts) {
    const name = cells.class?.normalize('NFC') || label;
    const named = nameOf.get(label);
    const labelled = labelOf.get(name);
    if (named !== undefined && named !== name) {
      throw new UserError(`${path} line ${line}: label ${label} is class '${name}' here and '${named}' above`);
    }
    if (labelled !== undefined && labelled !== label) {
      throw new UserError(`${path} line ${line}: class '${name}' has label ${label} here and ${labelled} above`);
    }
    nameOf.set(label, name);
    labelOf.set(name, label);
  }
  return nameOf;
}

/** Every listed file is there, and none is listed under two labels. */
async function checkFiles(path: string, root: string, drafts: readonly Draft[]): Promise<void> {
  const first = new Map<string, Draft>();
  for (const d of drafts) {
    const earlier = first.get(d.file);
    if (earlier && earlier.label !== d.label) {
      throw new UserError(
        `${path} lines ${earlier.line} and ${d.line} give ${d.file} the labels ${earlier.label} and ${d.label}; keep one`,
      );
    }
    if (!earlier) first.set(d.file, d);
  }
  const folders = new Map<string, Set<string>>();
  for (const folder of new Set([...first.keys()].map((file) => posix.dirname(file)))) {
    folders.set(folder, new Set(await readdir(join(root, folder)).catch(() => [])));
  }
  const absent: Draft[] = [];
  for (const d of first.values()) {
    if (folders.get(posix.dirname(d.file))?.has(posix.basename(d.file))) continue;
    // A file system that ignores case or normalises Unicode may still know the file by this name.
    if (!(await stat(join(root, d.file)).catch(() => undefined))) absent.push(d);
  }
  const [one] = absent;
  if (one) {
    const what = absent.length === 1 ? 'a file that is' : `${absent.length} files that are`;
    const which = absent.length === 1 ? '' : 'the first is ';
    throw new UserError(
      `${path} lists ${what} not there: ${which}${one.file} (line ${one.line}); paths are relative to the manifest's folder`,
    );
  }
}

async function parseManifest(path: string, encoding: string | undefined): Promise<Row[]> {
  const [header, ...rows] = parseCsvRows(await readTextFile(path, encoding), path);
  const names = header?.cells ?? [];
  const repeated = names.find((name, i) => name !== '' && names.indexOf(name) !== i);
  if (repeated !== undefined) throw new UserError(`${path} has two columns '${repeated}'; rename one`);
  return rows.map(({ line, cells }) => {
    if (cells.length !== names.length) {
      throw new UserError(
        `${path} line ${line}: ${cells.length} cells do not fit the header; put quotes around cells that hold commas`,
      );
    }
    return { line, cells: Object.fromEntries(names.map((name, i) => [name, cells[i] as string])) };
  });
}
