/** TFRecord files of tf.train.Example, as TensorFlow Datasets and the ImageNet scripts write them. */
import { readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { messageOf, UserError, withFile } from '../../base/index.js';
import type { Dataset, UnlabelledDataset } from '../example.js';
import { formatOf } from '../format.js';
import { imagePart } from '../image.js';
import { parseColumns, recogniseColumns } from './columns.js';
import { crc32c } from './crc32c.js';
import { datasetOf, type Listed, labelsNotAsked, splitOfName, unlabelledOf } from './listed.js';
import { isOf, rootOf, type Shard, shardsOf } from './shards.js';
import type { DataSource, OpenOptions, Place } from './source.js';

const isRecords = (name: string) =>
  /\.tfrec(ords?)?(-\d+-of-\d+)?(\.gz)?$/i.test(name) || /^[\w.-]+-\d{5}-of-\d{5}$/.test(name);

/** One file, several by a pattern, or a folder of them. */
export const tfrecord: DataSource = {
  name: 'TFRecord files',
  recognises: (place) => isOf(place, isRecords),
  open: readTfrecords,
};

/** One record: its image by place, everything else as text. */
interface TfRecord {
  readonly image: { readonly feature: string; readonly offset: number; readonly length: number } | undefined;
  readonly cells: Readonly<Record<string, string>>;
}

async function readTfrecords(
  place: Place,
  { columns: asked = '', target }: OpenOptions = {},
): Promise<Dataset | UnlabelledDataset> {
  const root = rootOf(place);
  const { path: wanted, ...given } = asked === '' ? {} : (parseColumns(asked) as Record<string, string>);
  const found = shardsOf(place, isRecords).flatMap((shard) =>
    recordsOf(shard, wanted).map((record, i) => ({ shard, record, i, at: `${shard.path} record ${i + 1}` })),
  );
  if (found.length === 0) throw new UserError(`${place.shown} holds no images`);
  const cells = found.map(({ record }) => record.cells);
  const names = [...new Set(cells.flatMap(Object.keys))];
  // 'image/class/label' is a label, 'image/class/text' its class.
  const words = new Map(
    names.map((name) => [name.replace(/^image\/class\/text$/, 'class').replace(/^.*\//, ''), name]),
  );
  const rows = cells.map((own) => Object.fromEntries([...words].map(([word, name]) => [word, own[name] ?? ''])));
  const askedWords = Object.fromEntries(
    Object.entries(given).map(([meaning, name]) => [meaning, [...words].find(([, own]) => own === name)?.[0] ?? name]),
  );
  const { columns, warnings } = recogniseColumns(
    [...words.keys()],
    rows,
    askedWords,
    place.shown,
    target === 'none' ? [] : ['label'],
  );
  const { label = columns.class, class: named, split, group } = columns;
  const classes = await classNames(dirname(found[0]?.shard.path ?? ''), words.get(label ?? '') ?? '');
  const known = new Set([label, named, split, group]);
  const listed = found.map(({ shard, record, i, at }, k): Listed => {
    const row = rows[k] as Record<string, string>;
    if (!record.image) throw new UserError(`${at} holds no image of the formats that are read`);
    const text = row[label ?? ''] ?? '';
    if (!text && target !== 'none') throw new UserError(`${at}: no label`);
    if (target !== 'none' && text.includes(' ') && /^\d+( \d+)+$/.test(text))
      throw new UserError(`${at}: '${label}' has several values; toehold learns one class an image`);
    const file = `${shard.file}/${i}`;
    return {
      file,
      image: imagePart(join(root, file), shard.path, record.image.offset, record.image.length),
      label: text,
      class: classes ? classes[Number(text)] : named && named !== label ? row[named] : undefined,
      split: (split && row[split]) || splitOfName(shard.file),
      group: group && row[group],
      extra: Object.fromEntries(Object.entries(row).filter(([name]) => !known.has(name))),
      at,
    };
  });
  if (target === 'none') return unlabelledOf(root, place.shown, listed, labelsNotAsked, warnings);
  return datasetOf(root, place.shown, listed, warnings);
}

/** TensorFlow Datasets lists the names beside the records: `label.labels.txt`. */
async function classNames(folder: string, feature: string): Promise<string[] | undefined> {
  const text = await readFile(join(folder, `${feature}.labels.txt`), 'utf8').catch(() => undefined);
  return text?.trimEnd().split('\n');
}

/**
 * Reads a file once. A record is its length (8 bytes) with a checksum, its bytes, and their checksum.
 * @throws UserError for what is cut off, or no record
 */
function recordsOf({ path }: Shard, wanted: string | undefined): TfRecord[] {
  if (/gz$/i.test(path)) {
    throw new UserError(`${path} is compressed, and its images cannot be read in place: gunzip it first`);
  }
  return withFile(path, (file, size) => {
    const records: TfRecord[] = [];
    const head = Buffer.alloc(12);
    for (let at = 0; at < size; ) {
      const where = `${path} record ${records.length + 1}`;
      if (at + 16 > size) throw new UserError(`${where} is cut off: copy the file again`);
      readSync(file, head, 0, 12, at);
      if (crc32c(head.subarray(0, 8)) !== head.readUInt32LE(8)) {
        throw new UserError(
          `${path} ${records.length === 0 ? 'is no TFRecord file, or is compressed' : `is damaged at record ${records.length + 1}`}`,
        );
      }
      const length = Number(head.readBigUInt64LE(0));
      if (at + 16 + length > size) throw new UserError(`${where} is cut off: copy the file again`);
      const bytes = Buffer.alloc(length);
      readSync(file, bytes, 0, length, at + 12);
      records.push(parse(bytes, at + 12, wanted, where));
      at += 16 + length;
    }
    return records;
  });
}

/** tf.train.Example { features = 1 { map<string, Feature> feature = 1 } }; Feature { bytes 1, float 2, int64 3 { value = 1 } }. */
function parse(bytes: Buffer, start: number, wanted: string | undefined, where: string): TfRecord {
  const cells: Record<string, string> = {};
  let image: TfRecord['image'];
  try {
    for (const features of fieldsOf(bytes, 0, bytes.length, 1)) {
      for (const entry of fieldsOf(bytes, features.from, features.to, 1)) {
        const [key] = fieldsOf(bytes, entry.from, entry.to, 1);
        const [feature] = fieldsOf(bytes, entry.from, entry.to, 2);
        if (!key) continue;
        const name = bytes.toString('utf8', key.from, key.to);
        for (const list of feature ? fieldsOf(bytes, feature.from, feature.to, 1) : []) {
          const values = fieldsOf(bytes, list.from, list.to, 1);
          const [value] = values;
          if (!value) continue;
          const isImage = formatOf(bytes.subarray(value.from, value.to)) !== undefined;
          if (isImage && (wanted === undefined ? !image : wanted === name)) {
            image = { feature: name, offset: start + value.from, length: value.to - value.from };
          } else if (!isImage && value.to - value.from < 1000) {
            cells[name] = values.map((v) => bytes.toString('utf8', v.from, v.to)).join(' ');
          }
        }
        for (const list of feature ? fieldsOf(bytes, feature.from, feature.to, 3) : []) {
          cells[name] = integersOf(bytes, list.from, list.to).join(' ');
        }
      }
    }
  } catch (error) {
    throw new UserError(`${where} is no tf.train.Example (${messageOf(error)})`);
  }
  return { image, cells };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Places of the fields of one number with a length, within a message. */
function fieldsOf(bytes: Buffer, from: number, to: number, wanted: number): Range[] {
  const reader = new BinaryReader(bytes.subarray(from, to));
  const found: Range[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted && type === WireType.LengthDelimited) {
      const length = reader.uint32();
      const start = from + reader.pos;
      if (start + length > to) throw new Error('a field is longer than its message');
      found.push({ from: start, to: start + length });
      reader.pos += length;
    } else reader.skip(type, field);
  }
  return found;
}

/** Values of an Int64List, packed or not; not more than a few are of use. */
function integersOf(bytes: Buffer, from: number, to: number): string[] {
  const reader = new BinaryReader(bytes.subarray(from, to));
  const values: string[] = [];
  while (reader.pos < reader.len && values.length < 100) {
    const [field, type] = reader.tag();
    if (field !== 1) reader.skip(type, field);
    else if (type === WireType.Varint) values.push(String(reader.int64()));
    else {
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end && values.length < 100) values.push(String(reader.int64()));
    }
  }
  return values;
}
