/** Content hashes of images: they name what was computed on, and find the same image in two splits. */
import { sha256 } from '../base/index.js';
import { type EncodedImage, readImage } from './image.js';

/** Enough to hide the latency of a disk or a network file system; the files are small. */
const readers = 8;

/**
 * sha256 of every image's encoded bytes, in the given order.
 * @throws UserError naming the file that cannot be read
 */
export async function fingerprintImages(images: readonly EncodedImage[]): Promise<string[]> {
  const hashes = new Array<string>(images.length);
  let next = 0;
  async function reader(): Promise<void> {
    for (let i = next++; i < images.length; i = next++) {
      hashes[i] = sha256(await readImage(images[i] as EncodedImage));
    }
  }
  await Promise.all(Array.from({ length: readers }, reader));
  return hashes;
}

/** An example as far as duplicates go. */
export interface Placed {
  readonly file: string;
  readonly split: string;
  /** Absent where nobody gave a label. */
  readonly class?: string | undefined;
}

/**
 * Warnings about images whose bytes occur in more than one split (the test is then too easy), under more than one class, or
 * several times in one class of one split: these count as one group, see groupDuplicates.
 * @param hashes one per example, from fingerprintImages
 */
export function duplicateWarnings(examples: readonly Placed[], hashes: readonly string[]): string[] {
  const byHash = new Map<string, Placed[]>();
  hashes.forEach((hash, i) => {
    const example = examples[i] as Placed;
    const same = byHash.get(hash);
    if (same) same.push(example);
    else byHash.set(hash, [example]);
  });
  const differing = (key: 'split' | 'class') =>
    [...byHash.values()]
      .map((same) => same.filter((e) => e[key] !== undefined))
      .filter((same) => new Set(same.map((e) => e[key])).size > 1);
  const first = (found: readonly Placed[][], key: 'split' | 'class') => {
    const [a, ...rest] = found[0] as [Placed, ...Placed[]];
    return `${a.file} = ${rest.find((b) => b[key] !== a[key])?.file}`;
  };
  const warnings: string[] = [];
  const splits = differing('split');
  if (splits.length > 0) {
    const names = [...new Set(splits.flat().map((e) => e.split))].sort();
    warnings.push(
      `${splits.length} ${splits.length === 1 ? 'image occurs' : 'images occur'} in more than one of the splits ${names.join(', ')} (${first(splits, 'split')}): the test is too easy`,
    );
  }
  const classes = differing('class');
  if (classes.length > 0) {
    warnings.push(
      `${classes.length} ${classes.length === 1 ? 'image occurs' : 'images occur'} under more than one class (${first(classes, 'class')})`,
    );
  }
  const repeated = [...byHash.values()].filter(
    (same) => new Set(same.map((e) => `${e.split}\n${e.class}`)).size < same.length,
  );
  if (repeated.length > 0) {
    const copies = repeated.reduce((sum, same) => sum + same.length, 0);
    const [a, b] = repeated[0] as [Placed, Placed];
    warnings.push(
      `${repeated.length} ${repeated.length === 1 ? 'image occurs' : 'images occur'} several times, as ${copies} files (${a.file} = ${b.file}): kept together where examples are divided`,
    );
  }
  return warnings;
}
