/** WebDataset: tar archives in which files of one stem are one example (`0001.jpg`, `0001.cls`). */
import { createReadStream, statSync } from 'node:fs';
import { posix } from 'node:path';
import type { Extract, Header } from 'tar-stream';
import { fileError, messageOf, UserError } from '../../base/index.js';
import type { Dataset, UnlabelledDataset } from '../example.js';
import { imageEndings } from '../format.js';
import { type EmbeddedImage, imagePart, readPart } from '../image.js';
import { counted } from '../text.js';
import { parseColumns, recogniseColumns } from './columns.js';
import {
  datasetOf,
  type Listed,
  type ListedImage,
  labelsNotAsked,
  labelText,
  splitOfName,
  unlabelledOf,
} from './listed.js';
import { isOf, rootOf, type Shard, shardsOf } from './shards.js';
import type { DataSource, OpenOptions, Place } from './source.js';

const isTar = (name: string) => /\.(tar|tar\.gz|tgz)$/i.test(name);

/** One archive, several by a pattern (`{0000..0099}`), or a folder of them. */
export const webdataset: DataSource = {
  name: 'WebDataset archives (.tar)',
  recognises: (place) => isOf(place, isTar),
  open: readWebdataset,
};

type Entry = Extract extends AsyncIterable<infer E> ? E : never;

/** What an archive holds of one example. */
interface Sample {
  readonly key: string;
  readonly images: Map<string, EmbeddedImage>;
  /** Text by the rest of the name: 'cls', 'json'. */
  readonly texts: Map<string, string>;
}

/** Archives are made of blocks, the last of zeros. */
const block = 512;

const textEndings = new Set(['cls', 'label', 'txt', 'json']);
/** Bytes of a text that can be a label or a description of one image. */
const longestText = 2 ** 20;

async function readWebdataset(
  place: Place,
  { columns: asked = '', target }: OpenOptions = {},
): Promise<Dataset | UnlabelledDataset> {
  const root = rootOf(place);
  const samples: { shard: Shard; sample: Sample }[] = [];
  for (const shard of shardsOf(place, isTar)) {
    for (const sample of await samplesOf(shard)) samples.push({ shard, sample });
  }
  const whole = samples.filter(({ sample }) => sample.images.size > 0);
  if (whole.length === 0) throw new UserError(`${place.shown} holds no images`);
  const left = samples.length - whole.length;
  const leftOut = left > 0 ? [`${counted(left, 'example')} without an image: left out`] : [];
  const images = whole.map(({ shard, sample }): ListedImage => {
    const [ending, image] = [...sample.images][0] as [string, EmbeddedImage];
    const file = `${shard.file}/${sample.key}.${ending}`;
    return { file, image, split: splitOfName(shard.file), at: `${shard.path} (${sample.key})` };
  });
  if (whole.every(({ sample }) => sample.texts.size === 0)) {
    const reason = `${place.shown} holds images without labels`;
    return unlabelledOf(
      root,
      place.shown,
      images,
      { reason, remedy: 'add a .cls or .json file beside each image' },
      leftOut,
    );
  }
  const samplesAt = whole.map(({ sample }, i) => ({ sample, at: images[i]?.at ?? '' }));
  const { labels, warnings } = labelsOf(samplesAt, place.shown, asked, target);
  const listed = images.map((image, i): Listed => {
    const own = labels[i] as Labelling;
    return { ...image, ...own, split: own.split ?? image.split };
  });
  if (target === 'none') return unlabelledOf(root, place.shown, listed, labelsNotAsked, [...warnings, ...leftOut]);
  return datasetOf(root, place.shown, listed, [...warnings, ...leftOut]);
}

