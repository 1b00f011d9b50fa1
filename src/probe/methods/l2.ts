/** l2 logistic regression on given features: the last layer (linear), all layers (all-l2), two networks (control). */
import { UserError } from '../../base/index.js';
import { FeatureMatrix, type LinearModel, predictLogits, probabilities } from '../../solver/index.js';
import { bestRow, fitL2, Tally, type TuningRow, validateL2 } from '../cross-validation.js';
import { type Examples, featuresOfBlock, lastTap } from '../task.js';
import { type Fit, foldGram, type Method, type MethodContext, summary } from './method.js';

/** Tunes the penalty by cross-validation and fits on all training rows. */
async function tunedL2(
  context: MethodContext,
  key: string,
  matrix: FeatureMatrix,
  indices: Int32Array | undefined,
): Promise<{ model: LinearModel; rows: TuningRow[]; best: TuningRow; converged: boolean }> {
  const { engine, train, classes, folds, options, designs } = context;
  const grid = [...options.l2].sort((a, b) => b - a);
  const tallies = grid.map(() => new Tally());
  for (const [f, fold] of folds.entries()) {
    context.progress(`${key}: fold ${f + 1} of ${folds.length}`);
    const gram = await foldGram(context, key, matrix, indices, fold.train);
    await validateL2(engine, gram, matrix.rows, fold, train.labels, classes, grid, tallies);
  }
  const rows = tallies.map((tally, i) => tally.row({ l2: grid[i] as number }));
  const best = bestRow(rows);
  const design = await designs.get(matrix);
  const l2 = best.settings.l2 as number;
  const { model, converged } = await fitL2(engine, design, indices, train.labels, classes, l2);
  return { model, rows, best, converged };
}

function fitOf(
  context: MethodContext,
  { model, rows, best, converged }: Awaited<ReturnType<typeof tunedL2>>,
  seen: (examples: Examples) => FeatureMatrix,
  exported: boolean,
): Fit {
  const { l2 } = best.settings as { l2: number };
  const grid = rows.map((row) => row.settings.l2 as number);
  const edge = grid.length > 1 && l2 === Math.min(...grid);
  return {
    probabilities: async (examples) =>
      probabilities(await predictLogits(context.engine, model, seen(examples)), model.classes),
    ...(exported ? { model } : {}),
    tuned: { l2 },
    validation: summary(best),
    grid: rows,
    path: [],
    converged,
    notes: edge ? [`the smallest l2 penalty of the grid (${l2}) was chosen: a smaller one may do better`] : [],
  };
}

export const linear: Method = {
  name: 'linear',
  title: 'l2 logistic regression on the last layer',
  fit: async (context) => {
    const { matrix } = context.train;
    const columns = featuresOfBlock(matrix, lastTap(context.taps));
    return fitOf(context, await tunedL2(context, 'linear', matrix, columns), (e) => e.matrix, true);
  },
};

export const allL2: Method = {
  name: 'all-l2',
  title: 'l2 logistic regression on all taps',
  fit: async (context) =>
    fitOf(context, await tunedL2(context, 'all', context.train.matrix, undefined), (e) => e.matrix, true),
};

export const control: Method = {
  name: 'control',
  title: 'l2 logistic regression on the last layers of two backbones',
  fit: async (context) => {
    const block = lastTap(context.taps);
    const joined = new WeakMap<Examples, FeatureMatrix>();
    const join = (examples: Examples): FeatureMatrix => {
      if (!examples.control) {
        throw new UserError(
          'method control concatenates a second backbone: give its feature store of the same images with --control DIR',
        );
      }
      let matrix = joined.get(examples);
      if (!matrix) {
        const own = examples.matrix.blocks[block] as FeatureMatrix['blocks'][number];
        const others = examples.control.blocks.map((b) => ({ ...b, name: `control.${b.name}` }));
        matrix = new FeatureMatrix([own, ...others], examples.matrix.rows, examples.matrix.options);
        joined.set(examples, matrix);
      }
      return matrix;
    };
    return fitOf(context, await tunedL2(context, 'control', join(context.train), undefined), join, false);
  },
};
