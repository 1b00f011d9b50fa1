/** Probes on windows of consecutive ranks: does the ranking hold what the probe needs at its top? */
import type { ClassPredictions } from '../record/index.js';
import type { MethodContext } from './context.js';
import { predictLinear, validateL2 } from './fitting/l2.js';
import type { Selection } from './selection.js';
import type { Inputs } from './task.js';
import { fitL2 } from './tuning/probes.js';
import { type FoldFeatures, sourceOf } from './tuning/sources.js';
import type { TuningRow } from './tuning/tally.js';

export interface RankWindow {
  /** Ranks [first, first + count), counted from 0. */
  readonly first: number;
  readonly count: number;
  /** Cross-validated on the training rows, with the ranking of all training rows (optimistic at the top). */
  readonly validation: number;
  readonly converged: boolean;
  /** Of the test examples. */
  readonly predictions: ClassPredictions | undefined;
}

/** Largest window, as in the paper. */
const WINDOW = 2048;
const WINDOWS = 10;

/** A fitted selection whose windows are probed. */
export interface Windowed {
  readonly selection: Selection;
  /** Penalty and temperature of the method's own probe; windows take them over. */
  readonly l2: number;
  readonly temperature?: number | undefined;
}

/** Windows over the whole ranking of a selection. */
export async function rankWindows(
  context: MethodContext,
  { selection: { ranking }, l2, temperature }: Windowed,
  test: Inputs | undefined,
): Promise<RankWindow[]> {
  const { engine, train, classes, designs } = context;
  const { matrix, labels } = train;
  const p = matrix.features;
  const width = Math.min(WINDOW, Math.max(1, Math.floor(p / WINDOWS)));
  const step = Math.max(width, Math.floor((p - width) / (WINDOWS - 1)));
  const windows: RankWindow[] = [];
  for (let first = 0; first + width <= p && windows.length < WINDOWS; first += step) {
    context.progress(`rank window ${windows.length + 1}`);
    const indices = ranking.order.slice(first, first + width).sort();
    const features: FoldFeatures = {
      matrix,
      indices: () => indices,
      source: (fold) => sourceOf(designs, matrix, indices, fold),
    };
    const [validation] = (await validateL2(context, [l2], features)) as [TuningRow];
    const design = await designs.get(matrix);
    const { model, converged } = await fitL2({ engine, design, indices, labels, classes, l2 });
    windows.push({
      first,
      count: width,
      validation: validation.accuracy,
      converged: validation.converged && converged,
      predictions: test && (await predictLinear(engine, model, test.matrix, temperature)),
    });
  }
  return windows;
}
