/** Flags that say how a data set is read. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { DatasetOptions, SeveralLabels } from '../data/index.js';
import { addPixelFlag } from './flags.js';

/** What DATA may be. */
export const dataHelp =
  'folder of classes, with or without train/ and test/; manifest; Parquet, tar and others (docs/data.md); hf:datasets/owner/name';

export interface DataFlags {
  groupFrom?: string;
  allowOutside?: boolean;
  nearDuplicates?: boolean;
  encoding?: string;
  columns?: string;
  severalLabels?: SeveralLabels;
}

export function addDataFlags(command: Command): Command {
  return addPixelFlag(command)
    .option('--group-from <column:regex>', "examples of one group stay together: source:'/(\\d+)_'")
    .option('--near-duplicates', 'find images that look alike; they stay together, too')
    .option('--encoding <name>', 'of a manifest that is not UTF-8: windows-1252, ...')
    .option('--columns <names>', 'columns of a table: path=image,label=species (also class, split, group)')
    .addOption(
      new Option('--several-labels <choice>', 'of images that show several classes').choices([
        'largest',
        'skip',
        'all',
      ]),
    )
    .option('--allow-outside', 'let a manifest list images that lie outside its folder');
}

export function dataOptions({
  groupFrom,
  allowOutside,
  nearDuplicates,
  encoding,
  columns,
  severalLabels,
}: DataFlags): DatasetOptions {
  return { groupFrom, allowOutside, nearDuplicates, encoding, columns, severalLabels };
}

/** What of a data set a command may not write over or into: a folder of classes as a whole, of a manifest the file. */
export async function dataInput(data: string): Promise<string> {
  const manifest = join(data, 'labels.csv');
  return access(manifest).then(
    () => manifest,
    () => data,
  );
}
