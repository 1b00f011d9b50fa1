/** toehold ask MODEL DATA: the answer without a config; toehold init MODEL DATA: the config. */
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  canonicalJson,
  claimFile,
  claimFolder,
  given,
  ownFile,
  sha256,
  UserError,
  writeFileAtomic,
} from '../base/index.js';
import { isHubName } from '../hub/index.js';
import { configOf, configText, fitInto, loadConfig, prepareStudy, type Question } from '../study/index.js';
import type { Logger } from '../transfer/index.js';
import { addBackboneFlags, type BackboneFlags, modelHelp } from './backbone-flags.js';
import { addDataFlags, type DataFlags, dataHelp, dataInput, dataOptions } from './data-flags.js';
import {
  addEngineFlags,
  addLogFlag,
  addOutput,
  type EngineFlags,
  margin,
  marginHelp,
  type OutputFlags,
  positiveSpan,
} from './flags.js';
import { addJobsFlag, engineOfJob, type JobFlags, jobCountOf } from './jobs.js';
import { printJson, printText } from './output.js';
import { addSplitFlags, type SplitFlags } from './split-flags.js';
import { doPrepared } from './study.js';

interface QuestionFlags extends BackboneFlags, DataFlags, SplitFlags, OutputFlags {
  margin?: number;
  training: boolean;
}
interface AskFlags extends QuestionFlags, EngineFlags, JobFlags {
  minutes?: number;
  log?: readonly Logger[];
  json?: boolean;
  quiet?: boolean;
}

/** What the config is called in the run folder. */
const configFile = 'study.yaml';

/** What editors complete and check a config by. */
const schemaFile = ownFile('configs/study.schema.json');

export function registerAsk(program: Command): void {
  const command = addQuestion(program.command('ask'))
    .description('what is this network worth on these images? probes, and training as far as there is time for it')
    .option(
      '--minutes <n>',
      'time that the answer may take, 10 by default and 1 with --no-training; what does not fit is said',
      positiveSpan,
    )
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addOutput(command, { kind: 'dir', text: 'run folder', fallback: 'toehold-answer' });
  addLogFlag(addEngineFlags(addJobsFlag(command, 1), { several: true })).action(
    (model: string, data: string, flags: AskFlags) => ask(model, data, { ...flags, jobs: jobCountOf(flags, command) }),
  );
}

export function registerInit(program: Command): void {
  const command = addQuestion(program.command('init')).description(
    'write the config of a study of a network on a data set, to edit and to run',
  );
  addOutput(command, { kind: 'file', text: 'config to write', fallback: configFile });
  command.option('--json', 'one JSON document on stdout');
  command.action(async (model: string, data: string, flags: QuestionFlags & { readonly json?: boolean }) => {
    const isConfig = async (path: string) => /^protocol:/m.test(await readFile(path, 'utf8'));
    await claimFile(flags.output, isConfig, { force: flags.force, inputs: [model] });
    const folder = dirname(resolve(flags.output));
    const config = configOf(questionOf(model, data, flags), folder);
    const file = resolve(flags.output);
    await writeFileAtomic(
      file,
      configText(config, [
        `yaml-language-server: $schema=${relative(folder, schemaFile).replaceAll('\\', '/')}`,
        `toehold run ${flags.output} -o runs/NAME; toehold schema describes every line`,
      ]),
    );
    await loadConfig(file);
    if (flags.json) {
      printJson({ output: flags.output, config });
      return;
    }
    printText([
      `written to ${flags.output}: toehold run ${flags.output} -o runs/NAME --dry-run says how long it takes`,
    ]);
  });
}

function addQuestion(command: Command): Command {
  command.argument('<model>', modelHelp).argument('<data>', dataHelp);
  return addSplitFlags(addDataFlags(addBackboneFlags(command)))
    .option('--margin <points>', marginHelp, margin)
    .option('--no-training', 'probes only');
}

function questionOf(model: string, data: string, flags: QuestionFlags): Question {
  const { preprocess, size, holdout, testSplit, margin: points, training } = flags;
  if (holdout === 0) {
    throw new UserError(
      '--holdout 0: an answer needs examples to test on; give a share, or name a split with --test-split',
    );
  }
  if (size && size[0] !== size[1]) {
    throw new UserError(`--size ${size.join('x')}: a study reads square images; give one number`);
  }
  return {
    model: isHubName(model) ? model : resolve(model),
    data: isHubName(data) ? data : resolve(data),
    ...given({
      preprocess: preprocess?.endsWith('.json') ? resolve(preprocess) : preprocess,
      size: size?.[0],
      ...dataOptions(flags),
      holdout,
      testSplit,
      margin: points,
      training,
    }),
  };
}

async function ask(model: string, data: string, flags: AskFlags): Promise<void> {
  const typed = `toehold ask ${model} ${data}`;
  const file = join(flags.output, configFile);
  const engine = await engineOfJob(flags);
  if (flags.job !== undefined) {
    await doPrepared(await prepareStudy(await loadConfig(file), engine), flags, typed);
    return;
  }
  await claimFolder(flags.output, 'a study', { force: flags.force, inputs: [model, await dataInput(data)] });
  const folder = resolve(flags.output);
  const config = configOf(questionOf(model, data, flags), folder);
  const { training, minutes = training ? 10 : 1 } = flags;
  // What fits is decided once: the same question in the same folder continues what was begun.
  const asked = `${typed} --minutes ${minutes} (${sha256(canonicalJson({ config, minutes })).slice(0, 12)})`;
  const before = await headingOf(file);
  const known = before[0] === asked;
  const prepared = known
    ? { ...(await prepareStudy(await loadConfig(file), engine)), ...given({ leftOut: before[1] }) }
    : await fitInto(config, folder, minutes, engine);
  if (!known) {
    const { leftOut } = prepared;
    const heading = [asked, ...(leftOut === undefined ? [] : [leftOut])];
    const text = configText(prepared.inputs.study.config, heading);
    await writeFileAtomic({ root: flags.output, file: configFile }, text);
  }
  await doPrepared(prepared, flags, typed);
}

/** The comment lines at the top of a config; none where there is no file. */
async function headingOf(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n');
  return lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('# ')),
    )
    .map((line) => line.slice(2));
}
