/** Images as NumPy arrays: `.npz` with images and labels (Keras, MedMNIST), or `.npy` files beside each other. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, posix, relative } from 'node:path';
import type { Entry, ZipFile } from 'yauzl';
import { fileError, messageOf, type NpyHeader, npyElements, parseNpyHeader, UserError } from '../../base/index.js';
import type { Dataset } from '../example.js';
import { interleave, tiffOf } from '../raw-pixels.js';
import { isSplitName } from '../splits.js';
import { type Content, inMemory, inPlace, mostInflated } from './inflate.js';
import { datasetOf, type Listed, labelText } from './listed.js';
import { isOf, rootOf, type Shard, shardsOf } from './shards.js';
import type { DataSource, Place } from './source.js';

const isArrays = (name: string) => /\.np[yz]$/i.test(name);

/** Names of arrays tell what they are: `x_train` and `y_train`, `train_images` and `train_labels`, `images` and `labels`. */
export const numpy: DataSource = {
  name: 'NumPy arrays of images (.npz, .npy)',
  recognises: (place) => isOf(place, isArrays),
  open: readNumpy,
};

const words = {
  images: new Set(['images', 'image', 'imgs', 'img', 'x', 'data', 'pixels']),
  labels: new Set(['labels', 'label', 'y', 'targets', 'target']),
} as const;
type Role = keyof typeof words;

/** An array of a file. */
interface Stored {
  /** Its key, or the file's name without its ending. */
  readonly name: string;
  /** For messages. */
  readonly shown: string;
  readonly content: Content;
  readonly header: NpyHeader;
}

async function readNumpy(place: Place): Promise<Dataset> {
  const root = rootOf(place);
  const shards = await withNeighbours(place, shardsOf(place, isArrays));
  const listed: Listed[] = [];
  const archives = shards.filter(({ file }) => /z$/i.test(file));
  for (const shard of archives) listed.push(...examplesOf(await arraysIn(shard.path), shard.file, root));
  const single = shards.filter(({ file }) => !/z$/i.test(file));
  if (single.length > 0) {
    const arrays = single.map(({ path, file }) => storedIn(file.replace(/\.npy$/i, ''), path, inPlace(path)));
    listed.push(...examplesOf(arrays, '', root));
  }
  return datasetOf(root, place.shown, listed);
}

/** Of one .npy file that was named, the labels lie beside it. */
async function withNeighbours(place: Place, shards: Shard[]): Promise<Shard[]> {
  const [one] = shards;
  if (!place.files || !one || shards.some(({ file }) => !/y$/i.test(file))) return shards;
  const folder = dirname(one.path);
  const others = (await readdir(folder)).filter((name) => /\.npy$/i.test(name) && rolesOf(name, 'labels'));
  const added = others.map((name) => join(folder, name)).filter((path) => !shards.some((s) => s.path === path));
  return [...shards, ...added.map((path) => ({ path, file: relative(rootOf(place), path) }))];
}

const tokensOf = (name: string) =>
  basename(name)
    .replace(/\.npy$/i, '')
    .toLowerCase()
    .split(/[\W_]+/);

function rolesOf(name: string, role: Role): boolean {
  return tokensOf(name).some((token) => words[role].has(token));
}

/** What is left of a name without its role: images and labels of one rest belong together. */
function restOf(name: string, role: Role): string {
  const folder = posix.dirname(name);
  const rest = tokensOf(name).filter((token) => !words[role].has(token));
  return [folder === '.' ? '' : folder, ...rest].filter((word) => word !== '').join(' ');
}

/** @param within name of the archive, '' for arrays of their own */
function examplesOf(arrays: readonly Stored[], within: string, root: string): Listed[] {
  const labels = new Map(arrays.flatMap((a) => (rolesOf(a.name, 'labels') ? [[restOf(a.name, 'labels'), a]] : [])));
  const images = arrays.filter((a) => rolesOf(a.name, 'images') && !rolesOf(a.name, 'labels'));
  if (images.length === 0) {
    const names = arrays.map((a) => a.name).join(', ');
    throw new UserError(
      `${arrays[0]?.shown ?? within} holds no images that are called so (arrays: ${names}); name them images and labels, or x_train and y_train`,
    );
  }
  return images.flatMap((stored) => {
    const rest = restOf(stored.name, 'images');
    const own = labels.get(rest);
    if (!own) {
      const names = arrays.map((a) => a.name).join(', ');
      throw new UserError(
        `${stored.shown} has no labels of its own (arrays: ${names}); name them alike, as x_train and y_train`,
      );
    }
    const prefix = [within, stored.name].filter((part) => part !== '').join('/');
    const split = rest.split(/[ /]/).find(isSplitName) ?? 'train';
    return pairsOf(stored, own, { prefix, root, split });
  });
}

