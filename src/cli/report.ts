/** toehold report RUN: page, tables and figures from the records of a run alone. */
import type { Command } from 'commander';
import { writeReport } from '../report/index.js';
import { catalogue } from '../study/index.js';
import { margin, marginHelp } from './flags.js';
import { note, printJson, printText } from './output.js';

export function registerReport(program: Command): void {
  program
    .command('report')
    .description('write report.html, tables and figures of a run or a probe from its record')
    .argument('<run>', 'folder that toehold run, demo or probe -o wrote')
    .option('--margin <points>', `${marginHelp}; instead of the run’s`, margin)
    .option('--json', 'one JSON document on stdout')
    .action(async (run: string, flags: { json?: boolean; margin?: number }) => {
      const written = await writeReport(run, catalogue, flags.margin);
      for (const failed of written.failed) note(`warning: ${failed}`);
      if (flags.json) printJson(written);
      else {
        printText([
          `report: ${written.report} (${(written.bytes / 1e6).toFixed(2)} MB)`,
          `${written.figures} figures, ${written.tables} tables beside it`,
        ]);
      }
    });
}
