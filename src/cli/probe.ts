/** toehold probe: linear probes, selections and baselines on features. */
import { type Command, Option } from 'commander';
import {
  claimFile,
  claimFolder,
  createStatus,
  createSteps,
  UserError,
  WorkError,
  writeFileAtomic,
} from '../base/index.js';
import { type TargetKind, targetKinds } from '../data/index.js';
import {
  type ClassWeight,
  type Criterion,
  checkTargets,
  classWeights,
  criteria,
  type KeepRule,
  keepRules,
  methods,
  type Normalisation,
  normalisations,
  probeDefaults,
  probeFiles,
  probeJson,
  probeRecord,
  readNpz,
  runProbes,
  runValued,
  selectMethods,
  selectValued,
  sourceDefaults,
  taskFromArrays,
  taskFromStore,
  usualValued,
  valuedJson,
  valuedRecord,
  valuedTable,
  weightsNpz,
  writeProbeRun,
  writeValued,
} from '../probe/index.js';
import { faultOf, type ValuedKind, withMargin } from '../record/index.js';
import { NamesOption } from './completion.js';
import {
  addEngineFlags,
  addOutput,
  bytes,
  createEngine,
  type EngineFlags,
  margin,
  marginHelp,
  number,
  type OutputFlags,
  wholeNumber,
} from './flags.js';
import { commandLine, note, printJson, printText } from './output.js';
import { addRecipeFlags, list, type RecipeFlags, recipeOptions } from './recipe-flags.js';
import { addSplitFlags, type SplitFlags } from './split-flags.js';
import { terminalText } from './terminal.js';

interface Flags extends EngineFlags, SplitFlags, RecipeFlags, Partial<OutputFlags> {
  method: string;
  target: TargetKind;
  features?: string;
  labels?: string;
  testFeatures?: string;
  testLabels?: string;
  groups?: string;
  encoding?: string;
  testGroups?: string;
  control?: string;
  pool?: string[];
  normalise: Normalisation;
  folds: number;
  seed: number;
  lambdas: number;
  lambdaRatio: number;
  lambdaGrid?: number[];
  tol: number;
  keep: number[];
  l2: number[];
  select?: string;
  choose: Criterion;
  keepRule: KeepRule;
  classWeight: ClassWeight;
  repetitions: number;
  leaveOut: number;
  perTap?: boolean;
  tapFeatures?: number | 'equal';
  margin?: number;
  rankWindows?: boolean;
  memory: number;
  saveWeights?: string;
  json?: boolean;
  quiet?: boolean;
}

const defaultMethods = 'linear,all-l2,head2toe';

