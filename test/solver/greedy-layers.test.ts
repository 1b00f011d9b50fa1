/** LOES from inner products of examples, against the same from the features (NumPy). */
import { expect, test } from 'vitest';
import { Random } from '../../src/base/index.js';
import { greedyLayers } from '../../src/solver/index.js';
import fixture from '../fixtures/solver/greedy_layers.json' with { type: 'json' };
import { testEngine } from '../support/run.js';

const { labels, classes } = fixture;
const m = labels.length;

/** Inner products of examples, whose features are multiplied by `scale`. */
function productsOf(x: readonly (readonly number[])[], scale = 1) {
  const gram = new Float64Array(m * m);
  for (const [i, a] of x.entries()) {
    for (const [j, b] of x.entries()) gram[i * m + j] = scale ** 2 * a.reduce((sum, v, c) => sum + v * (b[c] ?? 0), 0);
  }
  return { gram, features: x[0]?.length ?? 0 };
}

const random = () => {
  const stream = new Random(1);
  return (n: number) => stream.integer(n);
};

test('published scores, choice after choice', async () => {
  const engine = await testEngine();
  const layers = fixture.layers.map((x) => productsOf(x));
  const found = await greedyLayers(
    engine,
    layers,
    { labels, classes },
    { most: 3, scaleFree: false, random: random() },
  );
  expect(found.chosen).toEqual(fixture.chosen);
  for (const [step, wanted] of fixture.scores.entries()) {
    for (const [i, v] of wanted.entries()) {
      if (v === null) expect(found.scores[step]?.[i]).toBeNaN();
      else expect(found.scores[step]?.[i]).toBeCloseTo(v, 5);
    }
  }
});

test('by scale-free terms a layer that knows the classes comes first, where isotropy alone prefers noise, and no factor on a layer changes a score', async () => {
  const engine = await testEngine();
  const scored = (scales: readonly number[]) =>
    greedyLayers(
      engine,
      fixture.layers.map((x, i) => productsOf(x, scales[i])),
      { labels, classes },
      { most: 3, scaleFree: true, random: random() },
    );
  const [plain, scaled] = [await scored([1, 1, 1, 1, 1]), await scored([100, 1, 0.01, 1, 10])];
  // Layers 1, 2 and 3 know the classes, layer 4 is noise.
  expect([1, 2, 3]).toContain(plain.chosen[0]);
  expect(fixture.chosen[0]).toBe(4);
  expect(scaled.chosen).toEqual(plain.chosen);
  for (const [i, v] of (plain.scores[1] ?? []).entries()) {
    if (!Number.isNaN(v)) expect(scaled.scores[1]?.[i]).toBeCloseTo(v, 4);
  }
});
