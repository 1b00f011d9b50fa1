/** toehold train: fine-tune, train from scratch, copy layers and freeze them. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { claimFolder, createProgress, given, type Progress } from '../base/index.js';
import { type TargetKind, targetKinds } from '../data/index.js';
import { architectures, type Initialisation, initialisations } from '../graph/index.js';
import { recordFile } from '../record/index.js';
import { writeReport } from '../report/index.js';
import {
  type Augmentation,
  augmentations,
  type Curve,
  type Logger,
  runTrainJob,
  scheduleKinds,
  type TrainJob,
  type TrainPreset,
  type TrainSummary,
  type TreatmentName,
  trainDefaults,
  trainFiles,
  trainPresets,
  treatmentNames,
  type UnfoldNorms,
  unfoldChoices,
  writeCurves,
} from '../transfer/index.js';
import { addBackboneFlags, type BackboneFlags, modelHelp } from './backbone-flags.js';
import { addDataFlags, type DataFlags, dataHelp, dataInput, dataOptions } from './data-flags.js';
import {
  addEngineFlags,
  addLogFlag,
  addOutput,
  createEngine,
  type EngineFlags,
  number,
  type OutputFlags,
  wholeNumber,
} from './flags.js';
import { commandLine, note, printJson, printText } from './output.js';
import { onStop } from './signals.js';
import { addSplitFlags, type SplitFlags } from './split-flags.js';

interface Flags extends EngineFlags, BackboneFlags, SplitFlags, DataFlags, OutputFlags {
  treatment: TreatmentName;
  log?: readonly Logger[];
  layers?: number;
  preserve?: number;
  copyFrom?: string;
  unfreezeFrom?: string;
  target: TargetKind;
  preset?: TrainPreset;
  epochs?: number;
  steps?: number;
  batch?: number;
  lr?: number;
  schedule?: (typeof scheduleKinds)[number];
  warmup?: number;
  optimizer?: 'sgd' | 'nesterov' | 'adam' | 'adamw';
  momentum?: number;
  weightDecay?: number;
  decayMode?: 'coupled' | 'decoupled' | 'kornblith';
  decayAll?: boolean;
  clip?: number;
  labelSmoothing?: number;
  backboneLrScale?: number;
  biasLrScale?: number;
  layerDecay?: number;
  normMomentum?: number | 'kornblith' | 'model';
  ema?: number;
  augment?: Augmentation;
  init?: Initialisation;
  unfoldNorms: UnfoldNorms;
  evaluateEvery?: number;
  checkpointEvery?: number;
  checkpointSteps?: number;
  seed?: number;
  json?: boolean;
  quiet?: boolean;
}

const momentumOf = (text: string) => (text === 'kornblith' || text === 'model' ? text : number(text));

const optimisers = {
  sgd: { method: 'sgd', nesterov: false },
  nesterov: { method: 'sgd', nesterov: true },
  adam: { method: 'adam' },
  adamw: { method: 'adam', decayMode: 'decoupled' },
} as const;

export function registerTrain(program: Command): void {
  const choice = (flags: string, text: string, values: readonly string[]) => new Option(flags, text).choices(values);
  const d = trainDefaults;
  const command = program
    .command('train')
    .description('train a network: fine-tune, train from scratch, copy layers and freeze them')
    .argument('<model>', `${modelHelp}; or an architecture: ${Object.keys(architectures).join(', ')}`)
    .argument('<data>', dataHelp)
    .addOption(choice('-t, --treatment <name>', 'what is copied and what learns', treatmentNames).default('finetune'))
    .option('-n, --layers <n>', 'learned layers 1 ... n that the treatment copies or freezes', wholeNumber)
    .option('--copy-from <model>', 'ONNX file that copied layers come from (default: MODEL)')
    .option(
      '--preserve <k>',
      'treatment preserve: layers above n that are copied too and learn (default: 1)',
      wholeNumber,
    )
    .option('--unfreeze-from <name>', 'treatment finetune: first layer, tap or block (block12, s4) that learns')
    .addOption(
      choice(
        '--target <kind>',
        'what labels are: a class; regression: a number, or several with | between them; multilabel: the labels that are true',
        targetKinds,
      ).default('class'),
    )
    .addOption(choice('--preset <name>', "a protocol's settings; flags beat them", trainPresets))
    .option('--epochs <n>', `passes over the training images (default: ${d.epochs})`, wholeNumber)
    .option('--steps <n>', 'stop after so many steps', wholeNumber)
    .option('-b, --batch <n>', `images per step (default: ${d.batch})`, wholeNumber)
    .option('--lr <rate>', `peak learning rate (default: ${d.learningRate})`, number)
    .addOption(choice('--schedule <kind>', `course of the learning rate (default: ${d.schedule.kind})`, scheduleKinds))
    .option('--warmup <steps>', 'steps of linear warm-up', wholeNumber)
    .addOption(choice('--optimizer <name>', 'update rule (default: nesterov)', Object.keys(optimisers)))
    .option('--momentum <m>', `momentum (default: ${d.optimiser.momentum})`, number)
    .option('--weight-decay <v>', `weight decay (default: ${d.optimiser.weightDecay})`, number)
    .addOption(
      choice('--decay-mode <mode>', 'coupled: added to the gradient; decoupled: AdamW; kornblith: coupled, v / lr', [
        'coupled',
        'decoupled',
        'kornblith',
      ]),
    )
    .option('--no-decay-all', 'no weight decay on biases and norms')
    .option('--clip <norm>', 'largest global norm of the gradient', number)
    .option('--label-smoothing <mass>', 'probability spread over all classes', number)
    .option('--backbone-lr-scale <f>', "factor on the backbone's learning rate", number)
    .option('--bias-lr-scale <f>', "factor on the biases' learning rate", number)
    .option('--layer-decay <f>', 'factor on the learning rate per layer below the head', number)
    .option('--norm-momentum <m>', "momentum of running statistics; 'kornblith' or 'model'", momentumOf)
    .option('--ema <decay>', 'evaluate and export an average of the weights with this decay per step', number)
    .addOption(choice('--augment <kind>', `augmentation (default: ${d.augmentation})`, augmentations))
    .addOption(choice('--init <kind>', 'initial weights of fresh layers', initialisations))
    .addOption(
      choice('--unfold-norms <when>', 'undo batch norms folded into convolutions', unfoldChoices).default('auto'),
    )
    .option(
      '--evaluate-every <epochs>',
      'accuracy while training: on val, which is then not trained on, or else on test',
      wholeNumber,
    )
    .option('--checkpoint-every <seconds>', `seconds between checkpoints (default: ${d.checkpointSeconds})`, number)
    .option('--checkpoint-steps <n>', 'and after every so many steps', wholeNumber)
    .option('--seed <n>', `seed of weights, order and augmentation (default: ${d.seed})`, wholeNumber)
    .option('--json', 'one JSON document on stdout')
    .option('--quiet', 'no progress');
  addOutput(command, {
    kind: 'dir',
    text: 'folder for report.html, model.onnx, predictions.csv, result.json; run again to resume',
    required: true,
  });
  addLogFlag(addBackboneFlags(addEngineFlags(addSplitFlags(addDataFlags(command))))).action(
    async (model: string, data: string, flags: Flags) => {
      // Commander sets the negatable flag to true by itself; only --no-decay-all means anything.
      if (flags.decayAll) delete flags.decayAll;
      await run(jobOf(model, data, flags), flags);
    },
  );
}

function jobOf(model: string, data: string, flags: Flags): TrainJob {
  const { treatment, layers, preserve, unfreezeFrom } = flags;
  return {
    model,
    data,
    out: flags.output,
    treatment: { name: treatment, layers, preserve, unfreezeFrom },
    copyFrom: flags.copyFrom,
    preprocess: flags.preprocess,
    size: flags.size,
    ...dataOptions(flags),
    target: flags.target === 'class' ? undefined : flags.target,
    holdout: flags.holdout,
    testSplit: flags.testSplit,
    init: flags.init,
    unfoldNorms: flags.unfoldNorms,
    preset: flags.preset,
    command: commandLine(),
    options: {
      ...given({
        epochs: flags.epochs,
        steps: flags.steps,
        batch: flags.batch,
        learningRate: flags.lr,
        decayAll: flags.decayAll,
        labelSmoothing: flags.labelSmoothing,
        backboneLrScale: flags.backboneLrScale,
        biasLrScale: flags.biasLrScale,
        layerDecay: flags.layerDecay,
        normMomentum: flags.normMomentum,
        emaDecay: flags.ema,
        augmentation: flags.augment,
        evaluateEvery: flags.evaluateEvery,
        checkpointSeconds: flags.checkpointEvery,
        checkpointSteps: flags.checkpointSteps,
        seed: flags.seed,
      }),
      schedule: given({ kind: flags.schedule, warmup: flags.warmup }),
      optimiser: {
        ...(flags.optimizer && optimisers[flags.optimizer]),
        ...given({
          momentum: flags.momentum,
          weightDecay: flags.weightDecay,
          decayMode: flags.decayMode,
          clipNorm: flags.clip,
        }),
      },
    },
  };
}

async function run(job: TrainJob, flags: Flags): Promise<void> {
  await claimFolder(flags.output, 'a training run', {
    force: flags.force,
    inputs: [job.model, job.copyFrom, flags.preprocess, await dataInput(job.data)],
    files: [...trainFiles, 'report.html'],
  });
  const engine = await createEngine(flags);
  const quiet = flags.quiet === true;
  const stop = new AbortController();
  const forget = onStop(() => stop.abort());
  let images: Progress | undefined;
  let steps: Progress | undefined;
  try {
    const summary = await runTrainJob(engine, job, {
      onImages(done, total) {
        images ??= createProgress({ label: 'images', total, unit: 'images', quiet });
        images.update(done);
        if (done === total) images.end();
      },
      onStep({ step, steps: total, loss, accuracy }) {
        steps ??= createProgress({ label: 'train', total, unit: 'steps', from: step - 1, quiet });
        const right = accuracy === undefined ? '' : `  accuracy ${accuracy.toFixed(3)}`;
        steps.update(step, `loss ${loss.toFixed(3)}${right}`);
        if (step === total) steps.end();
      },
      say: (sentence) => note(`note: ${sentence}`),
      signal: stop.signal,
    });
    for (const logger of flags.log ?? []) {
      const name = basename(resolve(flags.output));
      await writeCurves(logger, flags.output, name, [curveOf(summary, name)]);
    }
    // Of a result of an earlier version there is no record.
    const page = existsSync(join(flags.output, recordFile)) ? await writeReport(flags.output) : undefined;
    for (const failed of page?.failed ?? []) note(`warning: ${failed}`);
    if (flags.json) printJson({ ...summary, report: page?.report ?? null });
    else printText([...describe(summary), ...(page ? [`report: ${page.report}`] : [])]);
  } finally {
    forget();
  }
}

function curveOf({ epochs, treatment, layers, seed, test, ...summary }: TrainSummary, name: string): Curve {
  return {
    name,
    epochs,
    settings: { treatment, layers, seed, classes: summary.classes, engine: summary.engine.name },
    end: endOf(test),
    time: Date.now(),
  };
}

/** Test figures, as loggers take them. */
function endOf(test: TrainSummary['test']): Record<string, number> {
  if (!test) return {};
  if ('accuracy' in test) return { 'test/accuracy': test.accuracy, 'test/loss': test.loss };
  const [name, figure] = 'mAP' in test ? ['test/mAP', test.mAP] : ['test/R2', test.r2];
  return Number.isNaN(figure) ? {} : { [name as string]: figure as number };
}

