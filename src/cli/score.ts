/** toehold score STORE...: what taps and backbones are worth for a task by scores that train nothing. */
import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { claimFile, createStatus, given, writeFileAtomic } from '../base/index.js';
import {
  alignmentCsv,
  featureScores,
  type Normalisation,
  scoreStores,
  scoringCsv,
  scoringDefaults,
  scoringText,
  selectScores,
  sourceScores,
  spectralMeasures,
} from '../probe/index.js';
import {
  addEngineFlags,
  addOutput,
  createEngine,
  type EngineFlags,
  type OutputFlags,
  positiveNumber,
  wholeNumber,
} from './flags.js';
import { note, printJson, printText } from './output.js';
import { addSplitFlags, type SplitFlags } from './split-flags.js';

interface ScoreFlags extends EngineFlags, SplitFlags, Partial<OutputFlags> {
  target?: 'class' | 'none';
  scores?: string[];
  taps?: string[];
  pool?: string;
  normalise: Normalisation;
  examples: number;
  seed: number;
  alignment: boolean;
  neighbours: number;
  ckaOutput?: string;
  json?: boolean;
  quiet?: boolean;
}

function names(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.includes('')) throw new InvalidArgumentError('give names with commas between them.');
  return parts;
}

const line = ({ id, label, source }: { id: string; label: string; source: string }) =>
  `  ${id.padEnd(20)} ${label} (${source})`;

export function registerScore(program: Command): void {
  const catalogue = [...featureScores, ...sourceScores].map(line);
  const measures = spectralMeasures.map(line);
  const command = program
    .command('score')
    .description('scores of every tap of one or several feature stores without training')
    .argument('<stores...>', 'folders that toehold extract wrote, of the same images')
    .addOption(
      new Option('--target <kind>', 'none: read no labels; default: class where every store holds labels').choices([
        'class',
        'none',
      ]),
    )
    .option('--scores <names>', 'these alone, with commas', names)
    .option('--taps <globs>', 'these alone, with commas', names)
    .option('--pool <spec>', 'one pooling of the store; default: each that it holds')
    .addOption(
      new Option('--normalise <how>', 'features as they are, as published, or of unit norm')
        .choices(['none', 'unit'])
        .default(scoringDefaults.normalisation),
    )
    .option('--examples <n>', 'training examples that are read at most', positiveNumber, scoringDefaults.examples)
    .option('--seed <n>', 'of the drawn examples, of NLEEP and of batches', wholeNumber, scoringDefaults.seed)
    .option('--no-alignment', 'do not compare taps with one another (CKA, nearest neighbours)')
    .option(
      '--neighbours <k>',
      'nearest neighbours of an example that are compared',
      positiveNumber,
      scoringDefaults.neighbours,
    )
    .option('--cka-output <file>', 'CSV of the alignment of every two taps, of all stores')
    .option('--json', 'print one JSON document')
    .option('--quiet', 'no progress')
    .addHelpText(
      'after',
      `\nScores:\n${catalogue.join('\n')}\nWithout labels:\n${measures.join('\n')}\n\nLabels of test examples are not read. docs/scores.md has their faults.`,
    );
  addOutput(command, { kind: 'file', text: 'CSV of the scores to write' });
  addSplitFlags(addEngineFlags(command)).action(score);
}

async function score(stores: string[], flags: ScoreFlags): Promise<void> {
  const { output, ckaOutput, force } = flags;
  const scores = flags.scores && selectScores(flags.scores);
  for (const [file, header] of [
    [output, 'store,model,tap,'],
    [ckaOutput, 'store,tap,other store,'],
  ] as const) {
    if (file !== undefined) await claimFile(file, (path) => beginsWith(path, header), given({ force }));
  }
  const engine = await createEngine(flags);
  const status = createStatus({ quiet: flags.quiet === true || flags.json === true });
  const scoring = await scoreStores(engine, stores, {
    target: flags.target,
    scores,
    taps: flags.taps,
    pool: flags.pool,
    normalisation: flags.normalise,
    examples: flags.examples,
    seed: flags.seed,
    holdout: flags.holdout,
    testSplit: flags.testSplit,
    alignment: flags.alignment || ckaOutput !== undefined,
    neighbours: flags.neighbours,
    progress: (text) => status.show(text),
  });
  status.end();
  if (output !== undefined) await writeFileAtomic(output, await scoringCsv(scoring));
  if (ckaOutput !== undefined) await writeFileAtomic(ckaOutput, await alignmentCsv(scoring));
  if (flags.json) printJson(scoring);
  else printText([scoringText(scoring)]);
  for (const file of [output, ckaOutput]) if (file !== undefined) note(`written to ${file}`);
}

const beginsWith = async (path: string, header: string) => (await readFile(path, 'utf8')).startsWith(header);
