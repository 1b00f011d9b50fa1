/** toehold verify DIR: are the files of a feature store those that were written? */
import type { Command } from 'commander';
import { WorkError } from '../base/index.js';
import { readStore, verifyStore } from '../features/index.js';
import { printJson, printText } from './output.js';

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('compare every file of a feature store with its hash in meta.json')
    .argument('<store>', 'folder that toehold extract wrote')
    .option('--json', 'print one JSON document')
    .action(async (directory: string, { json }: { json?: boolean }) => {
      const { files, faults } = verifyStore(await readStore(directory));
      if (json) printJson({ store: directory, files, faults });
      else
        printText([
          ...faults.map(({ file, fault }) => `${fault}: ${file}`),
          `${files - faults.length} of ${files} files are as they were written`,
        ]);
      if (faults.length > 0) {
        throw new WorkError(
          `${faults.length} of ${files} files are not as they were written: run the same extract again, which computes these anew`,
        );
      }
    });
}
