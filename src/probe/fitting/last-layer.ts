/** Probes of the last layer that need no iterative fitting: what they share. */
import type { Design, FeatureMatrix } from '../../solver/index.js';
import type { MethodContext } from '../context.js';
import { featuresOfBlock, lastTap } from '../task.js';
import { Tally, type TuningRow } from '../tuning/tally.js';

export interface LastLayer {
  readonly design: Design;
  readonly columns: Int32Array;
  view(matrix: FeatureMatrix): FeatureMatrix;
}

/** The last layer of the training examples, and of any other matrix. */
export async function lastLayer({ train, taps, designs }: MethodContext): Promise<LastLayer> {
  const columns = featuresOfBlock(train.matrix, lastTap(taps));
  const view = (matrix: FeatureMatrix) => matrix.select(columns);
  return { design: await designs.on(view(train.matrix)), columns, view };
}

export function foldDesign(context: MethodContext, { design }: LastLayer, rows: readonly number[]): Promise<Design> {
  return context.designs.on(design.matrix, rows);
}

/** Validation figures of each candidate setting over the folds. */
export async function validate(
  context: MethodContext,
  layer: LastLayer,
  settings: readonly Record<string, number>[],
  scores: (design: Design, rows: readonly number[], setting: Record<string, number>) => Promise<Float64Array>,
): Promise<TuningRow[]> {
  const tallies = settings.map(() => new Tally(context.options));
  for (const [f, fold] of context.folds.entries()) {
    context.progress(`fold ${f + 1} of ${context.folds.length}`);
    const design = await foldDesign(context, layer, fold.train);
    const truth = fold.validation.map((row) => context.train.labels[row] as number);
    for (const [i, setting] of settings.entries()) {
      (tallies[i] as Tally).add(await scores(design, fold.validation, setting), truth, context.classes);
    }
  }
  return tallies.map((tally, i) => tally.row(settings[i] as Record<string, number>));
}
