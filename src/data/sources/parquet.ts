/** Parquet tables with the bytes of images, as Hugging Face's `datasets` writes them. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet';
import { messageOf, UserError } from '../../base/index.js';
import type { Dataset, UnlabelledDataset } from '../example.js';
import { formatOf } from '../format.js';
import { type EmbeddedImage, readPart } from '../image.js';
import { parseColumns, recogniseColumns } from './columns.js';
import { datasetOf, type Listed, labelsNotAsked, labelText, splitOfName, unlabelledOf } from './listed.js';
import { isOf, rootOf, type Shard, shardsOf } from './shards.js';
import type { DataSource, OpenOptions, Place } from './source.js';

const isParquet = (name: string) => /\.(parquet|parq)$/i.test(name);

/** One file, several by a pattern, or a folder of them (also data/ or train/ in it). */
export const parquet: DataSource = {
  name: 'Parquet files with images',
  recognises: (place) => isOf(place, isParquet),
  open: readParquet,
};

interface Table extends Shard {
  readonly buffer: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly columns: readonly SchemaTree[];
}

/** What `datasets` notes of a column. */
interface Feature {
  readonly _type?: string;
  readonly names?: readonly string[];
}

async function readParquet(
  place: Place,
  { columns: asked = '', target }: OpenOptions = {},
): Promise<Dataset | UnlabelledDataset> {
  const root = rootOf(place);
  const tables = await Promise.all(shardsOf(place, isParquet).map(openTable));
  const listed: Listed[] = [];
  const warnings = new Set<string>();
  for (const table of tables) {
    const features = featuresOf(table.metadata);
    const images = new ImageColumn(table, imageColumn(table, features, parseAsked(asked).path));
    const scalars = table.columns.filter((c) => c.children.length === 0 && c.element.name !== images.name);
    const rows = await read(table, { columns: scalars.map((c) => c.element.name) });
    const cells = rows.map((row) =>
      Object.fromEntries(scalars.map(({ element: { name } }) => [name, labelText(row[name]) ?? ''])),
    );
    const { path: _, ...rest } = parseAsked(asked);
    const classLabels = Object.keys(features).filter((name) => features[name]?._type === 'ClassLabel');
    const own = classLabels.includes('label') ? 'label' : classLabels.length === 1 ? classLabels[0] : undefined;
    const recognised = recogniseColumns(
      scalars.map((c) => c.element.name),
      cells,
      { ...(own && !rest.label && { label: own }), ...rest },
      table.path,
      target === 'none' ? [] : ['label'],
    );
    const { label = recognised.columns.class, class: named, split, group } = recognised.columns;
    for (const warning of recognised.warnings) warnings.add(warning);
    const names = features[label ?? '']?.names;
    const known = new Set([label, named, split, group]);
    if (rows.length > 0) await images.check();
    cells.forEach((row, i) => {
      const at = `${table.path} row ${i + 1}`;
      const text = row[label ?? ''] ?? '';
      // -1 is how `datasets` writes that a label is unknown.
      if (target !== 'none' && (text === '' || (names && names[Number(text)] === undefined)))
        throw new UserError(
          `${at}: the label '${text}' is ${text === '' ? 'empty' : `none of the ${names?.length} classes`}`,
        );
      const file = `${table.file}/${i}`;
      listed.push({
        file,
        image: images.image(join(root, file), i),
        label: text,
        class: names ? names[Number(text)] : named && row[named],
        split: (split && row[split]) || splitOfName(table.file),
        group: group && row[group],
        extra: Object.fromEntries(Object.entries(row).filter(([name]) => !known.has(name))),
        at,
      });
    });
  }
  if (target === 'none') return unlabelledOf(root, place.shown, listed, labelsNotAsked, [...warnings]);
  return datasetOf(root, place.shown, listed, [...warnings]);
}

const parseAsked = (asked: string) => (asked === '' ? {} : parseColumns(asked));

async function openTable(shard: Shard): Promise<Table> {
  const { size } = statSync(shard.path);
  const buffer: AsyncBuffer = {
    byteLength: size,
    slice: (start, end = size) => {
      const { buffer: bytes, byteOffset, byteLength } = readPart(shard.path, start, end - start);
      return bytes.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    },
  };
  const { parquetMetadataAsync, parquetSchema } = await import('hyparquet');
  const metadata = await parquetMetadataAsync(buffer).catch((error) => {
    throw broken(shard.path, error);
  });
  return { ...shard, buffer, metadata, columns: parquetSchema(metadata).children };
}

function broken(path: string, error: unknown): UserError {
  return new UserError(`${path} is no whole Parquet file (${messageOf(error).split('\n')[0]}): copy it again`);
}

interface Wanted {
  readonly columns: string[];
  readonly rowStart?: number;
  readonly rowEnd?: number;
}

