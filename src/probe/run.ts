/** Runs probes on a task: tunes each method inside the training rows, then predicts the test examples. No label of these is here. */
import type { Engine } from '../engine/index.js';
import type { ClassPredictions } from '../record/index.js';
import { checkFinite } from '../solver/index.js';
import { attributionOf, type TapPart } from './attribution.js';
import { ProbeBench } from './bench.js';
import { billed, type Cost } from './bill.js';
import type { MethodContext } from './context.js';
import { predictLinear } from './fitting/l2.js';
import { type AloneFits, aloneFits, layerFits, type TapFit } from './layers.js';
import type { EveryTap, Fit, ProbeMethod } from './methods/index.js';
import { checkProbeOptions, type ProbeOptions, probeDefaults } from './options.js';
import { fitPooled, type PooledTask, pooledTasks } from './poolings.js';
import { type RankWindow, rankWindows } from './rank-windows.js';
import { type Stability, stabilityOf } from './stability.js';
import { checkTask, type Inputs, lastTap, type ProbeTask } from './task.js';
import { type TuningFold, tuningFolds } from './tuning/folds.js';

/** The part of the network that a method's features need. */
export interface NetworkShare {
  /** Deepest tap used, by multiply-adds (then position). */
  readonly deepestTap: string;
  readonly macs?: number;
  /** Share of the whole network's multiply-adds. */
  readonly macsShare?: number;
  readonly depth?: number;
}

/** What a method came to. */
export interface MethodResult {
  readonly method: ProbeMethod;
  /** What it is fitted to: the task of the run, or with features pooled otherwise. */
  readonly task: ProbeTask;
  readonly fit: Fit;
  /** Of the test examples; absent without these, and for a bound. */
  readonly predictions: ClassPredictions | undefined;
  /** What each classifier says that a bound may choose. */
  readonly alternatives: readonly { readonly name: string; readonly predictions: ClassPredictions }[];
  readonly network: NetworkShare | undefined;
  /** How its selection moves on halves of the examples. */
  readonly stability?: Stability | undefined;
  /** What its probe owes to each tap. */
  readonly attribution?: readonly TapPart[] | undefined;
  /** Probes on windows of its ranking, where they were asked for. */
  readonly windows?: readonly RankWindow[] | undefined;
  /** To tune, fit and predict; what is analysed afterwards is not in it. */
  readonly seconds: number;
  /** Multiply-adds of every fit, and of those of the analysis alone. */
  readonly macs: { readonly all: number; readonly analysis: number };
}

/** Probes on one tap: how they were tuned, and what they say of the test examples. */
export interface TapResult {
  readonly alias: string;
  readonly alone: TapAnswer;
  readonly withLast?: TapAnswer;
}
/** What a probe of one tap came to. */
export interface TapAnswer extends Omit<TapFit, 'model'> {
  readonly predictions: ClassPredictions | undefined;
}

/** What all methods of a run came to. */
export interface ProbeRun {
  readonly options: ProbeOptions;
  readonly task: ProbeTask;
  readonly folds: readonly TuningFold[];
  readonly results: readonly MethodResult[];
  readonly taps?: readonly TapResult[];
  /** Sentences about the training examples: classes too small to validate, and the like. */
  readonly warnings: readonly string[];
  readonly seconds: number;
}

/** Settings of the probes, and what is measured beside them. */
export interface RunOptions extends Partial<ProbeOptions> {
  /** Probe every tap by itself, or also together with the last layer. */
  perTap?: EveryTap | undefined;
  /** Probe windows of the rankings of methods that rank. */
  rankWindows?: boolean;
  /** Called with what is done now. */
  progress?: (note: string) => void;
  /** Of other runs on the same task. */
  bench?: ProbeBench | undefined;
}

/** @throws UserError on options, labels, groups or folds that make no sense. */
export async function runProbes(
  engine: Engine,
  task: ProbeTask,
  methods: readonly ProbeMethod[],
  { perTap, rankWindows: windowed, progress = () => undefined, bench = new ProbeBench(), ...given }: RunOptions = {},
): Promise<ProbeRun> {
  const began = performance.now();
  const options: ProbeOptions = { ...probeDefaults, ...given };
  checkProbeOptions(options);
  const { chosen, each } = pooledTasks(task);
  const tasks = each ? [...chosen, each] : chosen;
  for (const own of tasks) checkTask(own);
  const warnings: string[] = [];
  const folds = tuningFolds(task, options, warnings);
  const contexts = tasks.map(({ train, taps, classes }) => ({
    engine,
    train,
    taps,
    classes: classes.length,
    folds,
    options,
    ...bench.of(engine, train, options, folds),
  }));
  const under = (name: string, method?: ProbeMethod): PooledTask[] => {
    const own = each && method?.pools === 'each' ? [each] : chosen;
    return own.map((pooled) => {
      const label = own.length > 1 ? `${name}, ${pooled.pool}` : name;
      const context = contexts[tasks.indexOf(pooled)] as (typeof contexts)[number];
      return { task: pooled, context: { ...context, progress: (note) => progress(`${label}: ${note}`) } };
    });
  };
  // Training features are checked where they are normalised.
  for (const { test } of tasks) {
    for (const matrix of [test?.matrix, test?.control]) if (matrix) await checkFinite(matrix);
  }
  for (const method of methods) {
    for (const { context } of under(method.card.id, method)) method.check?.(context);
  }
  const results: MethodResult[] = [];
  for (const method of methods) {
    results.push(await runMethod(under(method.card.id, method), method, windowed === true));
  }
  const [first] = under('every tap') as [PooledTask, ...PooledTask[]];
  return {
    options,
    task,
    folds,
    results,
    ...(perTap ? { taps: await probeTaps(first.context, first.task.test, perTap) } : {}),
    warnings,
    seconds: (performance.now() - began) / 1000,
  };
}