const percent = (v: number) => (100 * v).toFixed(1);

function testWords(test: TrainSummary['test']): string {
  if (!test) return 'no test set';
  const [name, figure] =
    'accuracy' in test
      ? ['accuracy', test.accuracy]
      : 'mAP' in test
        ? ['mean average precision', test.mAP]
        : ['R2', test.r2];
  const { interval, n } = test;
  const range = interval ? ` (95 % interval ${interval.map(percent).join(' to ')}, ${n} images)` : '';
  const more =
    'mAP' in test
      ? `, macro F1 ${percent(test.macroF1)} %, micro F1 ${percent(test.microF1)} %`
      : 'r2' in test
        ? `, mean absolute error ${test.mae.toPrecision(3)}, root of the mean squared error ${test.rmse.toPrecision(3)}`
        : '';
  return `test ${name} ${percent(figure as number)} %${range}${more}`;
}

function describe(s: TrainSummary): string[] {
  const treatment = `${s.treatment}${s.layers === null ? '' : ` ${s.layers}`}`;
  const right = s.train.accuracy === undefined ? '' : `, accuracy ${percent(s.train.accuracy)} %`;
  return [
    `${treatment}: ${testWords(s.test)}`,
    `training loss ${s.train.loss.toFixed(3)}${right}; ${s.steps} steps in ${s.seconds.toFixed(0)} s`,
    `${s.parameters.trained} of ${s.parameters.total} parameters learned; ${s.plan.frozen} of ${s.plan.layers} layers frozen`,
    ...(s.failedToTrain
      ? ['This run failed to train: it is no better than guessing, so it says nothing about transfer.']
      : []),
    `model: ${s.model}`,
  ];
}
