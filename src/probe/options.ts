/** How probes normalise and tune. */
import { UserError } from '../base/index.js';

/** Normalisation: 'unit' divides each tap of each example by its norm; 'standard' standardises each feature. */
export const normalisations = ['unit', 'standard', 'unit+standard', 'none'] as const;
/** What is done to features before they are fitted. */
export type Normalisation = (typeof normalisations)[number];

/** How settings are chosen: penalties by the log loss or by the accuracy over validation rows. */
export const criteria = ['log-loss', 'accuracy'] as const;
/** What penalties are chosen by. */
export type Criterion = (typeof criteria)[number];

/** How many features are kept: the smallest number within one standard error of the best, or within a margin of it, or the best. */
export const keepRules = ['one-se', 'margin', 'max'] as const;
/** How many features are kept. */
export type KeepRule = (typeof keepRules)[number];

/** Whether examples count alike, or classes do: with weights n / (K n_c). */
export const classWeights = ['none', 'balanced'] as const;
/** Whether classes count by their examples or alike. */
export type ClassWeight = (typeof classWeights)[number];

/** What Head2Toe's published recipe tries, each with each; see methods/faithful.ts. */
export interface FaithfulOptions {
  steps: readonly number[];
  learningRates: readonly number[];
  /** Coefficients of the sum of row norms in the first stage. */
  lambdas: readonly number[];
  /** Normalise what is left of every tap after selection, as the published code does. */
  renormalise: boolean;
}
/** The grids of the published recipe. */
export const faithfulDefaults: FaithfulOptions = {
  steps: [500],
  learningRates: [0.1, 0.01],
  lambdas: [1e-3, 1e-5],
  renormalise: true,
};

/** What attention over layers tries, each with each, and how it is trained; see methods/attentive-fusion.ts. */
export interface FusionOptions {
  learningRates: readonly number[];
  /** AdamW's, on every parameter. */
  weightDecays: readonly number[];
  /** Shares of attention weights that a step drops. */
  dropouts: readonly number[];
  /** Passes over the training rows, and the fewest steps. */
  epochs: number;
  steps: number;
  /** Standard deviation of the noise on half of the training examples; 0: none. */
  jitter: number;
  /** Seeds from which the chosen setting is validated. */
  seeds: number;
}
const published = { epochs: 40, steps: 1000, jitter: 0.05, seeds: 1 };
/** The paper's 63 settings, and the eight of them that are tried by default. */
export const fusionGrids = {
  compact: { ...published, learningRates: [1e-2, 1e-3], weightDecays: [1e-3, 1], dropouts: [0, 0.3] },
  published: {
    ...published,
    learningRates: [1e-1, 1e-2, 1e-3],
    weightDecays: [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1],
    dropouts: [0, 0.1, 0.3],
  },
} as const satisfies Record<string, FusionOptions>;

/** What attention over the positions of a layer tries, each with each, and how it is trained; see methods/efficient-probing.ts. */
export interface EfficientOptions {
  /** Q; one is attentive pooling. */
  queries: readonly number[];
  learningRates: readonly number[];
  /** AdamW's, on every parameter. */
  weightDecays: readonly number[];
  /** Passes over the training rows, and the fewest steps. */
  epochs: number;
  steps: number;
}
/** What it tries where nothing is said. */
export const efficientDefaults: EfficientOptions = {
  queries: [1, 32],
  learningRates: [1e-2, 1e-3],
  weightDecays: [1e-2],
  epochs: 40,
  steps: 500,
};

/** Terms of LOES's score: as published, or each divided by its own scale. */
export const loesTerms = ['scale-free', 'published'] as const;
/** Which terms LOES weighs layers by. */
export type LoesTerms = (typeof loesTerms)[number];

/** Settings of all probes: the flags of `toehold probe`. */
export interface ProbeOptions {
  normalisation: Normalisation;
  folds: number;
  seed: number;
  /** Lambdas of the reported path, from lambda_max to ratio times it. */
  lambdaCount: number;
  lambdaRatio: number;
  /** Explicit ratios lambda / lambda_max of the path, falling; take the place of count and ratio. */
  lambdaRatios: readonly number[] | undefined;
  /** Relative duality gap of reported paths. */
  tolerance: number;
  /** Keep fractions tried. */
  fractions: readonly number[];
  /** l2 penalties tried, in lambda of mean loss + lambda / 2 ||W||^2. */
  l2: readonly number[];
  choose: Criterion;
  keepRule: KeepRule;
  /** Of the rule 'margin': share of the validation rows that fewer features may lose; .01 where it is not given. */
  keepMargin?: number | undefined;
  /** In the loss of linear probes and paths, and in what settings are chosen by. */
  classWeight: ClassWeight;
  /**
   * Training examples beyond which settings are compared on one part held out, not on folds, and ridge regression solves for
   * features, not for examples; `manyExamples` where it is not given.
   */
  manyExamples?: number | undefined;
  /** Pairs of halves of the examples on which the stability of a selection is measured; 0: it is not. */
  repetitions: number;
  /** So many taps, those with the largest shares, are left out in turn of candidate probes, which are refitted; 0: none. */
  leaveOut: number;
  /** Features that a probe on a single tap may use: a random choice of that many; undefined: all of the tap. */
  tapFeatures: number | undefined;
  faithful: FaithfulOptions;
  fusion: FusionOptions;
  efficient: EfficientOptions;
  loes: LoesTerms;
}
/** A kernel of so many examples takes 800 MB, and a fifth of them says which setting is better to half a point. */
export const manyExamples = 10_000;

