/** Probe methods that nobody ships, as somebody who adds one would write them. */
import type { ProbeMethod } from '../../../src/probe/index.js';
import { classPredictions, plainCard } from '../../../src/record/index.js';
import { fitDesign, nearestCentroid, probabilities } from '../../../src/solver/index.js';

/** The nearest class mean in the middle tap. */
export const middle: ProbeMethod = {
  card: {
    ...plainCard('middle-centroid', 0),
    label: 'Middle',
    plain: 'the nearest class mean in the middle layer',
    advice: 'look into the middle layer',
    title: 'nearest class centroid in the middle tap',
    role: 'candidate',
    simplicity: 0.5,
  },
  seconds: 1,
  fit: async ({ engine, train, taps, classes }) => {
    const block = Math.floor(taps.length / 2);
    const { offsets } = train.matrix;
    const [from, to] = [offsets[block] as number, offsets[block + 1] as number];
    const view = (matrix: typeof train.matrix) =>
      matrix.select(Int32Array.from({ length: to - from }, (_, j) => from + j));
    const design = await fitDesign(engine, view(train.matrix), { standardize: false });
    const rows = (matrix: typeof train.matrix) => Array.from({ length: matrix.rows }, (_, i) => i);
    const scores = (matrix: typeof train.matrix) =>
      nearestCentroid(engine, { design, labels: train.labels, classes }, { matrix, rows: rows(matrix) });
    return {
      predict: async ({ matrix }) => classPredictions(probabilities(await scores(view(matrix)), classes), classes),
      tuned: { block },
      grid: [],
      path: [],
      converged: true,
      notes: ['made up'],
    };
  },
};

/** `method` with a fault in what it says. */
export function broken(method: ProbeMethod, fault: 'not converged' | 'wrong'): ProbeMethod {
  return {
    ...method,
    fit: async (context) => {
      const fit = await method.fit(context);
      if (fit.alternatives) throw new Error('a bound has no prediction to break');
      if (fault === 'not converged') return { ...fit, converged: false };
      return {
        ...fit,
        predict: async (inputs) => {
          const { predicted } = await fit.predict(inputs);
          const shifted = Array.from(predicted, (c) => (c + 1) % context.classes);
          return { kind: 'class', predicted: shifted };
        },
      };
    },
  };
}
