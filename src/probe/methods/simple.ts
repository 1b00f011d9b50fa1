/** Probes of the last layer without iterative fitting: k nearest neighbours, nearest centroid, ridge regression. */

import {
  type Design,
  type FeatureMatrix,
  fitDesign,
  fitRidge,
  nearestCentroid,
  nearestNeighbours,
  predictLogits,
  probabilities,
} from '../../solver/index.js';
import { bestRow, Tally, type TuningRow } from '../cross-validation.js';
import { featuresOfBlock, lastTap } from '../task.js';
import { type Fit, type Method, type MethodContext, summary } from './method.js';

interface LastLayer {
  readonly design: Design;
  readonly columns: Int32Array;
  view(matrix: FeatureMatrix): FeatureMatrix;
}

/** The last layer of the training examples, and of any other matrix. */
async function lastLayer({ engine, train, taps, designs }: MethodContext): Promise<LastLayer> {
  const columns = featuresOfBlock(train.matrix, lastTap(taps));
  const view = (matrix: FeatureMatrix) => matrix.select(columns);
  return { design: await fitDesign(engine, view(train.matrix), { standardize: designs.standardize }), columns, view };
}

function foldDesign(context: MethodContext, { design }: LastLayer, rows: readonly number[]): Promise<Design> {
  return fitDesign(context.engine, design.matrix, { rows, standardize: context.designs.standardize });
}

/** Validation accuracy of each candidate setting over the folds. */
async function validate(
  context: MethodContext,
  layer: LastLayer,
  settings: readonly Record<string, number>[],
  scores: (design: Design, rows: readonly number[], setting: Record<string, number>) => Promise<Float64Array>,
): Promise<TuningRow[]> {
  const tallies = settings.map(() => new Tally());
  for (const fold of context.folds) {
    const design = await foldDesign(context, layer, fold.train);
    const truth = fold.validation.map((row) => context.train.labels[row] as number);
    for (const [i, setting] of settings.entries()) {
      (tallies[i] as Tally).add(await scores(design, fold.validation, setting), truth, context.classes);
    }
  }
  return tallies.map((tally, i) => tally.row(settings[i] as Record<string, number>));
}

function allRows(matrix: FeatureMatrix): number[] {
  return Array.from({ length: matrix.rows }, (_, i) => i);
}

/** Numbers of neighbours tried. */
const NEIGHBOURS = [1, 3, 5, 9, 15, 25];

export const knn: Method = {
  name: 'knn',
  title: 'k nearest neighbours by cosine in the last layer',
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes, folds } = context;
    const layer = await lastLayer(context);
    const smallest = Math.min(...folds.map((fold) => fold.train.length));
    const grid = NEIGHBOURS.filter((k) => k <= smallest).map((k) => ({ k }));
    const votes = (design: Design, matrix: FeatureMatrix, rows: readonly number[], k: number) =>
      nearestNeighbours(engine, design, train.labels, matrix, rows, { k, classes });
    const rows = await validate(context, layer, grid, (design, chosen, { k }) =>
      votes(design, layer.design.matrix, chosen, k as number),
    );
    const best = bestRow(rows);
    return {
      probabilities: async ({ matrix }) =>
        votes(layer.design, layer.view(matrix), allRows(matrix), best.settings.k as number),
      tuned: best.settings,
      validation: summary(best),
      grid: rows,
      path: [],
      converged: true,
      notes: ['probabilities are shares of votes'],
    };
  },
};

export const centroid: Method = {
  name: 'centroid',
  title: 'nearest class centroid in the last layer',
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes } = context;
    const layer = await lastLayer(context);
    const scores = (design: Design, matrix: FeatureMatrix, rows: readonly number[]) =>
      nearestCentroid(engine, design, train.labels, matrix, rows, classes);
    const rows = await validate(context, layer, [{}], (design, chosen) => scores(design, layer.design.matrix, chosen));
    return {
      probabilities: async ({ matrix }) =>
        probabilities(await scores(layer.design, layer.view(matrix), allRows(matrix)), classes),
      tuned: {},
      validation: summary(bestRow(rows)),
      grid: rows,
      path: [],
      converged: true,
      notes: ['probabilities are the softmax of minus squared distances: not calibrated'],
    };
  },
};

export const ridge: Method = {
  name: 'ridge',
  title: 'ridge regression of one-hot labels on the last layer',
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes } = context;
    const { labels, groups } = train;
    const layer = await lastLayer(context);
    context.progress('ridge: all training rows');
    const solution = await fitRidge(engine, layer.design, labels, { classes });
    let rows: TuningRow[];
    if (groups) {
      // Leaving one example out leaves its group in: only folds that keep groups together are honest.
      const tallies = solution.points.map(() => new Tally());
      for (const [f, fold] of context.folds.entries()) {
        context.progress(`ridge: fold ${f + 1} of ${context.folds.length}`);
        const own = await fitRidge(engine, await foldDesign(context, layer, fold.train), labels, { classes });
        const truth = fold.validation.map((row) => labels[row] as number);
        for (const [i, tally] of tallies.entries()) {
          const logits = await predictLogits(engine, await own.model(i), layer.design.matrix, fold.validation);
          tally.add(logits, truth, classes);
        }
      }
      rows = tallies.map((tally, i) => tally.row({ lambda: solution.points[i]?.lambda as number }));
    } else {
      rows = solution.points.map(({ loo, lambda }) => {
        const tally = new Tally();
        tally.add(loo, labels, classes);
        return tally.row({ lambda });
      });
    }
    const best = bestRow(rows);
    const fitted = await solution.model(rows.indexOf(best));
    const model = { ...fitted, features: train.matrix.features, indices: layer.columns };
    return {
      probabilities: async ({ matrix }) => probabilities(await predictLogits(engine, model, matrix), classes),
      model,
      tuned: best.settings,
      validation: summary(best),
      grid: rows,
      path: [],
      converged: true,
      notes: [
        `lambda by ${groups ? 'folds' : 'exact leave-one-out'}; probabilities are the softmax of regression scores: not calibrated`,
      ],
    };
  },
};
