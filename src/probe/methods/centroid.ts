/** Nearest class centroid in the last layer. */
import { classPredictions, shapes } from '../../record/index.js';
import { allRows, type Design, type FeatureMatrix, nearestCentroid, probabilities } from '../../solver/index.js';
import { concluded } from '../fitting/conclusion.js';
import { lastLayer, validate } from '../fitting/last-layer.js';
import { chooserBy } from '../tuning/choice.js';
import type { TuningRow } from '../tuning/tally.js';
import type { Fit, ProbeMethod } from './method.js';

export const centroid: ProbeMethod = {
  card: {
    id: 'centroid',
    label: 'Centroid',
    plain: 'the nearest class mean in the last layer',
    advice: 'take the nearest class mean in the last layer',
    title: 'nearest class centroid in the last layer',
    reads: 'last layer',
    role: 'baseline',
    simplicity: 0,
    light: '#7a4b2a',
    dark: '#d9a77f',
    shape: shapes.diamond,
  },
  seconds: 2,
  fit: async (context): Promise<Fit> => {
    const { engine, train, classes, options } = context;
    const layer = await lastLayer(context);
    const scores = (design: Design, matrix: FeatureMatrix, rows: ArrayLike<number>) =>
      nearestCentroid(engine, { design, labels: train.labels, classes }, { matrix, rows });
    const rows = await validate(context, layer, [{}], (design, chosen) => scores(design, layer.design.matrix, chosen));
    const [only] = rows as [TuningRow];
    const conclusion = concluded(context, [only], only, chooserBy(options));
    const { temperature = 1 } = conclusion;
    return {
      predict: async ({ matrix }) =>
        classPredictions(
          probabilities(
            (await scores(layer.design, layer.view(matrix), allRows(matrix))).map((z) => z / temperature),
            classes,
          ),
          classes,
        ),
      tuned: {},
      ...conclusion,
      grid: rows,
      path: [],
      converged: true,
      notes: ['probabilities are the softmax of minus squared distances over a temperature from validation'],
    };
  },
};
