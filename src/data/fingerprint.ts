/** Content hashes of images: they name what was computed on, and find the same image in two splits. */
import { readFile as readFileWithCallback } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileError, sha256 } from '../base/index.js';
import type { Dataset } from './example.js';

// A third less CPU time a file than the function of the same name in node:fs/promises.
const readFile = promisify(readFileWithCallback);

/** Enough to hide the latency of a disk or a network file system; the files are small. */
const readers = 8;

/**
 * sha256 of every example's file bytes, in the examples' order.
 * @throws UserError naming the file that cannot be read
 */
export async function fingerprintDataset(dataset: Pick<Dataset, 'root' | 'examples'>): Promise<string[]> {
  const { root, examples } = dataset;
  const hashes = new Array<string>(examples.length);
  let next = 0;
  async function reader(): Promise<void> {
    for (let i = next++; i < examples.length; i = next++) {
      const path = join(root, (examples[i] as Dataset['examples'][number]).file);
      const bytes = await readFile(path).catch((error) => {
        throw fileError(error, path);
      });
      hashes[i] = sha256(bytes);
    }
  }
  await Promise.all(Array.from({ length: readers }, reader));
  return hashes;
}

/**
 * Warnings about images whose bytes occur in more than one split (the test is then no test of them) or under more than
 * one class.
 * @param hashes one per example, from fingerprintDataset
 */
export function duplicateWarnings(dataset: Dataset, hashes: readonly string[]): string[] {
  const byHash = new Map<string, number[]>();
  hashes.forEach((hash, i) => {
    const same = byHash.get(hash);
    if (same) same.push(i);
    else byHash.set(hash, [i]);
  });
  const example = (i: number) => dataset.examples[i] as Dataset['examples'][number];
  const differing = (key: 'split' | 'class') =>
    [...byHash.values()].filter((same) => new Set(same.map((i) => example(i)[key])).size > 1);
  const first = (found: number[][], key: 'split' | 'class') => {
    const [a, ...rest] = found[0] as [number, ...number[]];
    const b = rest.find((i) => example(i)[key] !== example(a)[key]) as number;
    return `${example(a).file} = ${example(b).file}`;
  };
  const warnings: string[] = [];
  const splits = differing('split');
  if (splits.length > 0) {
    const names = [...new Set(splits.flat().map((i) => example(i).split))].sort();
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
  return warnings;
}