async function read({ path, buffer, metadata }: Table, wanted: Wanted): Promise<Record<string, unknown>[]> {
  if (wanted.columns.length === 0) return [];
  const [{ parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  try {
    // Bytes without a type are bytes; text is marked as such.
    return await parquetReadObjects({ file: buffer, metadata, compressors, utf8: false, ...wanted });
  } catch (error) {
    throw broken(path, error);
  }
}

function featuresOf({ key_value_metadata: notes = [] }: FileMetaData): Readonly<Record<string, Feature>> {
  const text = notes.find(({ key }) => key === 'huggingface')?.value;
  try {
    return JSON.parse(text ?? '{}').info?.features ?? {};
  } catch {
    // Damaged notes are no notes.
    return {};
  }
}

/** The column that is marked as images, else the only one that can hold bytes. */
function imageColumn(
  { path, columns }: Table,
  features: Readonly<Record<string, Feature>>,
  asked: string | undefined,
): string {
  const names = columns.map((c) => c.element.name);
  if (asked !== undefined) {
    if (names.includes(asked)) return asked;
    throw new UserError(`${path} has no column '${asked}' (columns: ${names.join(', ')})`);
  }
  const isText = ({ element: { converted_type, logical_type } }: SchemaTree) =>
    converted_type === 'UTF8' || converted_type === 'JSON' || logical_type?.type === 'STRING';
  const holdsBytes = (c: SchemaTree): boolean =>
    c.children.some((child) => child.element.name === 'bytes') || (c.element.type === 'BYTE_ARRAY' && !isText(c));
  const marked = names.filter((name) => features[name]?._type === 'Image');
  const found = marked.length > 0 ? marked : columns.filter(holdsBytes).map((c) => c.element.name);
  if (found.length === 1) return found[0] as string;
  const which = found.length === 0 ? `holds no images (columns: ${names.join(', ')})` : `has several columns of images`;
  throw new UserError(
    `${path} ${which}${found.length === 0 ? '' : `: name one with --columns path=${found.join(' or ')}`}`,
  );
}

/** Decoded row groups that are kept: images are read in order, and again in the same order. */
const mostBytes = 256 * 2 ** 20;

/** The images of a table. Row groups are read as a whole, which is how their bytes are compressed. */
class ImageColumn {
  readonly #groups = new Map<number, Promise<readonly unknown[]>>();
  readonly #starts: readonly number[];

  constructor(
    readonly table: Table,
    readonly name: string,
  ) {
    let start = 0;
    this.#starts = table.metadata.row_groups.map(({ num_rows }) => {
      const own = start;
      start += Number(num_rows);
      return own;
    });
  }

  image(name: string, row: number): EmbeddedImage {
    return { name, container: this.table.path, bytes: async () => this.#bytes(row) };
  }

  /** @throws UserError when the first value is no image */
  async check(): Promise<void> {
    const bytes = await this.#bytes(0);
    if (!formatOf(bytes)) {
      throw new UserError(
        `${this.table.path}: column '${this.name}' holds no image files; toehold reads the bytes of JPEG, PNG, WebP, TIFF and GIF`,
      );
    }
  }

  async #bytes(row: number): Promise<Uint8Array> {
    const group = this.#starts.findLastIndex((start) => start <= row);
    const value = (await this.#group(group))[row - (this.#starts[group] as number)];
    if (value instanceof Uint8Array) return value;
    const { bytes, path } = (value ?? {}) as { bytes?: unknown; path?: unknown };
    if (bytes instanceof Uint8Array) return bytes;
    const where = typeof path === 'string' ? ` (it names ${path})` : '';
    throw new UserError(
      `${this.table.path} row ${row + 1} holds no bytes of an image${where}: write the table with its images embedded`,
    );
  }

  async #group(group: number): Promise<readonly unknown[]> {
    const known = this.#groups.get(group);
    if (known) return known;
    const rowStart = this.#starts[group] as number;
    const rowEnd = rowStart + Number(this.table.metadata.row_groups[group]?.num_rows);
    const reading = read(this.table, { columns: [this.name], rowStart, rowEnd }).then((rows) =>
      rows.map((row) => row[this.name]),
    );
    this.#groups.set(group, reading);
    this.#forget(group);
    reading.catch(() => this.#groups.delete(group));
    return reading;
  }

  /** Drops what was read first, until the rest is small enough. */
  #forget(kept: number): void {
    const size = (g: number) =>
      (this.table.metadata.row_groups[g]?.columns ?? [])
        .filter((c) => c.meta_data?.path_in_schema[0] === this.name)
        .reduce((sum, c) => sum + Number(c.meta_data?.total_uncompressed_size ?? 0), 0);
    let total = [...this.#groups.keys()].reduce((sum, g) => sum + size(g), 0);
    for (const g of this.#groups.keys()) {
      if (total <= mostBytes) return;
      if (g === kept) continue;
      this.#groups.delete(g);
      total -= size(g);
    }
  }
}
