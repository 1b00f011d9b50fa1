/**
 * The config of a study: one schema is the source of its types, validation, defaults and documentation
 * (`toehold schema` prints it as JSON Schema, which editors read).
 */
import * as z from 'zod';
import { targetKinds } from '../../data/index.js';
import { devices, engineNames } from '../../engine/index.js';
import { precisions } from '../../features/index.js';
import { classWeights, criteria, keepRules } from '../../probe/index.js';
import { augmentations } from '../../transfer/index.js';
import { Slurm } from './slurm.js';

const name = z
  .string()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u, 'a name starts with a letter or digit and holds letters, digits, . _ -');
const path = z.string().min(1).describe('Path, relative to this file');
const positive = z.number().positive();
const count = z.int().min(1);

const Backbone = z
  .strictObject({
    model: path.describe('ONNX file or model.json of TensorFlow.js, relative to this file'),
    preprocess: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Preset (imagenet, tf, half, cifar ...) or path of a preprocess.json; default: the one beside the model',
      ),
    size: count.optional().describe('Side of the square image in pixels, where the preset does not fix it'),
    taps: z
      .array(z.string().min(1))
      .min(1)
      .default(['default'])
      .describe('Taps by alias, name or glob; `default`; `all`'),
    pool: z
      .string()
      .min(1)
      .optional()
      .describe('Pooling: gap, target:T, head2toe:T, cls, mean, mean+cls, max, std, tokens; several with commas'),
    store: z
      .enum(precisions)
      .optional()
      .describe('Precision of its stored features: float32 (default), or float16 in half of the bytes'),
    sourceAccuracy: positive.lt(1).optional().describe('Accuracy on the data that it was pretrained on'),
    source: z.string().min(1).optional().describe('What it was pretrained on; networks of one source are compared'),
    pretraining: z
      .strictObject({
        bnScale: z.boolean().optional().describe('Its batch norms have a learned scale'),
        labelSmoothing: z.boolean().optional(),
        dropout: z.boolean().optional(),
        auxHead: z.boolean().optional().describe('It was trained with an auxiliary head'),
      })
      .optional()
      .describe('How it was regularised in pretraining, for the comparison of regularisers'),
  })
  .describe('A pretrained network');

const Labels = z
  .union([
    z.literal('vtab1k').describe('1,000 training labels for everything: 800 to train and 200 to validate in each fold'),
    z.literal('all').describe('Every training example'),
    count.describe('This many training examples, in the proportions of the classes'),
    z.strictObject({ perClass: count.describe('Training examples per class') }),
  ])
  .describe('Label budget: all that training and tuning together may see');

const Task = z
  .strictObject({
    data: path.describe(
      'Folder of images (train/, test/ with class folders), manifest, or any other source (docs/data.md)',
    ),
    groupFrom: z
      .string()
      .min(1)
      .optional()
      .describe("column:/regex/ of what belongs together (tracks, patients), e.g. source:'/(\\d+)_'"),
    allowOutside: z.boolean().optional().describe('A manifest may list images that lie outside its folder'),
    nearDuplicates: z
      .boolean()
      .optional()
      .describe('Images that look alike are found and stay together, as equal ones do; every image is decoded for it'),
    columns: z
      .string()
      .min(1)
      .optional()
      .describe('Which column of a table is what, where its name does not say: path=image,label=species'),
    severalLabels: z
      .enum(['refuse', 'largest', 'skip'])
      .optional()
      .describe('Of images that show several classes: refuse, the class of the largest object, or left out'),
    encoding: z.string().min(1).optional().describe('Encoding of a manifest that is not UTF-8: windows-1252, ...'),
    holdout: positive
      .lt(1)
      .optional()
      .describe('Share of train and val that is held out as the test set where there is none; default: 0.2'),
    testSplit: z.string().min(1).optional().describe('Split to test on, where it is not `test`'),
    target: z
      .enum(targetKinds)
      .optional()
      .describe(
        'What labels are: a class (default); regression: a number, or several with | between them; multilabel: the labels that are true, with | between them. See docs/targets.md',
      ),
    metric: z
      .enum(['accuracy', 'mean per-class accuracy'])
      .optional()
      .describe('What scores are; settings are chosen by accuracy in any case'),
    perClass: z
      .array(z.int().min(2))
      .min(1)
      .optional()
      .describe('Training examples per class along this task’s learning curve, instead of the study’s'),
    similar: z
      .boolean()
      .optional()
      .describe('Whether it is like what the network was pretrained on, as judged beforehand; see cs231n'),
    expect: z
      .strictObject({ classes: z.int().min(2), train: count, test: count })
      .optional()
      .describe('What the data holds: with --dry-run a study is planned before the data is there'),
    labels: Labels.optional().describe('Label budget of this task, instead of the study’s'),
    test: count.optional().describe('At most this many test examples, instead of the study’s'),
  })
  .describe('A labelled data set to transfer to');

const Extract = z
  .strictObject({
    shards: count
      .optional()
      .describe('Shares of each extraction, which jobs or processes do side by side; at most one for each 256 images'),
  })
  .describe('How features are extracted; changes no result');

