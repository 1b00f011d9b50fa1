/** toehold features STORE --format F -o FILE: the features of a store as one matrix, for other programs. */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { claimFile, given } from '../base/index.js';
import { openStore, tableFormats, tableOf } from '../features/index.js';
import { addOutput, type OutputFlags } from './flags.js';
import { printJson, printText } from './output.js';

interface FeaturesFlags extends OutputFlags {
  format: string;
  splits?: string[];
  json?: boolean;
}

export function registerFeatures(program: Command): void {
  const formats = Object.entries(tableFormats).map(([name, { text }]) => `  ${name.padEnd(12)} ${text}`);
  const command = program
    .command('features')
    .description('write the features of a store as one matrix: a row an image, a column a feature')
    .argument('<store>', 'folder that toehold extract wrote')
    .addOption(new Option('--format <name>', 'of the file').choices(Object.keys(tableFormats)).makeOptionMandatory())
    .option('--splits <names>', 'these alone, with commas', (text) => text.split(','))
    .option('--json', 'print one JSON document')
    .addHelpText('after', `\nFormats:\n${formats.join('\n')}\n\nFeatures are called tap/pooling[channel,row,column].`);
  addOutput(command, { kind: 'file', text: 'file to write', required: true });
  command.action(async (directory: string, flags: FeaturesFlags) => {
    const { output, format, splits } = flags;
    await claimFile(output, (path) => isTable(path, format), given({ force: flags.force }));
    const store = await openStore(directory);
    const table = tableOf(store, splits);
    const files = await (tableFormats[format] as (typeof tableFormats)[string]).write(table, output);
    const [images, features] = [table.rows.length, table.columns.length];
    if (flags.json) printJson({ store: directory, format, images, features, files });
    else printText([`${files.join(', ')}: ${images} images x ${features} features`]);
  });
}

const beginnings: Readonly<Record<string, string>> = {
  npy: '\x93NUMPY',
  parquet: 'PAR1',
  mat: 'MATLAB 5.0 MAT-file, written by toehold',
};

/** Whether a file that is there begins as the format does. */
async function isTable(path: string, format: string): Promise<boolean> {
  const bytes = await readFile(path);
  const beginning = beginnings[format];
  return beginning === undefined
    ? bytes.includes('"features":{"dtype"')
    : bytes.subarray(0, beginning.length).toString('latin1') === beginning;
}