/** Whether training examples are so many. */
export const areMany = (examples: number, options: Pick<ProbeOptions, 'manyExamples'>): boolean =>
  examples > (options.manyExamples ?? manyExamples);
/** What holds where nothing is said. */
export const probeDefaults: ProbeOptions = {
  normalisation: 'unit',
  folds: 5,
  seed: 0,
  lambdaCount: 20,
  lambdaRatio: 0.03,
  lambdaRatios: undefined,
  tolerance: 1e-3,
  fractions: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5],
  l2: [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8],
  choose: 'log-loss',
  keepRule: 'one-se',
  classWeight: 'none',
  repetitions: 2,
  leaveOut: 8,
  tapFeatures: undefined,
  faithful: faithfulDefaults,
  fusion: fusionGrids.compact,
  efficient: efficientDefaults,
  loes: 'scale-free',
};

/** @throws UserError naming the option that makes no sense. */
export function checkProbeOptions(options: ProbeOptions): void {
  const { lambdaRatio, lambdaRatios, tolerance, fractions, l2, tapFeatures } = options;
  whole(options.folds, 2, 'folds');
  whole(options.lambdaCount, 1, 'lambdas');
  if (options.manyExamples !== undefined) whole(options.manyExamples, 2, 'examples with folds');
  whole(options.repetitions, 0, 'repetitions');
  whole(options.leaveOut, 0, 'taps to leave out');
  if (!Number.isInteger(options.seed)) throw new UserError(`seed ${options.seed}: give a whole number`);
  if (tapFeatures !== undefined) whole(tapFeatures, 1, 'features per tap');
  if (!(lambdaRatio > 0 && lambdaRatio <= 1)) throw new UserError(`lambda ratio ${lambdaRatio}: it must lie in (0, 1]`);
  for (const [i, ratio] of (lambdaRatios ?? []).entries()) {
    if (!(ratio > 0 && ratio <= 1)) throw new UserError(`lambda ratio ${ratio}: it must lie in (0, 1]`);
    if (i > 0 && ratio >= (lambdaRatios?.[i - 1] as number)) {
      throw new UserError(`the lambda grid must fall: ${ratio} follows ${lambdaRatios?.[i - 1]}`);
    }
  }
  if (lambdaRatios?.length === 0) throw new UserError('the lambda grid is empty: give at least one ratio');
  if (!(tolerance > 0)) throw new UserError(`tolerance ${tolerance}: it must be positive`);
  if (fractions.length === 0) throw new UserError('no keep fractions are given: list at least one in (0, 1]');
  for (const f of fractions) {
    if (!(f > 0 && f <= 1)) throw new UserError(`keep fraction ${f}: it must lie in (0, 1]`);
  }
  checkFaithful(options.faithful);
  checkFusion(options.fusion);
  checkEfficient(options.efficient);
  if (l2.length === 0) throw new UserError('no l2 penalties are given: list at least one');
  for (const v of l2) {
    if (!(v > 0 && Number.isFinite(v))) throw new UserError(`l2 penalty ${v}: it must be positive`);
  }
}

function checkFaithful({ steps, learningRates, lambdas }: FaithfulOptions): void {
  const lists = { steps, 'learning rates': learningRates, lambdas };
  for (const [what, list] of Object.entries(lists)) {
    if (list.length === 0) throw new UserError(`no ${what} of the published recipe are given: list at least one`);
  }
  for (const v of steps) whole(v, 1, 'steps');
  for (const v of learningRates) if (!(v > 0)) throw new UserError(`learning rate ${v}: it must be positive`);
  for (const v of lambdas) {
    if (!(v > 0)) throw new UserError(`lambda ${v} of the published recipe: it must be positive`);
  }
}

function checkFusion({ learningRates, weightDecays, dropouts, epochs, steps, jitter, seeds }: FusionOptions): void {
  for (const v of learningRates) if (!(v > 0)) throw new UserError(`learning rate ${v}: it must be positive`);
  for (const v of weightDecays) if (!(v >= 0)) throw new UserError(`weight decay ${v}: it must not be negative`);
  for (const v of dropouts) if (!(v >= 0 && v < 1)) throw new UserError(`dropout ${v}: it must lie in [0, 1)`);
  if (!(learningRates.length > 0 && weightDecays.length > 0 && dropouts.length > 0)) {
    throw new UserError('no settings of attentive-fusion are given: list at least one of each');
  }
  whole(epochs, 1, 'epochs');
  whole(steps, 1, 'steps');
  whole(seeds, 1, 'seeds of attentive-fusion');
  if (!(jitter >= 0 && Number.isFinite(jitter))) throw new UserError(`jitter ${jitter}: it must not be negative`);
}

function checkEfficient({ queries, learningRates, weightDecays, epochs, steps }: EfficientOptions): void {
  for (const v of queries) whole(v, 1, 'queries');
  for (const v of learningRates) if (!(v > 0)) throw new UserError(`learning rate ${v}: it must be positive`);
  for (const v of weightDecays) if (!(v >= 0)) throw new UserError(`weight decay ${v}: it must not be negative`);
  if (!(queries.length > 0 && learningRates.length > 0 && weightDecays.length > 0)) {
    throw new UserError('no settings of efficient-probing are given: list at least one of each');
  }
  whole(epochs, 1, 'epochs');
  whole(steps, 1, 'steps');
}

function whole(value: number, least: number, what: string): void {
  if (!Number.isInteger(value) || value < least) {
    throw new UserError(`${value} ${what}: give a whole number from ${least}`);
  }
}
