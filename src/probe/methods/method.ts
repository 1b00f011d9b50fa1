/**
 * A method turns training examples into a classifier. It is handed features of test examples alone, never their labels: a
 * bound that chooses by test labels offers alternatives, among which the one who scores chooses.
 */
import type { ClassPredictions, MethodCard } from '../../record/index.js';
import type { LinearModel, PathPoint } from '../../solver/index.js';
import type { FittedAttention } from '../attention/head.js';
import type { MethodContext } from '../context.js';
import type { Criterion, Normalisation } from '../options.js';
import type { Selection } from '../selection.js';
import type { Inputs } from '../task.js';
import type { Estimate } from '../tuning/choice.js';
import type { FoldFeatures } from '../tuning/sources.js';
import type { TuningRow } from '../tuning/tally.js';

/** A fitted classifier, or several of which the scores on the test set choose one (a bound); and how it came about. */
export type Fit = Fitted &
  (
    | {
        /** What the probe says of other examples. */
        predict(inputs: Inputs): Promise<ClassPredictions>;
        readonly alternatives?: undefined;
      }
    | { readonly alternatives: readonly Alternative[]; readonly predict?: undefined }
  );

interface Fitted {
  /** The linear probe on the features of `train.matrix`, where the method is one. */
  readonly model?: LinearModel;
  /** Attention over vectors, where the method is that. */
  readonly attention?: FittedAttention;
  /** Chosen settings: lambda, keepFraction, l2, k ... */
  readonly tuned: Readonly<Record<string, number>>;
  /** The chosen row of the grid; absent where nothing was tuned. */
  readonly validation?: TuningRow | undefined;
  /** What to expect of it on unseen examples. */
  readonly estimate?: Estimate | undefined;
  /** What logits are divided by before the softmax, fitted to the validation answers; `model` is without it. */
  readonly temperature?: number | undefined;
  /** The l2 probe that `model` is, as it was validated: what refits without a tap start from. */
  readonly refit?: { readonly features: FoldFeatures; readonly l2: number } | undefined;
  readonly grid: readonly TuningRow[];
  readonly path: readonly PathPoint[];
  readonly selection?: Selection;
  /** Whether every solver behind the result reached its tolerance. */
  readonly converged: boolean;
  /** Sentences that belong beside the result. */
  readonly notes: readonly string[];
}

export interface Alternative {
  readonly name: string;
  readonly model: LinearModel;
  readonly temperature?: number | undefined;
  readonly tuned: Readonly<Record<string, number>>;
  readonly converged: boolean;
}

/** Probes on every tap: by itself, or also together with the last layer. */
export type EveryTap = 'alone' | 'withLast';

/** A probe: its card, an estimate of its cost, and the work. One file in this folder, one line in index.ts. */
export interface ProbeMethod {
  readonly card: MethodCard;
  /** Seconds on 1,000 training rows and 20,000 features, for estimates only. */
  readonly seconds: number;
  /** Settings beside folds, tolerance and penalties that it reads: the lambda path, the keep fractions. */
  readonly options?: readonly ('path' | 'fractions')[];
  /** Its ranking of features is one that windows of ranks are measured on, where these are asked for. */
  readonly ranks?: boolean;
  /** Reads every pooling of every tap at once, where the task has several; other methods are fitted to each and choose. */
  readonly pools?: 'each';
  /** Fits a probe to every tap on its way, alone or also together with the last layer; a study need not fit them again. */
  readonly everyTap?: EveryTap;
  /** What poolings are chosen by for it, where that is not what `--choose` says. */
  readonly choose?: Criterion;
  /** How a study normalises the features that it reads, where its protocol says so; otherwise as all probes' are. */
  readonly normalisation?: Normalisation;
  /** Looks whether there is what it reads, before anything is fitted. @throws UserError where there is not */
  check?(context: Pick<MethodContext, 'train' | 'taps'>): void;
  /** Fits the probe; settings are chosen within the training rows. */
  fit(context: MethodContext): Promise<Fit>;
}

/** A method of which others choose: it can be judged before it is fitted to all training rows. */
export interface TunedMethod extends ProbeMethod {
  fit(context: MethodContext): Promise<LinearFit>;
  tune(context: MethodContext): Promise<Tuned>;
}

/** What tuning a method has found. */
export interface Tuned {
  /** The chosen row of the grid. */
  readonly validation: TuningRow;
  /** The fit to all training rows. */
  finish(progress: MethodContext['progress']): Promise<LinearFit>;
}

export type LinearFit = Fit & { readonly model: LinearModel; readonly validation: TuningRow };

/** A method that is tuned first, and fitted when somebody wants its fit; each once a run, whoever asks. */
export function tunedMethod(method: Omit<TunedMethod, 'fit'>): TunedMethod {
  const { tune } = method;
  return { ...method, fit: async (context) => (await context.memo.once(tune, context)).finish(context.progress) };
}
