/** Formats that a table of features is written in, each a function from table to file. */
import { csv, npyHeader, writeFileAtomic, writeInPieces } from '../../base/index.js';
import { writeSafetensors } from '../../ir/index.js';
import { encodeMat } from './mat.js';
import { type FeatureColumn, type FeatureTable, wholeOf } from './table.js';

/** A format that a store's features are written in as one table. */
export interface TableFormat {
  /** For help. */
  readonly text: string;
  /** Writes the file; @returns the paths of all that was written. */
  write(table: FeatureTable, path: string): Promise<string[]>;
}

const columnFields = ['name', 'tap', 'pool', 'channel', 'row', 'column'] as const satisfies (keyof FeatureColumn)[];
const rowFields = ['split', 'file', 'label', 'class', 'group'] as const;

/** Formats by name. */
export const tableFormats: Readonly<Record<string, TableFormat>> = {
  npy: { text: 'float32 (n, p), with FILE.columns.csv and FILE.rows.csv beside it', write: writeNpy },
  parquet: { text: 'a column a feature, after split, file, label, class and group', write: writeParquet },
  safetensors: { text: 'features (n, p) and labels; names in the metadata', write: writeSafe },
  mat: { text: 'MATLAB, level 5: features (n x p), labels, and names as cell arrays', write: writeMat },
};

/** In pieces: the matrix may be larger than memory. */
async function writeNpy(table: FeatureTable, path: string): Promise<string[]> {
  const { rows, columns } = table;
  await writeInPieces(path, async (write) => {
    await write(npyHeader('<f4', [rows.length, columns.length], true));
    for await (const block of table.blocks()) {
      await write(new Uint8Array(block.buffer, block.byteOffset, block.byteLength));
    }
  });
  const stem = path.replace(/\.npy$/i, '');
  const tables = [
    [
      `${stem}.columns.csv`,
      await csv(
        columnFields,
        columns.map((c) => columnFields.map((field) => c[field])),
      ),
    ],
    [
      `${stem}.rows.csv`,
      await csv(
        rowFields,
        rows.map((r) => rowFields.map((field) => r[field])),
      ),
    ],
  ] as const;
  for (const [file, text] of tables) await writeFileAtomic(file, text);
  return [path, ...tables.map(([file]) => file)];
}

async function writeParquet(table: FeatureTable, path: string): Promise<string[]> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const { rows, columns, classes } = table;
  const n = rows.length;
  const whole = await wholeOf(table, 'Parquet');
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: 'split', data: rows.map((r) => r.split), type: 'STRING' },
      { name: 'file', data: rows.map((r) => r.file), type: 'STRING' },
      { name: 'label', data: Int32Array.from(rows, (r) => r.label), type: 'INT32' },
      { name: 'class', data: rows.map((r) => r.class), type: 'STRING' },
      { name: 'group', data: rows.map((r) => r.group), type: 'STRING' },
      ...columns.map(({ name }, j) => ({ name, data: whole.subarray(j * n, (j + 1) * n), type: 'FLOAT' as const })),
    ],
    kvMetadata: [{ key: 'toehold', value: JSON.stringify({ classes }) }],
    createdBy: 'toehold',
  });
  await writeFileAtomic(path, new Uint8Array(bytes));
  return [path];
}

async function writeSafe(table: FeatureTable, path: string): Promise<string[]> {
  const { rows, columns } = table;
  const [n, p] = [rows.length, columns.length];
  const whole = await wholeOf(table, 'safetensors');
  const byRow = new Float32Array(n * p);
  for (let j = 0, from = 0; j < p; j++) {
    for (let i = 0, to = j; i < n; i++, to += p) byRow[to] = whole[from++] as number;
  }
  const bytes = writeSafetensors({
    tensors: new Map([
      ['features', { type: 'float32', dims: [n, p], data: byRow }],
      ['labels', { type: 'int32', dims: [n], data: Int32Array.from(rows, (r) => r.label) }],
    ]),
    metadata: {
      ...wordsOf(table, (values) => JSON.stringify(values)),
    },
  });
  await writeFileAtomic(path, bytes);
  return [path];
}

async function writeMat(table: FeatureTable, path: string): Promise<string[]> {
  const { rows, columns } = table;
  const bytes = encodeMat({
    features: { kind: 'single', shape: [rows.length, columns.length], data: await wholeOf(table, 'MATLAB') },
    labels: { kind: 'int32', shape: [rows.length, 1], data: Int32Array.from(rows, (r) => r.label) },
    ...wordsOf(table, (data) => ({ kind: 'text', data }) as const),
  });
  await writeFileAtomic(path, bytes);
  return [path];
}

/** What a matrix cannot hold: names of its columns and classes, and where its rows come from, each as a format has lists. */
function wordsOf<T>({ rows, columns, classes }: FeatureTable, list: (values: readonly string[]) => T) {
  return {
    names: list(columns.map((c) => c.name)),
    classes: list(classes),
    files: list(rows.map((r) => r.file)),
    splits: list(rows.map((r) => r.split)),
    groups: list(rows.map((r) => r.group)),
  };
}
