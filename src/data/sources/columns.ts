/** Which column of a table is the path of an image, its label, its class, its split and its group. */
import { extname } from 'node:path';
import { nearest, UserError } from '../../base/index.js';
import { imageEndings } from '../format.js';

const usual = {
  path: [
    'file',
    'path',
    'file_name',
    'filename',
    'file_path',
    'filepath',
    'image_path',
    'image_file',
    'image_name',
    'img_path',
    'img_file',
    'img_name',
    'image',
    'img',
  ],
  label: ['label', 'labels', 'target', 'y', 'class_id', 'label_id', 'class_idx', 'category_id', 'category', 'species'],
  class: ['class', 'class_name', 'label_name', 'category_name', 'classname'],
  split: ['split', 'subset', 'partition', 'set'],
  group: ['group', 'groups', 'group_id'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Meaning = keyof typeof usual;

export type Columns = Readonly<Partial<Record<Meaning, string>>>;

const meanings = Object.keys(usual) as Meaning[];

/** Parses `path=file,label=species`. @throws UserError when it is not of this form */
export function parseColumns(text: string): Columns {
  const form = `write --columns path=...,label=... (also ${meanings.slice(2).join(', ')})`;
  return Object.fromEntries(
    text.split(',').map((part) => {
      const at = part.indexOf('=');
      const [meaning, column] = [part.slice(0, at).trim(), part.slice(at + 1).trim()];
      const known = meaning === 'file' ? 'path' : meaning;
      if (at < 0 || !column || !(meanings as string[]).includes(known))
        throw new UserError(`--columns '${part}' is not understood; ${form}`);
      return [known, column];
    }),
  );
}

/** Rows that are looked at; a table may have millions. */
const most = 500;

const isImagePath = (cell: string) => imageEndings.has(extname(cell).toLowerCase());
const plain = (name: string) =>
  name
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, '_');

export interface Recognised {
  readonly columns: Columns;
  /** What was taken by content alone, as a sentence. */
  readonly warnings: readonly string[];
}

/**
 * By what is asked for, by a usual name, then by content: the one column whose cells end as names of images do, and the one other
 * column of few different words.
 * @param wanted meanings without which the table is useless
 * @param shown names the table in messages
 */
export function recogniseColumns(
  names: readonly string[],
  rows: readonly Readonly<Record<string, string>>[],
  asked: Columns,
  shown: string,
  wanted: readonly ('path' | 'label')[] = ['path', 'label'],
): Recognised {
  for (const [meaning, column] of Object.entries(asked)) {
    if (names.includes(column)) continue;
    const guess = nearest(column, names);
    throw new UserError(
      `${shown} has no column '${column}' (--columns ${meaning}=${column}); ${guess ? `did you mean '${guess}'?` : `columns: ${names.join(', ')}`}`,
    );
  }
  if (wanted.includes('path') && !asked.path && names.some(isImagePath)) {
    throw new UserError(
      `${shown} has no column 'file' (columns: ${names.join(', ')}); its first line must name the columns: file,label`,
    );
  }
  const looked = rows.slice(0, most);
  const taken = new Set(Object.values(asked));
  const columns: Partial<Record<Meaning, string>> = { ...asked };
  const take = (meaning: Meaning, name: string | undefined) => {
    if (name === undefined) return;
    columns[meaning] = name;
    taken.add(name);
  };
  const holdsPaths = (name: string) =>
    looked.length > 0 && looked.filter((row) => isImagePath(row[name] ?? '')).length >= 0.9 * looked.length;
  for (const meaning of meanings) {
    if (columns[meaning] !== undefined) continue;
    const named = usual[meaning].flatMap((word) => names.filter((name) => plain(name) === word && !taken.has(name)));
    // Of several usual names that is the path which looks like one: `image` may be a number.
    take(meaning, meaning === 'path' ? (named.find((n) => n === 'file' || holdsPaths(n)) ?? named[0]) : named[0]);
  }
  const guessed: string[] = [];
  const byContent = (meaning: 'path' | 'label', fits: (name: string) => boolean) => {
    const found = names.filter((name) => name !== '' && !taken.has(name) && fits(name));
    if (found.length !== 1) return;
    take(meaning, found[0]);
    guessed.push(`'${found[0]}' as the ${meaning}`);
  };
  if (columns.path === undefined) byContent('path', holdsPaths);
  if (columns.label === undefined && columns.class === undefined && wanted.includes('label')) {
    byContent('label', (name) => isLabel(looked.map((row) => row[name] ?? '')));
  }
  for (const meaning of wanted) {
    if (columns[meaning] !== undefined || (meaning === 'label' && columns.class !== undefined)) continue;
    throw new UserError(
      `${shown} has no column '${meaning === 'path' ? 'file' : 'label'}' (columns: ${names.join(', ')}); name it with --columns ${meaning}=NAME${meaning === 'label' ? '; extract --target none does without' : ''}`,
    );
  }
  const warnings = guessed.length > 0 ? [`${shown}: took ${guessed.join(' and ')}; --columns says otherwise`] : [];
  return { columns, warnings };
}

/** Words or whole numbers that repeat. */
function isLabel(cells: readonly string[]): boolean {
  const different = new Set(cells).size;
  return (
    different >= 2 &&
    2 * different <= cells.length &&
    cells.every((cell) => cell !== '' && !/^[+-]?\d*\.\d+$/.test(cell))
  );
}