export function registerProbe(program: Command): void {
  const command = program
    .command('probe')
    .description('fit probes on features and report what they selected')
    .argument('[store]', 'feature store written by toehold extract')
    .addOption(
      new NamesOption(
        '-m, --method <names>',
        'methods, comma-separated',
        methods.map(({ card }) => card.id),
      ).default(defaultMethods),
    )
    .addOption(
      new Option(
        '--target <kind>',
        'what labels are: a class, one or several numbers, or the set of labels that are true (with | between them)',
      )
        .choices(targetKinds)
        .default('class'),
    )
    .option('--features <file>', '.npy of shape (n, p), instead of a store')
    .option('--labels <file>', 'labels of its rows: .npy, or text with one per line')
    .option('--test-features <file>', '.npy of the test set')
    .option('--test-labels <file>', 'labels of the test set')
    .option('--encoding <name>', 'of text files of labels and groups that are not UTF-8: windows-1252, ...')
    .option('--groups <file>', 'group of every row (.npy or text): groups stay together in folds')
    .option('--test-groups <file>', 'group of every test row: intervals are over groups')
    .option('--control <store>', "second backbone's store of the same images, for method control")
    .option(
      '--pool <list>',
      'poolings of the store that every method chooses from by validation, such as target:512,target:8192 (gap+max: two together); default: all that it holds',
      (text: string) => text.split(',').map((pool) => pool.trim()),
    )
    .addOption(
      new Option('--normalise <how>', 'of features: unit norm per tap and example, per-feature standardisation')
        .choices(normalisations)
        .default(probeDefaults.normalisation),
    )
    .option('--folds <k>', 'cross-validation folds inside the training rows', wholeNumber, probeDefaults.folds)
    .option('--seed <n>', 'seed of folds and random choices', wholeNumber, probeDefaults.seed)
    .option('--lambdas <count>', 'lambdas of the path', wholeNumber, probeDefaults.lambdaCount)
    .option('--lambda-ratio <r>', 'smallest lambda / lambda_max', number, probeDefaults.lambdaRatio)
    .option('--lambda-grid <list>', 'ratios to lambda_max, falling, instead of the two above', list)
    .option('--tol <gap>', 'relative duality gap', number, probeDefaults.tolerance)
    .option('--keep <list>', 'keep fractions tried', list, [...probeDefaults.fractions])
    .option('--l2 <list>', 'l2 penalties tried', list, [...probeDefaults.l2])
    .addOption(
      new Option(
        '--choose <by>',
        'penalties are chosen by their accuracy or log loss (at its best temperature) in validation',
      )
        .choices(criteria)
        .default(probeDefaults.choose),
    )
    .addOption(
      new Option(
        '--keep-rule <rule>',
        'one-se: keep the fewest features that are within one standard error of the best; margin: within --margin of it; max: the best',
      )
        .choices(keepRules)
        .default(probeDefaults.keepRule),
    )
    .addOption(
      new Option(
        '--class-weight <how>',
        'balanced: classes count alike in linear probes and in what settings are chosen by',
      )
        .choices(classWeights)
        .default(probeDefaults.classWeight),
    )
    .addOption(
      new Option(
        '--select <how>',
        'stable: add the method of that name, features that halves of the examples keep selecting, with a bound on those by chance',
      ).choices(['stable']),
    );
  addRecipeFlags(command);
  command
    .option(
      '--repetitions <n>',
      'pairs of halves of the examples on which the stability of selections is measured; 0: none',
      wholeNumber,
      probeDefaults.repetitions,
    )
    .option(
      '--leave-out <n>',
      'refit each probe without each of the n taps that it owes most to; 0: none',
      wholeNumber,
      probeDefaults.leaveOut,
    )
    .option('--per-tap', 'accuracy of every tap alone and added to the last')
    .option(
      '--tap-features <n>',
      'features that each of these probes may use, drawn at random; equal: as many as the narrowest tap has',
      (text: string) => (text === 'equal' ? text : wholeNumber(text)),
    )
    .option('--rank-windows', 'accuracy of windows of the head2toe ranking')
    .option('--margin <points>', marginHelp, margin)
    .addOption(
      new Option('--memory <size>', 'feature values held at once: 16G')
        .argParser(bytes)
        .default(sourceDefaults.memory, '2G'),
    )
    .option('--save-weights <file>', '.npz with W (p, K), b (K) and temperature of the last method')
    .option('--json', 'print one JSON document')
    .option('--quiet', 'no progress');
  addOutput(command, {
    kind: 'dir',
    text: 'write the record, selection, path, predictions and weights here',
    formerly: '--out',
  });
  addSplitFlags(addEngineFlags(command)).action(probe);
}

async function probe(store: string | undefined, flags: Flags): Promise<void> {
  if (flags.target !== 'class') return probeValues(store, flags, flags.target);
  await claimOutputs(store, flags);
  const added = [flags.faithful ? 'head2toe-faithful' : '', flags.select ?? ''];
  const methods = selectMethods([flags.method, ...added].join(','));
  const scored = await readTask(store, flags, sourceOptions(flags));
  const { task, targets } = scored;
  note(`note: ${scored.split}`);
  if (targets) checkTargets(task, targets);
  const engine = await createEngine(flags);
  const status = createStatus({ quiet: flags.quiet === true || flags.json === true });
  const timed = createSteps();
  const run = await runProbes(engine, task, methods, {
    normalisation: flags.normalise,
    ...tuningOf(flags),
    choose: flags.choose,
    keepRule: flags.keepRule,
    keepMargin: flags.keepRule === 'margin' && flags.margin !== undefined ? flags.margin / 100 : undefined,
    classWeight: flags.classWeight,
    repetitions: flags.repetitions,
    leaveOut: flags.leaveOut,
    ...recipeOptions(flags),
    perTap: flags.perTap === true ? 'withLast' : undefined,
    tapFeatures: flags.tapFeatures === 'equal' ? Math.min(...task.taps.map((t) => t.features)) : flags.tapFeatures,
    rankWindows: flags.rankWindows === true,
    progress: (text) => status.show(timed(text)),
  });
  status.end();
  const measured = probeRecord(engine, run, scored, commandLine());
  const record = flags.margin === undefined ? measured : withMargin(measured, flags.margin);
  if (flags.output !== undefined) await writeProbeRun(run, record, targets, flags.output);
  if (flags.saveWeights !== undefined) {
    const last = run.results.findLast(({ fit }) => fit.model)?.fit;
    if (!last?.model) throw new UserError('--save-weights: no method of this run is a linear probe on the features');
    await writeFileAtomic(flags.saveWeights, weightsNpz(last.model, last.temperature));
  }
  if (flags.json) printJson(probeJson(record));
  else {
    printText([terminalText(record)]);
    if (flags.output !== undefined)
      note(`written to ${flags.output}; toehold report ${flags.output} makes a page of it`);
  }
  const fault = faultOf(record);
  if (fault !== undefined) throw new WorkError(fault);
}

