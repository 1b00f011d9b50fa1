/** k nearest neighbours in the last layer. */
import { classPredictions, shapes } from '../../record/index.js';
import { allRows, type Design, type FeatureMatrix, nearestNeighbours } from '../../solver/index.js';
import { concluded } from '../fitting/conclusion.js';
import { lastLayer, validate } from '../fitting/last-layer.js';
import { chooserBy } from '../tuning/choice.js';
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
    const { engine, train, classes, folds, options } = context;
    const layer = await lastLayer(context);
    const smallest = Math.min(...folds.map((fold) => fold.train.length));
    const grid = NEIGHBOURS.filter((k) => k <= smallest).map((k) => ({ k }));
    const votes = (design: Design, matrix: FeatureMatrix, rows: ArrayLike<number>, k: number) =>
      nearestNeighbours(engine, { design, labels: train.labels, classes }, { matrix, rows }, { k });
    const rows = await validate(context, layer, grid, async (design, chosen, { k }) =>
      (await votes(design, layer.design.matrix, chosen, k as number)).map((share) => Math.log(Math.max(1e-15, share))),
    );
    // Shares of few votes are no probabilities to choose by.
    const choose = chooserBy({ ...options, choose: 'accuracy' });
    const best = choose(rows);
    const { temperature: _, ...conclusion } = concluded(context, rows, best, choose);
    return {
      predict: async ({ matrix }) =>
        classPredictions(
          await votes(layer.design, layer.view(matrix), allRows(matrix), best.settings.k as number),
          classes,
        ),
      tuned: best.settings,
      ...conclusion,
      grid: rows,
      path: [],
      converged: true,
      notes: ['probabilities are shares of votes; k is chosen by accuracy'],
    };
  },
};