const runMethod = (pooled: readonly PooledTask[], method: ProbeMethod, windowed: boolean): Promise<MethodResult> =>
  billed((pooled[0] as PooledTask).context.engine, (cost) => fitted(pooled, method, windowed, cost));

/** @param cost so far */
async function fitted(
  pooled: readonly PooledTask[],
  method: ProbeMethod,
  windowed: boolean,
  cost: () => Cost,
): Promise<MethodResult> {
  const [{ context: first }] = pooled as [PooledTask, ...PooledTask[]];
  const { engine, options } = first;
  const { context, task, fit, tried } = await fitPooled(method, pooled);
  const { test } = task;
  const alternatives: MethodResult['alternatives'][number][] = [];
  for (const own of tried) {
    for (const { name, model, temperature } of own.fit.alternatives ?? []) {
      if (!own.task.test) continue;
      const predictions = await predictLinear(engine, model, own.task.test.matrix, temperature);
      alternatives.push({ name: tried.length > 1 ? `${name}, ${own.task.pool}` : name, predictions });
    }
  }
  const predictions = test && (await fit.predict?.(test));
  const ofFit = cost();
  const leaveOut = method.card.role === 'candidate' ? options.leaveOut : 0;
  const { selection } = fit;
  const used = fit.model?.indices ?? fit.attention?.layers.features ?? selection?.features;
  const stability = selection && (await stabilityOf(context, selection));
  const attribution = await attributionOf(context, fit, leaveOut);
  const { l2 } = fit.tuned;
  const probed = windowed && method.ranks && selection !== undefined && l2 !== undefined;
  const windows = probed
    ? await rankWindows(context, { selection, l2, temperature: fit.temperature }, test)
    : undefined;
  const { macs } = cost();
  return {
    method,
    task,
    fit,
    predictions,
    alternatives,
    network: used ? networkShare(task, used) : undefined,
    seconds: ofFit.seconds,
    macs: { all: macs, analysis: macs - ofFit.macs },
    stability,
    attribution,
    windows,
  };
}

async function probeTaps(context: MethodContext, test: Inputs | undefined, what: EveryTap): Promise<TapResult[]> {
  const { tapFeatures } = context.options;
  const fits: readonly (AloneFits & { withLast?: TapFit })[] = await (what === 'alone'
    ? aloneFits(context, tapFeatures)
    : layerFits(context, tapFeatures));
  const answer = async ({ model, ...fit }: TapFit): Promise<TapAnswer> => ({
    ...fit,
    predictions: test && (await predictLinear(context.engine, model, test.matrix, fit.temperature)),
  });
  const results: TapResult[] = [];
  for (const { alias, alone, withLast } of fits) {
    results.push({ alias, alone: await answer(alone), ...(withLast ? { withLast: await answer(withLast) } : {}) });
  }
  return results;
}

/** What has to be computed of the network for some features. */
export function networkShare({ train, taps, source }: ProbeTask, indices: Int32Array): NetworkShare {
  const blocks = new Set(Array.from(indices, (j) => train.matrix.locate(j).block));
  let deepest = -1;
  for (const b of blocks) {
    const better = (taps[b]?.macs ?? 0) - (taps[deepest]?.macs ?? -1);
    if (deepest < 0 || better > 0 || (better === 0 && b > deepest)) deepest = b;
  }
  const tap = taps[deepest >= 0 ? deepest : lastTap(taps)] as ProbeTask['taps'][number];
  const whole = source.model?.macs;
  return {
    deepestTap: tap.alias,
    ...(tap.macs === undefined ? {} : { macs: tap.macs }),
    ...(tap.macs === undefined || !whole ? {} : { macsShare: tap.macs / whole }),
    ...(tap.depth === undefined ? {} : { depth: tap.depth }),
  };
}