function pairsOf(
  images: Stored,
  labels: Stored,
  { prefix, root, split }: { prefix: string; root: string; split: string },
): Listed[] {
  const { content, header, shown } = images;
  const layout = layoutOf(images);
  const { n, height, width, channels, planar } = layout;
  const texts = labelsIn(labels, n, shown);
  const size = height * width * channels;
  return texts.map((label, i): Listed => {
    const file = `${prefix}/${i}`;
    return {
      file,
      image: {
        name: posix.join(root, file),
        container: content.path,
        bytes: async () => {
          const levels = content.read(header.offset + i * size, size);
          return tiffOf({ width, height, channels, data: planar ? interleave(levels, channels) : levels });
        },
      },
      label,
      split,
      at: `${labels.shown} row ${i + 1}`,
    };
  });
}

/** @throws UserError for what cannot be levels of images */
function layoutOf({ shown, header: { dtype, shape, fortranOrder } }: Stored) {
  const [n = 0, a = 0, b = 0, c] = shape;
  const text = `(${shape.join(', ')})`;
  const wrong = (what: string) => new UserError(`${shown} ${what}`);
  if (dtype !== '|u1') {
    throw wrong(
      `holds images of type '${dtype}': save levels of 0 to 255 as uint8, since nothing says how others are scaled`,
    );
  }
  if (fortranOrder) throw wrong('is in Fortran order: save np.ascontiguousarray of it');
  if (shape.length === 3) return { n, height: a, width: b, channels: 1 as const, planar: false };
  const fits = (channels: number | undefined): channels is 1 | 3 | 4 => [1, 3, 4].includes(channels ?? 0);
  if (shape.length === 4 && fits(c)) return { n, height: a, width: b, channels: c, planar: false };
  if (shape.length === 4 && fits(a)) return { n, height: b, width: c ?? 0, channels: a, planar: true };
  throw wrong(`has shape ${text}, which is not that of images: (n, height, width[, 1, 3 or 4])`);
}

function labelsIn({ shown, header, content }: Stored, n: number, images: string): string[] {
  const { shape, offset } = header;
  const [rows, columns = 1] = shape;
  if (rows !== n || shape.length > 2) {
    throw new UserError(`${shown} has shape (${shape.join(', ')}) for ${n} images in ${images}: one label an image`);
  }
  if (columns !== 1) {
    throw new UserError(
      `${shown} gives ${columns} values an image: toehold learns one class an image; keep one column`,
    );
  }
  const values = npyElements(header, content.read(offset, content.size - offset)).subarray(0, n);
  return Array.from(values as ArrayLike<number | bigint>, (value) => labelText(value) ?? 'NaN');
}

function storedIn(name: string, shown: string, content: Content): Stored {
  const head = content.read(0, Math.min(content.size, 10_012));
  const header = parseNpyHeader(Buffer.from(head), content.size, shown);
  return { name, shown, content, header };
}

/** Arrays of an archive: in place where they are stored as they are, in memory where they are compressed. */
async function arraysIn(path: string): Promise<Stored[]> {
  const arrays: Stored[] = [];
  const { openPromise } = await import('yauzl');
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(path, { autoClose: false });
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName.replace(/\.npy$/, '');
      if (!entry.fileName.endsWith('.npy')) continue;
      if (!rolesOf(name, 'images') && !rolesOf(name, 'labels')) continue;
      arrays.push(storedIn(name, `${path} (${name})`, await contentOf(path, zip, entry)));
    }
    return arrays;
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (typeof (error as NodeJS.ErrnoException).code === 'string' && (error as NodeJS.ErrnoException).syscall)
      throw fileError(error, path);
    throw new UserError(`${path} is no whole .npz archive (${messageOf(error)}): copy it again`);
  } finally {
    zip?.close();
  }
}

async function contentOf(path: string, zip: ZipFile, entry: Entry): Promise<Content> {
  if (entry.compressionMethod === 0) {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    return inPlace(path, fileDataStart, entry.uncompressedSize);
  }
  if (entry.uncompressedSize > mostInflated) {
    throw new UserError(
      `${path} (${entry.fileName}) holds ${entry.uncompressedSize} bytes, compressed: too many to keep; np.savez (not savez_compressed) lets them be read in place`,
    );
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Uint8Array);
  return inMemory(path, Buffer.concat(pieces));
}
