/** The binary version of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3 x 32 x 32 levels. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { UserError } from '../../base/index.js';
import type { Dataset } from '../example.js';
import { readPart } from '../image.js';
import { interleave, tiffOf } from '../raw-pixels.js';
import { datasetOf, type Listed, splitOfName } from './listed.js';
import { isOf, rootOf, type Shard, shardsOf } from './shards.js';
import type { DataSource, Place } from './source.js';

const side = 32;
const pixels = 3 * side * side;
const isRecords = (name: string) => /^(data_batch_\d+|test_batch|train|test)(\.bin)?$/i.test(name);
const isSure = (name: string) =>
  /^(data_batch_\d+|test_batch)(\.bin)?$/i.test(name) || /^(train|test)\.bin$/i.test(name);

/** The folder of the unpacked archive, or one of its files. */
export const cifar: DataSource = {
  name: 'CIFAR binary files (.bin)',
  recognises: (place) => isOf(place, isSure),
  open: readCifar,
};

async function readCifar(place: Place): Promise<Dataset> {
  const listed: Listed[] = [];
  const shards = shardsOf(place, (name) => isRecords(name) && (place.files !== undefined || isSure(name)));
  for (const shard of shards) listed.push(...(await recordsOf(shard, rootOf(place))));
  return datasetOf(rootOf(place), place.shown, listed);
}

async function recordsOf({ path, file }: Shard, root: string): Promise<Listed[]> {
  if (!/\.bin$/i.test(file)) {
    throw new UserError(`${path} is a Python pickle, which could run any program; take the binary version of the data`);
  }
  const names = await classNames(dirname(path));
  const { size } = statSync(path);
  const head = [names.fine ? 2 : 1, 1, 2].find((labels) => size > 0 && size % (labels + pixels) === 0);
  if (head === undefined) {
    throw new UserError(
      `${path} is cut off or no CIFAR file: its ${size} bytes are no whole number of records of ${pixels + 1} (CIFAR-10) or ${pixels + 2} (CIFAR-100)`,
    );
  }
  const record = head + pixels;
  // The last label byte is the finer one.
  const classes = head === 2 ? names.fine : names.ten;
  return Array.from({ length: size / record }, (_, i): Listed => {
    const own = `${file}/${i}`;
    const label = readPart(path, i * record + head - 1, 1)[0] as number;
    if (classes && classes[label] === undefined)
      throw new UserError(`${path} record ${i + 1}: the label ${label} is none of the ${classes.length} classes`);
    return {
      file: own,
      image: {
        name: posix.join(root, own),
        container: path,
        bytes: async () =>
          tiffOf({
            width: side,
            height: side,
            channels: 3,
            data: interleave(readPart(path, i * record + head, pixels), 3),
          }),
      },
      label: String(label),
      class: classes?.[label],
      split: splitOfName(file),
      at: `${path} record ${i + 1}`,
    };
  });
}

async function classNames(folder: string): Promise<{ ten?: string[] | undefined; fine?: string[] | undefined }> {
  const lines = async (name: string) => {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined);
    return text?.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  };
  return { ten: await lines('batches.meta.txt'), fine: await lines('fine_label_names.txt') };
}
