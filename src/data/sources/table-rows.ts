/** Rows of a table that name image files -> examples. */
import { readdir, stat } from 'node:fs/promises';
import { isAbsolute, join, posix, relative, sep } from 'node:path';
import { UserError } from '../../base/index.js';
import { isSplitName } from '../splits.js';
import { type Columns, parseColumns, recogniseColumns } from './columns.js';
import type { Listed } from './listed.js';
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

interface Draft extends TableRow {
  readonly file: string;
  readonly label: string;
  readonly class: string | undefined;
  /** As written. */
  readonly split: string;
}

/** @throws UserError naming the line when a column, a label or a file is missing */
export async function listTable(
  path: string,
  { root, below = '', foldersAreClasses = false }: TablePlace,
  { allowOutside = false, encoding, columns: asked = '' }: OpenOptions = {},
): Promise<{ listed: Listed[]; warnings: readonly string[] }> {
  const { columns: names, rows } = await readTable(path, encoding);
  if (rows.length === 0) throw new UserError(`${path} lists no images; add rows under its header file,label`);
  const { columns, warnings } = recogniseColumns(
    names,
    rows.map((row) => row.cells),
    asked === '' ? {} : parseColumns(asked),
    path,
    foldersAreClasses ? ['path'] : ['path', 'label'],
  );
  const drafts = rows.map((row) => draft(path, root, below, row, columns));
  const outside = drafts.find(({ file }) => file.startsWith('../'));
  if (outside && !allowOutside) {
    throw new UserError(
      `${path} line ${outside.line}: ${outside.file} lies outside the manifest's folder; if the manifest is to be trusted, pass --allow-outside`,
    );
  }
  await checkFiles(path, root, drafts);
  const known = new Set(Object.values(columns));
  const other = names.filter((name) => !known.has(name));
  const listed = drafts.map(
    ({ file, label, class: name, split, line, cells }): Listed => ({
      file,
      image: join(root, file),
      label,
      class: name,
      split,
      group: columns.group && cells[columns.group],
      extra: Object.fromEntries(other.map((column) => [column, cells[column] ?? ''])),
      at: `${path} line ${line}`,
    }),
  );
  return { listed, warnings };
}

function draft(path: string, root: string, below: string, row: TableRow, columns: Columns): Draft {
  const { cells, line } = row;
  const given = cells[columns.path ?? ''] ?? '';
  if (!given) throw new UserError(`${path} line ${line}: ${columns.path} is empty; fill it in or remove the row`);
  const local = isAbsolute(given) ? relative(root, given).split(sep).join('/') : `${below}${given}`;
  const file = posix.normalize(local);
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
  const split = columns.split && cells[columns.split];
  if (split === '' || (columns.split && split === undefined)) {
    throw new UserError(
      `${path} line ${line}: ${columns.split} is empty for ${file}; fill it in every row or drop the column`,
    );
  }
  const [top = ''] = file.split('/');
  return {
    ...row,
    file,
    label,
    class: columns.class && cells[columns.class]?.normalize('NFC'),
    split: split ?? (isSplitName(top) ? top : 'train'),
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
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
  const absent = await absentFiles(
    root,
    [...first.values()].map((d) => d.file),
  );
  const one = first.get(absent[0] ?? '');
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
