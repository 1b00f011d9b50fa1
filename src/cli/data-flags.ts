/** Flags that say how a data set is read. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { DatasetOptions } from '../data/index.js';
import { addPixelFlag } from './flags.js';

export interface DataFlags {
  groupFrom?: string;
  allowOutside?: boolean;
  nearDuplicates?: boolean;
  encoding?: string;
}

export function addDataFlags(command: Command): Command {
  return addPixelFlag(command)
    .option('--group-from <column:regex>', "examples of one group stay together: source:'/(\\d+)_'")
    .option('--near-duplicates', 'find images that look alike; they stay together, too')
    .option('--encoding <name>', 'of a manifest that is not UTF-8: windows-1252, ...')
    .option('--allow-outside', 'let a manifest list images that lie outside its folder');
}

export function dataOptions({ groupFrom, allowOutside, nearDuplicates, encoding }: DataFlags): DatasetOptions {
  return { groupFrom, allowOutside, nearDuplicates, encoding };
}

/** What of a data set a command may not write over or into: a folder of classes as a whole, of a manifest the file. */
export async function dataInput(data: string): Promise<string> {
  const manifest = join(data, 'labels.csv');
  return access(manifest).then(
    () => manifest,
    () => data,
  );
}
