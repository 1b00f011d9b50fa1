/** k nearest neighbours in the last layer. */
import { classPredictions, shapes } from '../../record/index.js';
import { type Design, type FeatureMatrix, nearestNeighbours } from '../../solver/index.js';
import { allRows, lastLayer, validate } from '../fitting/last-layer.js';
import { bestRow } from '../tuning/tally.js';
import type { Fit, ProbeMethod } from './method.js';

/** Numbers of neighbours tried. */
const NEIGHBOURS = [1, 3, 5, 9, 15, 25];

export const knn: ProbeMethod = {
  card: {
    id: 'knn',
    label: 'kNN',
    plain: 'nearest neighbours in the last layer',
    advice: 'take the nearest neighbours in the last layer',
    title: 'k nearest neighbours by cosine in the last layer',
    reads: 'last layer',
    role: 'baseline',
    simplicity: 0,
    light: '#556b2f',
    dark: '#b7cf86',
    shape: shapes.bar,
  },
  seconds: 3,
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes, folds } = context;
    const layer = await lastLayer(context);
    const smallest = Math.min(...folds.map((fold) => fold.train.length));
    const grid = NEIGHBOURS.filter((k) => k <= smallest).map((k) => ({ k }));
    const votes = (design: Design, matrix: FeatureMatrix, rows: readonly number[], k: number) =>
      nearestNeighbours(engine, { design, labels: train.labels, classes }, { matrix, rows }, { k });
    const rows = await validate(context, layer, grid, (design, chosen, { k }) =>
      votes(design, layer.design.matrix, chosen, k as number),
    );
    const best = bestRow(rows);
    return {
      predict: async ({ matrix }) =>
        classPredictions(
          await votes(layer.design, layer.view(matrix), allRows(matrix), best.settings.k as number),
          classes,
        ),
      tuned: best.settings,
      validation: best,
      grid: rows,
      path: [],
      converged: true,
      notes: ['probabilities are shares of votes'],
    };
  },
};