const Probe = z
  .strictObject({
    folds: z.int().min(2).max(20).optional().describe('Cross-validation folds inside the training rows'),
    tolerance: positive.max(1).optional().describe('Relative duality gap at which a lambda counts as solved'),
    lambdas: z.int().min(2).max(500).optional().describe('Points of the lambda path'),
    ratio: positive.max(1).optional().describe('Smallest lambda as a share of lambda_max'),
    fractions: z
      .array(positive.max(1))
      .min(1)
      .optional()
      .describe('Shares of the features to keep, of which cross-validation chooses'),
    l2: z.array(positive).min(1).optional().describe('l2 penalties, of which cross-validation chooses'),
    choose: z
      .enum(criteria)
      .optional()
      .describe('What penalties are chosen by over validation rows; default: log-loss'),
    keepRule: z
      .enum(keepRules)
      .optional()
      .describe(
        'one-se (default): the fewest features within one standard error of the best; margin: within one point of it; max: the best',
      ),
    classWeight: z
      .enum(classWeights)
      .optional()
      .describe('balanced: classes count alike in linear probes and in what settings are chosen by'),
    repetitions: z
      .int()
      .min(0)
      .optional()
      .describe('Pairs of halves of the examples that selection stability is measured on; 0: none'),
    leaveOut: z
      .int()
      .min(0)
      .optional()
      .describe('Refit each probe without each of so many taps, those that it owes most to; 0: none'),
    rankWindows: z.boolean().optional().describe('Probe windows of consecutive ranks of the selected features'),
    perTap: z
      .boolean()
      .optional()
      .describe('Probe every tap by itself; a method that is a bound over layers brings these probes in any case'),
  })
  .describe('Budget of the probes');

const Train = z
  .strictObject({
    epochs: count.optional().describe('Passes over the training rows'),
    steps: count.optional().describe('Updates, instead of epochs'),
    size: count
      .optional()
      .describe('Side of the training image in pixels, where it is not that of the probes: an unequal comparison'),
    batch: z.int().min(2).optional().describe('Examples per update'),
    learningRates: z
      .array(positive)
      .min(1)
      .optional()
      .describe('Learning rates, of which validation on a part of the training rows chooses, once for all seeds'),
    scratchEpochs: count.optional().describe('Passes when training from scratch'),
    scratchSteps: count.optional().describe('Updates when training from scratch, where `steps` is given'),
    scratchLearningRates: z.array(positive).min(1).optional().describe('Learning rates when training from scratch'),
    halving: z
      .boolean()
      .optional()
      .describe('Tries the rates by successive halving; false: every rate for the full length'),
    weightDecay: z.number().min(0).optional().describe('Weight decay, coupled with the learning rate'),
    weightDecays: z
      .array(z.number().min(0))
      .min(1)
      .optional()
      .describe('Weight decays tried with each learning rate, and divided by it (kornblith)'),
    scratchWeightDecays: z
      .array(z.number().min(0))
      .min(1)
      .optional()
      .describe('The same from scratch, as they are (kornblith)'),
    stepBudgets: z
      .array(count)
      .min(1)
      .optional()
      .describe('Convergence: a run of its own for each of these numbers of updates (kornblith)'),
    augment: z
      .enum(augmentations)
      .optional()
      .describe('Augmentation of the training images; none: a comparison with probes on equal pixels'),
  })
  .describe('Budget of training: fine-tune, scratch, head2toe-ft');

const Part = z
  .strictObject({
    backbones: z.array(name).min(1).optional().describe('Networks; default: all'),
    tasks: z.array(name).min(1).optional().describe('Tasks; default: all'),
  })
  .describe('A part of the networks and tasks');
const Split = z
  .strictObject({
    name: z.string().min(1).max(60).describe('In figures and tables'),
    seed: z
      .int()
      .min(0)
      .optional()
      .describe('A random half of the classes, drawn as the published ones: RandomState([seed]) of NumPy'),
    halves: z
      .record(z.string().min(1), z.array(z.union([z.string().min(1), z.int().min(0)])).min(1))
      .refine((h) => Object.keys(h).length === 2, 'name two halves')
      .optional()
      .describe('Two halves by name: their classes by name, by number, or as a span of numbers (936-958)'),
  })
  .refine(({ seed, halves }) => (seed === undefined) !== (halves === undefined), 'give either `seed` or `halves`')
  .describe('A division of the classes in two');

/** Treatments of copied layers that a config may ask for; base networks are always trained. */
export const copiedTreatments = ['BnB', 'AnB', 'BnB+', 'AnB+', 'random'] as const;

