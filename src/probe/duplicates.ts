/** Examples that are given twice: a test example that was trained on says nothing, and a validation example no more. */
import { basename } from 'node:path';
import type { FeatureMatrix } from '../solver/index.js';
import type { Labelled, ScoredTask } from './task.js';

/** Sentence on test rows that are also training rows: equal features, as float32, before normalisation. */
export async function duplicateWarnings({ task: { train, test } }: Pick<ScoredTask, 'task'>): Promise<string[]> {
  if (!test) return [];
  const first = new Map<string, number>();
  for (const [row, hash] of (await rowHashes(train.matrix)).entries()) if (!first.has(hash)) first.set(hash, row);
  const found = (await rowHashes(test.matrix)).flatMap((hash, row) => {
    const same = first.get(hash);
    return same === undefined ? [] : [[row, same] as const];
  });
  const [example] = found;
  if (!example) return [];
  return [
    `${found.length} of ${test.matrix.rows} test rows ${found.length === 1 ? 'equals' : 'equal'} a training row (${test.files[example[0]]} and ${train.files[example[1]]}${found.length > 1 ? ', for example' : ''}): the test is too easy by them; leave them out of one side`,
  ];
}

/** Sentence on rows of a table that equal earlier ones, of another group where there are groups. @param name of the table */
export async function repeatedRows(
  { matrix, groups }: Pick<Labelled, 'matrix' | 'groups'>,
  name: string,
): Promise<string[]> {
  const first = new Map<string, number>();
  let repeated = 0;
  for (const [row, hash] of (await rowHashes(matrix)).entries()) {
    const earlier = first.get(hash);
    if (earlier === undefined) first.set(hash, row);
    else if (!groups || groups[earlier] !== groups[row]) repeated++;
  }
  if (repeated === 0) return [];
  const where = groups ? ' of another group' : '';
  return [
    `${repeated} of ${matrix.rows} rows of ${basename(name)} ${repeated === 1 ? `equals an earlier one${where}` : `equal earlier ones${where}`}: kept together where rows are divided`,
  ];
}

/** A 64-bit hash of every row's features (Murmur3's mixing, twice with different constants). */
export async function rowHashes(matrix: FeatureMatrix): Promise<string[]> {
  const n = matrix.rows;
  const [a, b] = [new Int32Array(n), new Int32Array(n).fill(0x9747b28c)];
  for await (const { count, data } of matrix.chunks()) {
    const bits = new Int32Array(data.buffer, data.byteOffset, count * n);
    for (let k = 0, at = 0; k < count; k++) {
      for (let i = 0; i < n; i++, at++) {
        const word = bits[at] as number;
        // Both zeros are one number.
        const value = word === -0x80000000 ? 0 : word;
        a[i] = mix(a[i] as number, value, 0xcc9e2d51, 0x1b873593);
        b[i] = mix(b[i] as number, value, 0x239b961b, 0x38b34ae5);
      }
    }
  }
  return Array.from(a, (v, i) => `${v} ${b[i]}`);
}

function mix(hash: number, value: number, first: number, second: number): number {
  let word = Math.imul(value, first);
  word = Math.imul((word << 15) | (word >>> 17), second);
  const next = hash ^ word;
  return (Math.imul((next << 13) | (next >>> 19), 5) + 0xe6546b64) | 0;
}
