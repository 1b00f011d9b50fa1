/** toehold report RUN: page, tables and figures from the records of a run alone; of several runs, what each measured. */
import { type Command, Option } from 'commander';
import { claimFolder, UserError } from '../base/index.js';
import { writeComparison, writeReport } from '../report/index.js';
import { catalogue } from '../study/index.js';
import { margin, marginHelp } from './flags.js';
import { note, printJson, printText } from './output.js';

interface ReportFlags {
  json?: boolean;
  margin?: number;
  output?: string;
  force?: boolean;
}

export function registerReport(program: Command): void {
  program
    .command('report')
    .description('write report.html, tables and figures of a run or a probe from its record; of several, a comparison')
    .argument('<runs...>', 'folders that toehold run, ask, demo or probe -o wrote')
    .option('--margin <points>', `${marginHelp}; instead of the run’s`, margin)
    .addOption(new Option('-o, --output <dir>', 'of several runs: where the comparison goes (default: "comparison")'))
    .option('--force', 'write into a folder that holds something else')
    .option('--json', 'one JSON document on stdout')
    .action(async (runs: string[], flags: ReportFlags) => {
      if (runs.length > 1) {
        await compare(runs, flags);
        return;
      }
      if (flags.output !== undefined) {
        throw new UserError('-o is for the comparison of several runs: the report of one is written into its folder');
      }
      const written = await writeReport(runs[0] as string, catalogue, flags.margin);
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

async function compare(runs: readonly string[], flags: ReportFlags): Promise<void> {
  if (flags.margin !== undefined) throw new UserError('--margin is for the report of one run');
  const repeated = runs.find((run, i) => runs.indexOf(run) !== i);
  if (repeated !== undefined) throw new UserError(`${repeated} is named twice: name each run once`);
  const output = flags.output ?? 'comparison';
  await claimFolder(output, 'a comparison of runs', { force: flags.force, inputs: runs });
  const written = await writeComparison(runs, output, catalogue);
  if (flags.json) printJson(written);
  else printText([`comparison: ${written.report}, ${written.runs} runs on ${written.tasks} shared tasks`]);
}
