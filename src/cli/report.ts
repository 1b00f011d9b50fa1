/** toehold report RUN: page, tables and figures from the records of a run alone; of several runs, what each measured. */
import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import { claimFolder, UserError } from '../base/index.js';
import { type BackboneScores, writeComparison, writeReport } from '../report/index.js';
import { catalogue } from '../study/index.js';
import { margin, marginHelp } from './flags.js';
import { note, printJson, printText } from './output.js';

interface ReportFlags {
  json?: boolean;
  margin?: number;
  output?: string;
  store?: string[];
  force?: boolean;
}

export function registerReport(program: Command): void {
  program
    .command('report')
    .description(
      'write report.html, tables and figures of a run, a probe or a training from its record; of several, a comparison',
    )
    .argument('<runs...>', 'folders that toehold run, ask, demo, train or probe -o wrote')
    .option('--margin <points>', `${marginHelp}; instead of the run’s`, margin)
    .addOption(new Option('-o, --output <dir>', 'of several runs: where the comparison goes (default: "comparison")'))
    .addOption(
      new Option(
        '--store <dir>',
        'of several runs: a feature store of one of their backbones, whose scores stand beside what was measured; may be repeated',
      ).argParser((value: string, before: string[] = []) => [...before, value]),
    )
    .option('--force', 'write into a folder that holds something else')
    .option('--json', 'one JSON document on stdout')
    .action(async (runs: string[], flags: ReportFlags) => {
      if (runs.length > 1) {
        await compare(runs, flags);
        return;
      }
      if (flags.store !== undefined) throw new UserError('--store is for the comparison of several runs');
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
  const written = await writeComparison(runs, output, catalogue, await scoresOf(flags.store ?? []));
  for (const text of written.notes) note(text);
  if (flags.json) printJson(written);
  else
    printText([
      `comparison: ${written.report}, ${written.runs} runs on ${written.tasks} shared tasks, ${written.paired} differences on the same test examples`,
    ]);
}

/** Scores of the last layers of stores, each store by itself: they may be of different data. */
async function scoresOf(stores: readonly string[]): Promise<BackboneScores[]> {
  if (stores.length === 0) return [];
  const [{ createEngine }, { openStore }, { featureScores, scoreStores, sourceScores }] = await Promise.all([
    import('../engine/index.js'),
    import('../features/index.js'),
    import('../probe/index.js'),
  ]);
  const engine = await createEngine();
  const found: BackboneScores[] = [];
  for (const store of stores) {
    const { meta } = await openStore(store);
    const { stores: scored } = await scoreStores(engine, [store], { target: 'class', alignment: false });
    const [own] = scored;
    const last = own?.taps[own.last]?.scores ?? {};
    const scores = [...featureScores, ...sourceScores].flatMap(({ id, label }) => {
      const value = last[id] ?? own?.source[id];
      return value === undefined ? [] : [{ label, value }];
    });
    found.push({ model: meta.model.sha256, data: basename(meta.data.root), scores });
  }
  return found;
}
