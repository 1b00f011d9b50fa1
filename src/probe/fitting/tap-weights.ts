/** How weights of taps are learned, for labels and for values alike: the settings of the descent, and for how many steps. */
import type { Engine } from '../../engine/index.js';
import {
  type FoldLabels,
  kernelsTake,
  learnTapWeights,
  TapDescent,
  type TapKernels,
  type TapWeights,
} from '../../solver/index.js';

/** Of the prior that holds the weights together, and of gradient descent. */
const descent = { strength: 0.01, rate: 0.2 };
/** Numbers of its steps that are tried, each after the first while more have done better: on few examples many fit noise. */
const STOPS = [[2, 4, 8], [12], [20]];
/** Share of all taps' variance below which a tap is left out of the probe, and of the network that it needs. */
export const NEGLIGIBLE = 1e-3;

/** Bytes of the kernels among folds' training rows that are kept between stops. */
const KEPT = 5e8;

/** What weights are learned from. */
export interface TapWeighing {
  readonly engine: Engine;
  readonly kernels: TapKernels;
  /** Where penalty and temperature start. */
  readonly from: { readonly penalty: number; readonly temperature: number };
  readonly progress: (text: string) => void;
}

/** Rows that weights are learned on, as rows of the kernels and as examples, and rows that say how well. */
export interface WeighedFold {
  readonly train: readonly number[];
  readonly examples: FoldLabels;
  readonly validation: readonly number[];
}

/**
 * What numbers of steps come to in validation, rising, up to where more of them do no better.
 * @param rowOf so many steps, from the scores of every fold's validation rows, (rows, K), in order; a fold has none where
 * rounding makes its kernel indefinite. Undefined says that they are not to be chosen
 * @param choose the best of some rows
 */
export async function triedSteps<Row>(
  { engine, kernels, from, progress }: TapWeighing,
  folds: readonly WeighedFold[],
  rowOf: (steps: number, scores: readonly (Float64Array | undefined)[]) => Row | undefined,
  choose: (rows: readonly Row[]) => Row,
): Promise<Row[]> {
  const descents = folds.map(() => new TapDescent(engine, kernels.count, { ...descent, ...from }));
  const most = Math.max(...folds.map(({ train }) => train.length));
  const keeps = folds.length * kernelsTake(most, kernels.count) <= KEPT;
  const held = new Map<WeighedFold, TapKernels>();
  const among = (fold: WeighedFold) => {
    const own = held.get(fold) ?? kernels.among(fold.train);
    if (keeps) held.set(fold, own);
    return own;
  };
  const rows: Row[] = [];
  for (const stops of STOPS) {
    const found: TapWeights[][] = [];
    for (const [f, fold] of folds.entries()) {
      progress(`weights of taps, ${stops.at(-1)} steps, fold ${f + 1} of ${folds.length}`);
      const others = kernels.between(fold.validation, fold.train);
      const on = { kernels: among(fold), examples: fold.examples, others };
      found.push(await (descents[f] as TapDescent).to(stops, on));
    }
    const own = stops.map((steps, i) =>
      rowOf(
        steps,
        found.map((fold) => fold[i]?.scores),
      ),
    );
    rows.push(...own.filter((row) => row !== undefined));
    if (own.at(-1) === undefined || choose(rows) !== own.at(-1)) break;
  }
  return rows;
}

/** The weights of taps that examples come to in so many steps: as learned, and without those that come to nothing. */
export async function weightsAfter(
  { engine, kernels, from, progress }: TapWeighing,
  examples: FoldLabels,
  steps: number,
): Promise<{ learned: TapWeights; kept: Float64Array }> {
  progress('weights of taps, all training rows');
  const [learned] = (await learnTapWeights(engine, { kernels, examples }, { ...descent, stops: [steps], ...from })) as [
    TapWeights,
  ];
  return { learned, kept: learned.weights.map((w) => (w < NEGLIGIBLE ? 0 : w)) };
}
