/** Training examples of a probe that an exported page may compare an image with. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { parseCsvRows, Random, UserError } from '../../base/index.js';
import { type Input, readDataset, readImage } from '../../data/index.js';
import type { FeatureStore } from '../../features/index.js';
import type { StoredExample } from './explain.js';

/** Pixels of a thumbnail's longer side. */
const side = 96;

/**
 * Up to `most` training examples, as even over classes as there are: the labelled examples of the store that the run did not
 * test on.
 * @param directory what `probe -o` wrote
 */
export async function trainingExamples(
  directory: string,
  { meta }: FeatureStore,
  most: number,
): Promise<(StoredExample & { readonly file: string; readonly label: number })[]> {
  const tested = await testedFiles(directory);
  const all = Object.entries(meta.splits).flatMap(([split, { files, labels }]) =>
    files.flatMap((file, row) => {
      const label = labels?.[row];
      return label === undefined || tested.has(file) ? [] : [{ split, row, file, label }];
    }),
  );
  const random = new Random(0, 'training examples of the page');
  const rounds = new Map<number, number>();
  const ordered = random.shuffle([...all]).map((example) => {
    const round = rounds.get(example.label) ?? 0;
    rounds.set(example.label, round + 1);
    return { example, round };
  });
  ordered.sort((a, b) => a.round - b.round || a.example.label - b.example.label);
  return ordered.slice(0, most).map(({ example }) => example);
}

/** Names of the examples that a run was tested on. */
async function testedFiles(directory: string): Promise<ReadonlySet<string>> {
  const path = join(directory, 'predictions.csv');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return new Set();
  const [header, ...rows] = parseCsvRows(text, path, ',');
  const column = header?.cells.indexOf('file') ?? -1;
  return new Set(rows.flatMap(({ cells }) => cells[column] ?? []));
}

/**
 * Small copies of images as data URLs, in the order of `files`.
 * @param data the data set, as it was named at extraction or where it has moved
 * @throws UserError when an image is not there any more
 */
export async function thumbnails(data: string, files: readonly string[]): Promise<string[]> {
  const { examples } = await readDataset(data);
  const byFile = new Map<string, Input>(examples.map((example) => [example.file, example]));
  const found = files.map((file) => {
    const input = byFile.get(file);
    if (!input) {
      throw new UserError(`${file} is not in ${data}: name the data set of the features with --data`);
    }
    return input;
  });
  const small: string[] = [];
  for (const { image } of found) small.push(await shrink(await readImage(image)));
  return small;
}

async function shrink(image: Uint8Array): Promise<string> {
  const bytes = await sharp(image)
    .rotate()
    .resize(side, side, { fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#ffffff' })
    .webp({ quality: 70 })
    .toBuffer();
  return `data:image/webp;base64,${bytes.toString('base64')}`;
}