const sourceOptions = (flags: Flags) => ({
  normalisation: flags.normalise,
  memory: flags.memory,
  holdout: flags.holdout,
  testSplit: flags.testSplit,
  pools: flags.pool,
  encoding: flags.encoding,
});

/** What probes of every target are tuned by. */
const tuningOf = (flags: Flags) => ({
  folds: flags.folds,
  seed: flags.seed,
  lambdaCount: flags.lambdas,
  lambdaRatio: flags.lambdaRatio,
  lambdaRatios: flags.lambdaGrid,
  tolerance: flags.tol,
  fractions: flags.keep,
  l2: flags.l2,
});

/** Real values and several labels: other methods, other scores, files of their own. */
async function probeValues(store: string | undefined, flags: Flags, kind: ValuedKind): Promise<void> {
  const { output, force, saveWeights, control, perTap, rankWindows, faithful, pool } = flags;
  const ofClasses = Object.entries({ control, perTap, rankWindows, faithful, saveWeights }).find(([, value]) => value);
  if (ofClasses) {
    const flag = ofClasses[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UserError(`--${flag} is for probes of classes, not for --target ${kind}: leave it out`);
  }
  if (pool && pool.length > 1) throw new UserError(`--target ${kind} reads one pooling: name one with --pool`);
  const { features, labels, testFeatures, testLabels, groups, testGroups } = flags;
  const inputs = [features, labels, testFeatures, testLabels, groups, testGroups, store];
  if (output !== undefined) await claimFolder(output, 'probes of values', { force, inputs, files: probeFiles });
  const names = flags.method === defaultMethods ? usualValued : flags.method.split(',');
  const methods = selectValued(
    names.map((name) => name.trim()),
    kind,
  );
  const scored = await readTask(store, flags, { ...sourceOptions(flags), valued: true });
  note(`note: ${scored.split}`);
  const engine = await createEngine(flags);
  const status = createStatus({ quiet: flags.quiet === true || flags.json === true });
  const run = await runValued(engine, scored, kind, methods, {
    ...tuningOf(flags),
    standardize: flags.normalise.includes('standard'),
    progress: (text) => status.show(text),
  });
  status.end();
  if (output !== undefined) {
    const { folds, seed, normalise: normalisation } = flags;
    const measured = valuedRecord(engine, run, { command: commandLine(), options: { folds, seed, normalisation } });
    const record = flags.margin === undefined ? measured : withMargin(measured, flags.margin);
    await writeValued(run, record, normalisation, output);
  }
  if (flags.json) printJson(valuedJson(run));
  else {
    printText([valuedTable(run)]);
    if (output !== undefined) note(`written to ${output}; toehold report ${output} makes a page of it`);
  }
}

async function claimOutputs(store: string | undefined, flags: Flags): Promise<void> {
  const { features, labels, testFeatures, testLabels, groups, testGroups, control, force, output, saveWeights } = flags;
  const files = [features, labels, testFeatures, testLabels, groups, testGroups];
  const stores = [store, control];
  if (output !== undefined) {
    await claimFolder(output, 'probes', { force, inputs: [...files, ...stores], files: probeFiles });
  }
  if (saveWeights !== undefined) await claimFile(saveWeights, isWeights, { force, inputs: files });
}

/** Whether a file is what --save-weights writes. */
async function isWeights(path: string): Promise<boolean> {
  const arrays = await readNpz(path).catch(() => ({}));
  return ['W', 'b', 'temperature'].every((name) => Object.hasOwn(arrays, name));
}

async function readTask(store: string | undefined, flags: Flags, source: Parameters<typeof taskFromStore>[1]) {
  if (store !== undefined) {
    if (flags.features !== undefined || flags.labels !== undefined) {
      throw new UserError('give either a store or --features and --labels, not both');
    }
    return taskFromStore(store, source, flags.control);
  }
  if (flags.pool !== undefined) {
    throw new UserError('--pool chooses among the poolings of a store: --features are taken as they are');
  }
  if (flags.features === undefined || flags.labels === undefined) {
    throw new UserError('give a feature store, or --features X.npy and --labels y.npy');
  }
  return taskFromArrays(
    {
      features: flags.features,
      labels: flags.labels,
      testFeatures: flags.testFeatures,
      testLabels: flags.testLabels,
      groups: flags.groups,
      testGroups: flags.testGroups,
    },
    source,
  );
}
