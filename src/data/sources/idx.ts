/** IDX, the format of MNIST and its kin: one file of images, one of labels, gzipped or not. */
import { existsSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { UserError } from '../../base/index.js';
import type { Dataset } from '../example.js';
import { tiffOf } from '../raw-pixels.js';
import { type Content, contentOf } from './inflate.js';
import { datasetOf, type Listed, splitOfName } from './listed.js';
import { isOf, rootOf, type Shard, shardsOf } from './shards.js';
import type { DataSource, Place } from './source.js';

const isImages = (name: string) => /images[-.]idx[34][-.]ubyte(\.gz)?$/i.test(name) || /\.idx3(\.gz)?$/i.test(name);

/** `train-images-idx3-ubyte`, `t10k-images-idx3-ubyte` and others, with `...labels-idx1-ubyte` beside them. */
export const idx: DataSource = {
  name: 'IDX files (MNIST)',
  recognises: (place) => isOf(place, isImages),
  open: readIdx,
};

async function readIdx(place: Place): Promise<Dataset> {
  const listed: Listed[] = [];
  for (const shard of shardsOf(place, isImages)) listed.push(...(await examplesOf(shard, rootOf(place))));
  return datasetOf(rootOf(place), place.shown, listed);
}

async function examplesOf(shard: Shard, root: string): Promise<Listed[]> {
  const images = await arrayIn(shard.path);
  const [n = 0, height = 0, width = 0, channels = 1] = images.shape;
  const { path } = shard;
  if (images.type !== 8 || (channels !== 1 && channels !== 3)) {
    throw new UserError(`${path} holds no images: it must have unsigned bytes of shape (n, height, width)`);
  }
  const labelsPath = beside(path);
  const labels = await arrayIn(labelsPath);
  if (labels.shape.length !== 1 || labels.shape[0] !== n || labels.type > 0x0c) {
    throw new UserError(
      `${labelsPath} has labels of shape (${labels.shape.join(', ')}) for ${n} images in ${basename(path)}`,
    );
  }
  const size = height * width * channels;
  const values = labels.content.read(labels.offset, n * labels.bytes);
  const view = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return Array.from({ length: n }, (_, i): Listed => {
    const file = `${shard.file}/${i}`;
    return {
      file,
      image: {
        name: posix.join(root, file),
        container: path,
        bytes: async () =>
          tiffOf({ width, height, channels, data: images.content.read(images.offset + i * size, size) }),
      },
      label: String(
        view.readIntBE(i * labels.bytes, labels.bytes) + (labels.type === 8 && (view[i] as number) > 127 ? 256 : 0),
      ),
      split: splitOfName(shard.file),
      at: `${labelsPath} row ${i + 1}`,
    };
  });
}

function beside(path: string): string {
  const name = basename(path)
    .replace(/images([-.])idx[34]/i, 'labels$1idx1')
    .replace(/\.idx3/i, '.idx1');
  const [plain, gz] = [name.replace(/\.gz$/i, ''), `${name.replace(/\.gz$/i, '')}.gz`];
  const found = [plain, gz].map((own) => join(dirname(path), own)).find((own) => existsSync(own));
  if (found) return found;
  throw new UserError(`${path} has no labels beside it: ${plain} is not there`);
}

interface IdxArray {
  readonly content: Content;
  /** Code of the elements: 8 unsigned byte, 9 signed byte, 11 short, 12 int. */
  readonly type: number;
  /** Bytes of an element. */
  readonly bytes: number;
  readonly shape: readonly number[];
  /** Of the first element. */
  readonly offset: number;
}

const sizes: Readonly<Record<number, number>> = { 8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8 };

/** @throws UserError when the file is none, or shorter or longer than it says */
async function arrayIn(path: string): Promise<IdxArray> {
  const content = await contentOf(path);
  const none = new UserError(`${path} is no IDX file`);
  if (content.size < 8) throw none;
  const [zero, zero2, type = 0, axes = 0] = content.read(0, 4);
  const bytes = sizes[type];
  const offset = 4 + 4 * axes;
  if (zero !== 0 || zero2 !== 0 || !bytes || axes < 1 || axes > 4 || content.size < offset) throw none;
  const head = Buffer.from(content.read(4, 4 * axes));
  const shape = Array.from({ length: axes }, (_, i) => head.readUInt32BE(4 * i));
  const total = shape.reduce((a, b) => a * b, bytes);
  if (offset + total !== content.size) {
    const what = offset + total > content.size ? 'is cut off' : 'has bytes after its end';
    throw new UserError(`${path} ${what}: its header says (${shape.join(', ')}); copy it again`);
  }
  return { content, type, bytes, shape, offset };
}