const Copy = z
  .strictObject({
    layers: z
      .array(count)
      .min(1)
      .optional()
      .describe('Numbers of layers to copy and freeze; default: all but the last'),
    trainedLayers: z
      .array(count)
      .min(1)
      .optional()
      .describe('Numbers of layers to copy and train further (BnB+, AnB+); default: those of `layers`'),
    treatments: z.array(z.enum(copiedTreatments)).min(1).optional().describe('Default: all of them'),
    preserve: z
      .array(count)
      .optional()
      .describe('Also: so many layers above the frozen ones are copied too, and learn (in BnB and AnB)'),
    reduced: z.array(count).optional().describe('Also: base networks with so many training images per class'),
    norms: z
      .enum(['kept', 'calibrated'])
      .optional()
      .describe('Running statistics of frozen copied norms: the source’s (default), or of the target’s images'),
    held: positive.lt(1).optional().describe('Share of the training images that is held out to validate on'),
    evaluations: z
      .int()
      .min(0)
      .optional()
      .describe('Times along each run that test images are predicted, for the published mean of the ten best'),
    aggregate: z
      .enum(['paired', 'pooled'])
      .optional()
      .describe('paired (default): each network against the base of its own half; pooled: as published'),
    probes: z
      .boolean()
      .optional()
      .describe('Probe every layer of the base networks on both halves, and compare the layers (CKA)'),
  })
  .describe('Which layers are copied, for protocols that copy layers');

/** Names that a config may use: the protocols, with a line each, and the methods. */
export interface Known {
  readonly protocols: readonly { readonly name: string; readonly about: string }[];
  readonly methods: readonly string[];
}

const oneOf = (names: readonly string[]) => z.enum(names as [string, ...string[]]);

/** The schema of configs, over what is known. */
export const configSchema = ({ protocols, methods }: Known) =>
  z
    .strictObject({
      $schema: z.string().optional().describe('Where editors find this schema'),
      title: z.string().min(1).optional().describe('Heading of the report'),
      protocol: oneOf(protocols.map((p) => p.name)).describe(protocols.map((p) => `${p.name}: ${p.about}`).join('; ')),
      lite: z
        .boolean()
        .default(false)
        .describe('Small budgets: about ten minutes a task on two cores, with a network such as MobileNetV2'),
      backbones: z
        .record(name, Backbone)
        .default({})
        .describe('Pretrained networks by name; a protocol that trains its own networks takes none'),
      network: z
        .string()
        .min(1)
        .optional()
        .describe('Architecture to train from scratch, for protocols that train their own: caffenet, caffenet-32 ...'),
      splits: z
        .array(Split)
        .min(1)
        .optional()
        .describe('Divisions of the classes in two, for protocols that copy layers'),
      copy: Copy.optional(),
      backbone: name.optional().describe('The network under study; default: the first of `backbones`'),
      control: name.optional().describe('A second network, of another training, for methods that read two'),
      tasks: z
        .record(name, Task)
        .refine((t) => Object.keys(t).length > 0, 'name at least one task')
        .describe('Data sets by name'),
      methods: z.array(oneOf(methods)).min(1).optional().describe('Methods to compare; default: the protocol’s'),
      seeds: z
        .array(z.int().min(0))
        .min(1)
        .default([0, 1, 2])
        .describe('Seeds of initial weights and batch orders; folds, probes and learning rates go by the first'),
      input: count
        .optional()
        .describe('Side of the images in pixels, for probes and training; default: the backbone’s'),
      labels: Labels.optional(),
      test: count.optional().describe('At most this many test examples per task, in the proportions of the classes'),
      perClass: z
        .array(z.int().min(2))
        .min(1)
        .optional()
        .describe('Training examples per class along the learning curves, for protocols that measure some'),
      sourceAccuracy: path
        .optional()
        .describe('CSV file of network,accuracy[,source]: accuracies on what networks were pretrained on'),
      where: z
        .record(z.string(), Part)
        .optional()
        .describe('Where a method, `convergence` or `sizes` is measured, if not on every network and task (kornblith)'),
      margin: z.number().min(0).max(50).default(1).describe('Difference in accuracy that does not matter, in points'),
      engine: z.enum(engineNames).optional().describe('Library that runs the networks, unless --engine names one'),
      device: z
        .enum(devices as [string, ...string[]])
        .or(z.string().regex(/^cuda:\d+(,\d+)*$/, 'it must be a device, for example cpu, cuda or cuda:0,1'))
        .optional()
        .describe('Where it runs them, unless --device names it; several GPUs: cuda:0,1'),
      extract: Extract.optional(),
      probe: Probe.optional(),
      train: Train.optional(),
      slurm: Slurm.optional(),
    })
    .describe('A toehold study');

/** A study's config as it is written. */
export type Config = z.infer<ReturnType<typeof configSchema>>;
export type BackboneConfig = z.infer<typeof Backbone>;
export type TaskConfig = z.infer<typeof Task>;
export type SplitConfig = z.infer<typeof Split>;
export type CopyConfig = z.infer<typeof Copy>;
export type LabelBudget = z.infer<typeof Labels>;
export type ProbeBudget = Required<z.infer<typeof Probe>>;
/** What budgets may leave open. */
type Open = 'size' | 'steps' | 'scratchSteps' | 'weightDecays' | 'scratchWeightDecays' | 'stepBudgets';
export type TrainBudget = Required<Omit<z.infer<typeof Train>, Open>> & Pick<z.infer<typeof Train>, Open>;
