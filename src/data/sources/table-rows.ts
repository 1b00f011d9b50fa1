/** Rows of a table that name image files -> examples. */
import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import { UserError } from '../../base/index.js';
import { isSplitName } from '../splits.js';
import { type Columns, parseColumns, recogniseColumns } from './columns.js';
import { type Listed, type ListedImage, labelsNotAsked, splitOfPath, type WithoutLabels } from './listed.js';
import type { OpenOptions } from './source.js';
import { readTable, type TableRow } from './table.js';

interface TablePlace {
  /** Folder of the data set: what examples are named relative to. */
  readonly root: string;
  /** Folder below it that the paths of the table are relative to, with a slash at its end. */
  readonly below?: string;
  /** Where the table has no label, the folder that an image lies in is its class. */
  readonly foldersAreClasses?: boolean;
}

interface DraftImage extends TableRow {
  readonly file: string;
  /** As written. */
  readonly split: string;
}

interface Draft extends DraftImage {
  readonly label: string;
  readonly class: string | undefined;
}

/** What a table lists. */
export type ListedTable = { readonly warnings: readonly string[] } & (
  | { readonly listed: readonly Listed[] }
  /** The table has no column that could be a label, or none is to be read. */
  | { readonly unlabelled: readonly ListedImage[]; readonly why: WithoutLabels }
);

/** @throws UserError naming the line when a column, a label or a file is missing */
export async function listTable(
  path: string,
  { root, below = '', foldersAreClasses = false }: TablePlace,
  { allowOutside = false, encoding, columns: asked = '', target }: OpenOptions = {},
): Promise<ListedTable> {
  const { columns: names, rows } = await readTable(path, encoding);
  if (rows.length === 0) throw new UserError(`${path} lists no images; add rows under its header file,label`);
  const recognise = (wanted: readonly ('path' | 'label')[]) =>
    recogniseColumns(
      names,
      rows.map((row) => row.cells),
      asked === '' ? {} : parseColumns(asked),
      path,
      wanted,
    );
  const withoutLabel = recognise(['path']);
  const isUnlabelled = target === 'none' || (!foldersAreClasses && !couldHaveLabels(withoutLabel.columns, names));
  const { columns, warnings } = isUnlabelled || foldersAreClasses ? withoutLabel : recognise(['path', 'label']);
  const images = rows.map((row) => draftImage(path, root, below, row, columns));
  const drafts = isUnlabelled ? [] : images.map((image) => labelled(path, image, columns));
  const outside = images.find(({ file }) => file.startsWith('../'));
  if (outside && !allowOutside) {
    throw new UserError(
      `${path} line ${outside.line}: ${outside.file} lies outside the manifest's folder; if the manifest is to be trusted, pass --allow-outside`,
    );
  }
  checkLabelsOfFiles(path, drafts);
  await checkFiles(path, root, images);
  const known = new Set(Object.values(columns));
  const other = names.filter((name) => !known.has(name));
  const listed = images.map(
    ({ file, split, line, cells }): ListedImage => ({
      file,
      image: join(root, file),
      split,
      group: columns.group && cells[columns.group],
      extra: Object.fromEntries(other.map((column) => [column, cells[column] ?? ''])),
      at: `${path} line ${line}`,
    }),
  );
  if (isUnlabelled) {
    const reason = `${path} has no column 'label' (columns: ${names.join(', ')})`;
    return { unlabelled: listed, why: target === 'none' ? labelsNotAsked : { reason, remedy: 'add one' }, warnings };
  }
  return {
    listed: drafts.map(({ label, class: name }, i) => ({ ...(listed[i] as ListedImage), label, class: name })),
    warnings,
  };
}

/** Whether a table has a label, or a column that might be meant as one. */
function couldHaveLabels(columns: Columns, names: readonly string[]): boolean {
  const { label, class: name, ...others } = columns;
  const known: readonly string[] = Object.values(others);
  return label !== undefined || name !== undefined || names.some((column) => column !== '' && !known.includes(column));
}

function draftImage(path: string, root: string, below: string, row: TableRow, columns: Columns): DraftImage {
  const { cells, line } = row;
  const given = cells[columns.path ?? ''] ?? '';
  if (!given) throw new UserError(`${path} line ${line}: ${columns.path} is empty; fill it in or remove the row`);
  const local = isAbsolute(given) ? relative(root, given).split(sep).join('/') : `${below}${given}`;
  const file = posix.normalize(local);
  const split = columns.split && cells[columns.split];
  if (split === '' || (columns.split && split === undefined)) {
    throw new UserError(
      `${path} line ${line}: ${columns.split} is empty for ${file}; fill it in every row or drop the column`,
    );
  }
  return { ...row, file, split: split ?? splitOfPath(file) };
}

/** A row with its label: of the table, or else the folder that the image lies in. */
function labelled(path: string, image: DraftImage, columns: Columns): Draft {
  const { cells, line, file } = image;
  const folders = file.split('/').slice(0, -1);
  const written = columns.label ?? columns.class;
  const cell = written === undefined ? folders.filter((name) => !isSplitName(name)).at(-1) : cells[written];
  const label = (cell || '').normalize('NFC');
  if (!label)
    throw new UserError(
      `${path} line ${line}: no label for ${file}; fill it in ('|' alone where none of several labels is true) or remove the row`,
    );
  if (/^[[{]/.test(label) && isJson(label)) {
    throw new UserError(
      `${path} line ${line}: the label of ${file} is a list; toehold learns one class an image: name another column with --columns label=NAME`,
    );
  }
  return { ...image, label, class: columns.class && cells[columns.class]?.normalize('NFC') };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** No file is listed under two labels. */
function checkLabelsOfFiles(path: string, drafts: readonly Draft[]): void {
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
}

/** Every listed file is there. */
async function checkFiles(path: string, root: string, images: readonly DraftImage[]): Promise<void> {
  const absent = await absentFiles(root, [...new Set(images.map(({ file }) => file))]);
  const one = images.find(({ file }) => file === absent[0]);
  if (one) {
    const what = absent.length === 1 ? 'a file that is' : `${absent.length} files that are`;
    const which = absent.length === 1 ? '' : 'the first is ';
    throw new UserError(
      `${path} lists ${what} not there: ${which}${one.file} (line ${one.line}); paths are relative to the manifest's folder`,
    );
  }
}

/** Those of some files that are not there, in their order; folders are listed once. */
export async function absentFiles(root: string, files: readonly string[]): Promise<string[]> {
  const folders = new Map<string, Set<string>>();
  for (const folder of new Set(files.map((file) => posix.dirname(file)))) {
    folders.set(folder, new Set(await readdir(join(root, folder)).catch(() => [])));
  }
  const absent: string[] = [];
  for (const file of files) {
    if (folders.get(posix.dirname(file))?.has(posix.basename(file))) continue;
    // A file system that ignores case or normalises Unicode may still know the file by this name.
    if (!(await stat(join(root, file)).catch(() => undefined))) absent.push(file);
  }
  return absent;
}