/** Reads an archive once, from its beginning to its end: labels are kept, of images their places. */
async function samplesOf(shard: Shard): Promise<Sample[]> {
  const { path } = shard;
  if (/gz$/i.test(path)) {
    throw new UserError(`${path} is compressed, and its images cannot be read in place: gunzip it first`);
  }
  // Without its end, an archive that is cut between two entries looks like a smaller one.
  const { size } = statSync(path);
  if (size % block !== 0 || size < block || readPart(path, size - block, block).some((byte) => byte !== 0)) {
    throw new UserError(`${path} is no whole tar archive: it lacks its end; copy it again`);
  }
  const { extract } = await import('tar-stream');
  const samples = new Map<string, Sample>();
  const archive = extract();
  const file = createReadStream(path, { highWaterMark: 1 << 20 });
  file.on('error', (error) => archive.destroy(fileError(error, path)));
  file.pipe(archive);
  try {
    for await (const entry of archive) await add(shard, samples, entry);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} is no whole tar archive (${messageOf(error)}): copy it again`);
  } finally {
    file.destroy();
  }
  return [...samples.values()];
}

async function add({ path, file }: Shard, samples: Map<string, Sample>, entry: Entry): Promise<void> {
  const header = entry.header as Header & { readonly byteOffset: number };
  const { name, type, size = 0 } = header;
  const skip = () => new Promise<void>((done, fail) => entry.on('end', done).on('error', fail).resume());
  const base = posix.basename(name);
  const dot = base.indexOf('.', 1);
  if (type !== 'file' || base.startsWith('.') || dot < 0) return skip();
  const normal = posix.normalize(name);
  if (normal.startsWith('../') || normal.startsWith('/')) {
    throw new UserError(`${path}: the entry '${name}' leads out of the archive; make the archive anew`);
  }
  const ending = base.slice(dot + 1);
  const key = normal.slice(0, normal.length - ending.length - 1);
  const kind = ending.slice(ending.lastIndexOf('.') + 1).toLowerCase();
  const sample = samples.get(key) ?? { key, images: new Map(), texts: new Map() };
  samples.set(key, sample);
  if (imageEndings.has(`.${kind}`)) {
    const shown = `${path.slice(0, path.length - file.length)}${file}/${key}.${ending}`;
    if (sample.images.has(ending)) throw new UserError(`${path} holds '${name}' twice; make the archive anew`);
    sample.images.set(ending, imagePart(shown, path, header.byteOffset, size));
    return skip();
  }
  if (!textEndings.has(kind) || size > longestText) return skip();
  const pieces: Uint8Array[] = [];
  for await (const piece of entry) pieces.push(piece as Uint8Array);
  sample.texts.set(ending.toLowerCase(), Buffer.concat(pieces).toString('utf8').trim());
}

type Labelling = Pick<Listed, 'label' | 'class' | 'group' | 'extra' | 'at'> & { readonly split?: string | undefined };

/** The labels of all examples: `.cls` or `.label` files, fields of `.json`, or short words in `.txt`. */
function labelsOf(
  samples: readonly { sample: Sample; at: string }[],
  shown: string,
  asked: string,
  target: OpenOptions['target'],
): { labels: Labelling[]; warnings: readonly string[] } {
  const rows = samples.map(({ sample: { texts }, at }) => {
    const own = [...texts].find(([ending]) => /(^|\.)(cls|label)$/.test(ending));
    const cells: Record<string, string> = own ? { label: own[1] } : {};
    for (const [ending, text] of texts) {
      if (ending === 'json') Object.assign(cells, own ? { ...fieldsOf(text, at), ...cells } : fieldsOf(text, at));
      if (ending === 'txt') cells.txt = text;
      if (ending === 'cls.txt') cells['class name'] = text;
    }
    return { cells, at };
  });
  const names = [...new Set(rows.flatMap(({ cells }) => Object.keys(cells)))];
  const cells = rows.map((row) => row.cells);
  const given = asked === '' ? {} : parseColumns(asked);
  const { columns, warnings } = recogniseColumns(names, cells, given, shown, target === 'none' ? [] : ['label']);
  const { label = columns.class, class: named, split, group } = columns;
  const known = new Set(Object.values(columns));
  const labels = rows.map(({ cells: row, at }): Labelling => {
    const text = labelText(row[label ?? '']);
    if (text === undefined && target !== 'none')
      throw new UserError(`${at}: no label; add a .cls or .json file beside the image`);
    return {
      label: text ?? '',
      class: named && named !== label ? row[named] : undefined,
      split: split && row[split],
      group: group && row[group],
      extra: Object.fromEntries(Object.entries(row).filter(([name]) => !known.has(name))),
      at,
    };
  });
  return { labels, warnings };
}

function fieldsOf(text: string, at: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${at}: its .json is not JSON`);
  }
  if (typeof value !== 'object' || value === null) return { label: labelText(value) ?? '' };
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, labelText(field) ?? JSON.stringify(field ?? '')]),
  );
}
